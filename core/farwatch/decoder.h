/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Decoders: from the bytes of a session to what was done with them, operation by operation ("wrote 40101").
 *
 * Threads: a decoder's open(), bytes(), gap() and close() of a flow run on the thread of who feeds it (the
 * loop of a tap, farwatch/leg.h), never on main, one at a time and in order; other flows may be at other
 * threads. They touch the flow alone, and open() the options, of which it copies what the flow needs: the
 * instance lives on main, and may have stopped meanwhile. A flow holds at most 64 KiB, whatever comes, and
 * the operations are the same however the bytes are cut.
 * Functions are [one thread] unless their comment says otherwise. */
#pragma once
#include <farwatch/event.h>
#include <jansson.h>

G_BEGIN_DECLS

/* Borrowed for the call. */
typedef struct {
  const char *session;     /* id; NULL: none */
  const char *device;      /* name; NULL: none */
  const char *address;     /* of the device; NULL: not known */
  const char *application; /* "modbus": which decoder, and the application of its operations */
  gboolean datagrams;      /* bytes() gets one whole datagram each time */
} FarDecoderFlow;

#define FAR_OPERATION_WORD_MAX 64     /* bytes of application and verb */
#define FAR_OPERATION_OBJECT_MAX 256  /* bytes of the object */
#define FAR_OPERATION_DETAIL_MAX 4096 /* bytes of the detail as JSON; a larger one is left out */

/* Everything is borrowed for the call; longer texts are cut. */
typedef struct {
  gint64 time_us;          /* wall; 0: of the bytes that are being decoded */
  gboolean to_device;      /* the person's side said it; FALSE: the device's */
  const char *application; /* NULL: the flow's */
  const char *verb;        /* "read", "write", "answer"; "opaque" where NULL */
  const char *object;      /* what it was done to: "40101"; NULL: nothing in particular */
  json_t *detail;          /* object; NULL: none */
  FarSeverity severity;    /* of what was done; most is FAR_SEVERITY_INFO */
  gboolean opaque;         /* bytes that could not be read: sealed, broken, or behind a gap */
} FarOperation;

typedef void (*FarOperationFunc) (const FarOperation *operation, gpointer user);

/* One flow, from core's side. */
typedef struct _FarDecoding FarDecoding;

/* A decoder tells an operation: inside its bytes(), gap() and close(), at their thread. */
void far_decoder_operation (FarDecoding *to, const FarOperation *operation);

/* A decoder for the flow's application: the first one that came, of those that run. func hears its
 * operations, at the thread that feeds. FAR_ERROR_NOT_FOUND: no decoder that runs has this application. [any
 * thread]; the rest is at that one, which should not be main. */
FarDecoding *
far_decoding_open (const FarDecoderFlow *flow, FarOperationFunc func, gpointer user, GError **error);
/* time_us: wall. size 0 is an empty datagram, and nothing at all in a stream. */
void
far_decoding_bytes (FarDecoding *flow, gboolean to_device, const guint8 *data, gsize size, gint64 time_us);
/* So many bytes were not seen (0: how many is not known). */
void far_decoding_gap (FarDecoding *flow, gboolean to_device, guint64 bytes, gint64 time_us);
/* Last operations come inside; frees it. NULL is allowed. */
void far_decoding_close (FarDecoding *flow);

G_END_DECLS
