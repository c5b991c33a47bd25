/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A leg is what one pump carries: whose bytes, of which device, which stream of the session. The list of live
 * legs may be asked for anywhere, and taps may be set on them while they run.
 *
 * A tap sees each direction where its bytes reach their real end, so never what a dead or blocked device did
 * not take; in order, with the time, and of datagrams the frames; bytes come in pieces of any size. The leg
 * never waits for it: what passes is copied into a bounded ring, which the tap's own loop empties; if that is
 * too slow, the copy is left out and a gap says so. Legs that begin while too much of ended ones waits for
 * the tap are left out and counted. The copy itself costs time of the leg's thread (doc/performance.md).
 * Between the two directions of a leg the times say which was first. */
#pragma once
#include <farwatch/loop.h>
#include <farwatch/stream.h>

G_BEGIN_DECLS

/* Never changes; texts are "" where nothing is known. */
typedef struct {
  guint64 id;              /* from 1, not used again while the node lives */
  const char *session;     /* the session's id */
  const char *target;      /* the device */
  const char *inner;       /* which stream of the session: in band a byte passes two pumps */
  const char *destination; /* address and port */
  gboolean datagrams;
  gint64 began_us; /* CLOCK_BOOTTIME */
} FarLeg;

/* What is NULL or 0 is any. */
typedef struct {
  guint64 id;
  const char *session, *target, *inner;
} FarLegMatch;

FarLeg *far_leg_ref (FarLeg *leg); /* [any thread] */
void far_leg_unref (FarLeg *leg);  /* [any thread] */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FarLeg, far_leg_unref)

/* The legs that are live now and match (NULL: all), by their ids: FarLeg*, a reference each. The caller frees
 * the array with g_ptr_array_unref(). [any thread] */
GPtrArray *far_legs (const FarLegMatch *match);

typedef struct {
  gboolean from_a;    /* it went from a to b */
  guint64 at;         /* bytes of this direction before it, since the leg began */
  gint64 boottime_us; /* when it was written */
  FarFrame frame;     /* bytes, or one whole datagram; the memory is the ring's until the call returns */
} FarTapPiece;

typedef struct {
  gboolean from_a;
  guint64 at;         /* of the first byte that was left out */
  gint64 boottime_us; /* when that was written */
  guint64 bytes, frames;
} FarTapGap;

/* All on the tap's loop; any may be NULL. They may take as long as they like. Of each leg: began once, then
 * pieces and gaps, then ended once. */
typedef struct {
  void (*began) (gpointer data, const FarLeg *leg);
  void (*piece) (gpointer data, const FarLeg *leg, const FarTapPiece *piece);
  void (*gap) (gpointer data, const FarLeg *leg, const FarTapGap *gap);
  /* cause: why the pump ended; not told of legs that go on after far_leg_untap() */
  void (*ended) (gpointer data, const FarLeg *leg, const char *cause);
  /* so many legs that match were left out, as FAR_TAP_UNSEEN of ended ones waited already; nothing else is
   * told of them */
  void (*missed) (gpointer data, guint64 legs);
} FarTapFuncs;

typedef struct {
  FarLegMatch match;        /* copied */
  const FarTapFuncs *funcs; /* static */
  FarLoop *loop;            /* lives until free_data was called */
  gpointer data;
  GDestroyNotify free_data; /* NULL: none; called last, on the loop */
  /* bytes that may wait of a direction of a leg, rounded up to a power of two and to FAR_TAP_RING_LEAST; 0:
   * FAR_TAP_RING */
  gsize ring;
} FarTapSpec;

#define FAR_TAP_RING ((gsize) 512 * 1024)
/* Memory of rings that a tap keeps of ended legs which it has not seen; above it, it gets no new leg. */
#define FAR_TAP_UNSEEN ((gsize) 64 * 1024 * 1024)
#define FAR_TAP_RING_LEAST ((gsize) 256 * 1024)

typedef struct _FarTap FarTap;

/* Taps each live leg that matches, and each that begins later, from its first byte. Any number of taps may
 * see one leg. Ends by far_leg_untap(). [any thread] */
FarTap *far_leg_tap (const FarTapSpec *spec);
/* No more is called, but free_data, by and by: from the tap's loop none at all after this, from another
 * thread what has begun already. NULL is fine. [any thread] */
void far_leg_untap (FarTap *tap);

G_END_DECLS
