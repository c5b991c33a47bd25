/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The end that dials: the control connection of a session, once a link, and each person's connection that the
 * server asks for by it. How the server is reached is dial.c. */
#include "config.h"

#include "direct.h"

#include <string.h>

#define INCOMING_MS 30000

/* Borrowed by the caller until done() runs, which comes later. Takes hello. */
static DirectDial *
direct_client_dial (DirectSession *session, json_t *hello, gboolean answered, DirectDialDone done,
                    gpointer user)
{
  const DirectDialSpec spec = { .host = session->host,
                                .port = session->port,
                                .node = direct_word_text (session->part, "node", 64),
                                .key = direct_word_text (session->part, "fingerprint", 128),
                                .tls = session->tls,
                                .answered = answered };
  return direct_dial_new (&spec, hello, done, user);
}

/* ---- people's connections ---- */

typedef struct {
  DirectSession *session;
  DirectDial *dial;
  json_int_t number;
  guint link; /* which of the session's links has asked */
  char *from, *word;
  FarStream *near_end;
} DirectArrival;

static void
direct_arrival_free (DirectArrival *arrival)
{
  direct_discard (arrival->near_end);
  direct_session_unref (arrival->session);
  g_free (arrival->from);
  far_secret_free (arrival->word);
  g_free (arrival);
}

/* Nothing came of it: both ends hear. */
static void
direct_arrival_fail (DirectArrival *arrival, const char *cause)
{
  DirectSession *session = arrival->session;
  if (session->link != NULL && session->links == arrival->link)
    direct_link_say (session->link, json_pack ("{s:I}", "failed", arrival->number));
  if (!session->ending)
    direct_session_tell (session, FAR_CARRIER_REFUSED, cause, arrival->from);
  direct_arrival_free (arrival);
}

static void
direct_arrival_dialled (FarStream *stream, const GError *error, gpointer user)
{
  DirectArrival *arrival = user;
  DirectSession *session = arrival->session;
  g_ptr_array_remove_fast (session->dials, arrival->dial);
  if (session->self != NULL)
    direct_dial_tell (arrival->dial, session->self->at);
  if (stream == NULL) {
    direct_arrival_fail (arrival, error->message);
    return;
  }
  if (session->ending || session->link == NULL)
    direct_discard (stream);
  else
    direct_session_join (session, stream, g_steal_pointer (&arrival->near_end), arrival->from,
                         (DirectCame){ NULL, NULL });
  direct_arrival_free (arrival);
}

static void
direct_arrival_answered (FarRequest *req, gpointer user)
{
  DirectArrival *arrival = user;
  DirectSession *session = arrival->session;
  const GError *error = far_request_error (req);
  session->asked--;
  if (error != NULL) {
    direct_arrival_fail (arrival, error->message);
    return;
  }
  arrival->near_end = far_request_steal (req);
  if (session->ending || session->link == NULL) {
    direct_arrival_free (arrival);
    return;
  }
  json_t *hello = json_pack ("{s:i, s:s, s:I, s:s}", "v", DIRECT_VERSION, "session", session->id, "stream",
                             arrival->number, "word", arrival->word);
  arrival->dial = direct_client_dial (session, hello, FALSE, direct_arrival_dialled, arrival);
  g_ptr_array_add (session->dials, arrival->dial);
}

static void
direct_client_asked (DirectSession *session, json_t *asked)
{
  const char *word = direct_word_text (asked, "word", 64), *from = direct_word_text (asked, "from", 64);
  DirectArrival *arrival = g_new0 (DirectArrival, 1);
  *arrival = (DirectArrival){ .session = direct_session_ref (session),
                              .number = json_integer_value (json_object_get (asked, "open")),
                              .link = session->links,
                              .from = g_strdup (from != NULL ? from : ""),
                              .word = g_strdup (word != NULL ? word : "") };
  if (session->joins->len + session->dials->len + session->asked >= DIRECT_JOINS_MAX) {
    direct_arrival_fail (arrival, "too many connections in this session");
    return;
  }
  session->asked++;
  far_carrier_incoming (session->carrier, arrival->from, far_loop_pick (),
                        far_request_new (direct_arrival_answered, arrival, INCOMING_MS));
}

/* ---- the link ---- */

