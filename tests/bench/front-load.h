/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What front-load's connections and its runs share. One thread; nothing here blocks but the wait for events.
 */
#pragma once
#include <glib.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>

typedef enum { FRONT_FULL, FRONT_RESUME, FRONT_KEEP } FrontMode;
typedef enum { SLOT_IDLE, SLOT_SHAKING, SLOT_SENDING, SLOT_READING, SLOT_ENDING, SLOT_HELD } SlotState;

typedef struct _Front Front;

/* One connection at a time, one after the other. */
typedef struct {
  Front *front;
  SlotState state;
  int fd;
  guint32 events; /* waited for */
  guint number;   /* exchanges of this slot so far, the one that prepares it among them */
  gnutls_session_t tls;
  gnutls_datum_t ticket;
  GString *answer;
} Slot;

struct _Front {
  FrontMode mode;
  struct sockaddr_in address;
  const char *priority;
  char *request;
  int poll;
  guint parallel, quota; /* quota: exchanges of each slot once all are prepared */
  gboolean running;      /* FALSE: while the slots are prepared */
  guint busy;            /* slots that have something to do */
  guint64 done, failed, resumed;
  gnutls_certificate_credentials_t credentials;
  Slot *slots;
};

/* The next exchange of a slot that is idle or held; none when its quota is used up. */
void front_slot_next (Slot *slot);
/* Goes on as far as the socket lets it. */
void front_slot_ready (Slot *slot);
void front_slot_clear (Slot *slot);
