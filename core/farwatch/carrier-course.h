/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an opening end does on its own account: where it lets itself be sent, and how it goes on when a
 * carrier did not come up. The node that offers may lie about both. Functions are [main] unless their comment
 * says otherwise. */
#pragma once
#include <farwatch/carrier.h>

G_BEGIN_DECLS

/* ---- where ----
 * list: HOST, HOST:PORT or nets, NULL-terminated; NULL or empty: the address that this node's link goes to
 * (link, NULL: there was none yet), at any port. No name is looked up to decide, as that, too, would tell
 * somebody something. */

/* Can that list be read? *error names the item that cannot. */
gboolean far_carrier_ends_good (char **list, GError **error);
/* Where an offer's address is: one that does not know its own name (0.0.0.0, [::]) is where the link goes.
 * Caller frees. */
char *far_carrier_end_place (const char *link, const char *address);
/* May it be dialled? address: as an offer has it. */
gboolean far_carrier_end_allowed (char **list, const char *link, const char *address);

/* ---- again ---- */

/* The tries of one session; zeroed: none has failed. */
typedef struct {
  guint failures;      /* in a row */
  gint64 failing_us;   /* when the first of them did, boottime */
  gint64 elsewhere_us; /* when another kind was last asked for, boottime; 0: was not */
  gboolean opened;     /* it was up once: it is worth its time */
} FarCarrierTries;

typedef enum {
  FAR_CARRIER_TRY_SAME,      /* a second later, with the same token: it was not shown */
  FAR_CARRIER_TRY_ANEW,      /* by the next offer */
  FAR_CARRIER_TRY_ELSEWHERE, /* by the next offer, of another kind if there is one */
  FAR_CARRIER_TRY_NO_MORE    /* somebody waits for a session that was never open, and shall hear */
} FarCarrierTry;

#define FAR_CARRIER_SAME_US G_USEC_PER_SEC /* a way that comes back is found within two seconds */

/* One has failed. error: NULL, this node may not dial there. linked: can be told to who offers. */
FarCarrierTry
far_carrier_tried (FarCarrierTries *tries, FarCarrier *carrier, const GError *error, gboolean linked);
/* How long to wait before another offer is asked for: ever longer. elsewhere: of another kind, which is
 * there at once the first time. */
gint64 far_carrier_tries_wait_us (const FarCarrierTries *tries, gboolean elsewhere);
/* It came up: what failed before is forgotten. */
void far_carrier_tries_up (FarCarrierTries *tries);

G_END_DECLS