const char *
direct_part_fault (json_t *part)
{
  const char *key = direct_word_text (part, "fingerprint", 128), *node = direct_word_text (part, "node", 64);
  if (node == NULL || *node == '\0')
    return "node";
  return key == NULL || !g_str_has_prefix (key, "sha256:") ? "fingerprint" : NULL;
}

typedef struct {
  DirectSession *session;
  FarRequest *req;
} DirectOpening;

static void
direct_client_up (FarStream *stream, const GError *error, gpointer user)
{
  DirectOpening *opening = user;
  DirectSession *session = opening->session;
  FarRequest *req = opening->req;
  if (session->self != NULL)
    direct_dial_tell (session->dial, session->self->at);
  session->dial = NULL;
  if (stream == NULL) {
    far_request_fail (req, g_error_copy (error));
  } else {
    far_request_done (req, NULL, NULL);
    direct_session_up (session, stream, (DirectCame){ NULL, NULL }, NULL);
  }
  far_request_unref (req);
  direct_session_unref (session);
  g_free (opening);
}

/* What the server must show: the fleet's certificate for its node's name. NULL and *error. */
static FarTls *
direct_client_tls (DirectSession *session, json_t *part, GError **error)
{
  const DirectOptions *options = direct_options (session->self);
  const FarTlsSpec spec = { .at = session->self->at,
                            .cert = options->cert,
                            .key = options->key,
                            .ca = options->ca,
                            .purpose = FAR_PURPOSE_NODE_SERVER,
                            .name = direct_word_text (part, "node", 64) };
  gboolean changed = FALSE;
  if (session->tls == NULL || !json_equal (session->part, part))
    return far_tls_new (&spec, error);
  far_tls_refresh (session->tls, &changed,
                   NULL); /* the own certificate may have been renewed; else as before */
  return far_tls_ref (session->tls);
}

/* All of it or nothing: by a link that still stands people come in meanwhile. */
static gboolean
direct_client_ready (DirectSession *session, const FarCarrierOpen *spec, GError **error)
{
  g_autofree char *host = NULL;
  guint16 port = 0;
  if (direct_part_fault (spec->part) != NULL || spec->address == NULL) {
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID,
                         _ ("the offer lacks the node, its key or the address"));
    return FALSE;
  }
  FarTls *tls = far_parse_address (spec->address, &host, &port, error)
                    ? direct_client_tls (session, spec->part, error)
                    : NULL;
  if (tls == NULL)
    return FALSE;
  far_tls_unref (session->tls);
  json_decref (session->part);
  g_free (session->host);
  session->tls = tls;
  session->part = json_incref (spec->part);
  session->host = g_steal_pointer (&host);
  session->port = port;
  return TRUE;
}

static json_t *
direct_client_hello (DirectSession *session, const char *token)
{
  return json_pack ("{s:i, s:s, s:s}", "v", DIRECT_VERSION, "session", session->id, "token", token);
}

void
direct_client_show (gpointer self, FarCarrier *carrier, const char *token)
{
  DirectSession *session = direct_session_of (self, carrier);
  if (session != NULL && session->dial != NULL)
    direct_dial_show (session->dial, direct_client_hello (session, token));
}

void
direct_client_open (gpointer data, const FarCarrierOpen *spec, FarCarrier *carrier, FarRequest *req)
{
  Direct *self = data;
  GError *error = NULL;
  DirectSession *session = direct_session_of (self, carrier);
  if (session == NULL && g_hash_table_lookup (self->sessions, spec->session) == NULL)
    session = direct_session_new (self, carrier, spec->length_us, direct_client_asked);
  if (session == NULL || session->accepts || session->ending || session->dial != NULL) {
    far_request_fail_new (req, FAR_ERROR_CONFLICT, _ ("session '%s' is being dialled, or over"),
                          spec->session);
    return;
  }
  if (!direct_client_ready (session, spec, &error)) { /* the token was not shown, whatever it is */
    far_request_fail_new (req, FAR_ERROR_UNAVAILABLE, "%s", error->message);
    g_error_free (error);
    return;
  }
  json_t *hello = spec->token != NULL ? direct_client_hello (session, spec->token) : NULL;
  DirectOpening *opening = g_new0 (DirectOpening, 1);
  *opening = (DirectOpening){ direct_session_ref (session), far_request_ref (req) };
  session->dial = direct_client_dial (session, hello, TRUE, direct_client_up, opening);
}
