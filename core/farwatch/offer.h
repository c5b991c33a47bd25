/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Offers: what the accepting node of a session tells the opening one, where to come and for what, with a
 * credential sealed to that node's key, and for a login in advance a box that the person sealed to it
 * (doc/messages.md). Whoever opens it believes nothing: the offer, the credential and the box must say the
 * same. Who may dial where, how long and how many is the reader's own business.
 * Functions are [main] unless their comment says otherwise. */
#pragma once
#include <farwatch/carrier.h>
#include <farwatch/trust.h>

G_BEGIN_DECLS

/* Texts are borrowed: of who writes it, or of the JSON that was read. */
typedef struct {
  const char *session, *request, *device, *person, *asker, *reason, *sealed, *login_box;
  guint generation; /* from 1; counts resumptions */
  gint64 for_us;
  FarEntry entry;
  gboolean in_advance;
  /* ---- read ---- */
  const char *transport, *address; /* the transport here that carries it; where to dial */
  /* for who reads it: kind of its carrier, where this node may not dial there and has another; static */
  const char *unreached;
  json_t *part; /* the carrier's; a reference of its own */
} FarOffer;
void far_offer_clear (FarOffer *offer);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (FarOffer, far_offer_clear)

/* ---- the accepting end ---- */

/* The credential for node, whose public box key is box; a base64 text, to be freed. */
char *far_offer_seal (const FarOffer *offer, FarCarrier *carrier, json_t *part, const char *node,
                      const char *box, const char *token, gint64 expires_us, GError **error);
/* With offer->sealed; a new reference. */
json_t *far_offer_write (const FarOffer *offer, FarCarrier *carrier, json_t *part);

/* ---- the opening end ---- */

/* Its form. transports: those here by which it may come, NULL-terminated. FAR_ERROR_PROTOCOL and others: what
 * of it is no good. */
gboolean far_offer_read (const char *const *transports, json_t *json, FarOffer *offer /* to be cleared */,
                         GError **error);
/* Opens the sealed credential with the keys in that folder; every field must equal the offer's. Result: the
 * token (far_secret_free). */
char *far_offer_token (const FarOffer *offer, const char *keys, GError **error);
/* Opens the login box, compares, asks the authenticators. It names a nonce of this node and all that the
 * person agreed to; any difference refuses it, as a bare box could be replayed by whoever holds it. FALSE: it
 * is refused, nobody was asked. */
gboolean far_offer_login (const FarOffer *offer, const char *keys, FarNonces *nonces,
                          const char *const *authenticators, FarRequest *req);

G_END_DECLS
