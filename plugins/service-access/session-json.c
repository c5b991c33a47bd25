/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A session as people see it, and what of it stands on disk beside what the book writes. */
#include "config.h"

#include "access.h"

#define PAGE 20

static const AccessSession *
shown_of (const FarSession *session)
{
  return (const AccessSession *) session;
}

static void
access_session_json_set_time (json_t *body, const char *key, gint64 wall_us)
{
  g_autofree char *text = wall_us ? far_clock_format (wall_us) : NULL;
  json_object_set_new (body, key, json_pack ("s?", text));
}

/* Where the ports are found: as the tunnel end's profile tells, else where the terminal's link has come to.
 * That may be an address behind a router, so who dials Y takes rather the host by which they reach this node.
 */
static void
show_place (json_t *body, const AccessSession *session)
{
  const char *told = session->ports->y_host, *z = told ? told : session->link_to;
  json_object_set_new (body, "z", json_pack ("s?", z));
  json_object_set_new (body, "z_from", json_pack ("s?", told ? "profile" : z ? "link" : NULL));
}

static void
show_ports (json_t *body, const AccessSession *session)
{
  const FarTunnel *ports = session->ports;
  if (!ports)
    return;
  show_place (body, session);
  json_object_set_new (body, "tunnel", json_pack ("s?", session->tunnel));
  if (session->entry == FAR_ENTRY_PORTS) {
    json_object_set_new (body, "x", json_integer (ports->x));
    json_object_set_new (body, "y", json_integer (ports->y));
  }
}

static void
show_time (json_t *body, const AccessSession *session)
{
  access_session_json_set_time (body, "asked", session->asked_us);
  access_session_json_set_time (body, "opened", session->opened_us);
  access_session_json_set_time (body, "closed", session->closed_us);
  access_session_json_set_time (body, "deadline", session->opened_us ? session->deadline.wall_us : 0);
  if (session->opened_us && access_session_live (session))
    json_object_set_new (body, "left_us",
                         json_integer (MAX (0, session->deadline.boottime_us - far_clock_boottime_us ())));
  json_object_set_new (body, "for_us", json_integer (session->for_us));
}

static const char *
login_word (const AccessSession *session)
{
  return session->in_advance ? "in-advance" : "in-band";
}

json_t *
access_session_show (const FarSession *base)
{
  const AccessSession *session = shown_of (base);
  const FarRegistryNode *terminal = far_registry_node (session->terminal);
  const char *host_key = terminal ? access_text (terminal->row, "ssh") : NULL;
  gboolean one_end = session->stock_end || (terminal && access_is_stock (terminal));
  json_t *body = json_pack ("{s:s, s:s, s:s?, s:s, s:s?, s:s, s:s, s:s, s:b, s:s, s:s, s:s, s:i}", "session",
                            session->id, "terminal", session->terminal, "device", session->device, "person",
                            session->person, "from", session->from, "user", session->user, "reason",
                            session->reason, "entry", session->entry == FAR_ENTRY_PORTS ? "ports" : "stream",
                            "raw", session->raw, "login", login_word (session), "state",
                            far_session_state_name (session->state), "spec_state",
                            far_session_state_spec (session->state), "generation", (int) session->generation);
  show_ports (body, session);
  show_time (body, session);
  json_t *more = json_pack ("{s:I, s:I, s:I, s:s?, s:s?, s:s?, s:s?, s:s, s:b, s:s}", "bytes_up",
                            (json_int_t) session->bytes_up, "bytes_down", (json_int_t) session->bytes_down,
                            "turned_away", (json_int_t) session->turned_away, "trouble", session->trouble,
                            "cause", session->cause, "ended_by", session->ended_by, "host_key", host_key,
                            "deadline_at", one_end ? "one end" : "both ends", "clear_text", session->raw,
                            "offer", session->offer ? "ready" : "none");
  json_object_update (body, more);
  json_decref (more);
  return body;
}

/* ---- on disk ---- */

static void
put_text (json_t *row, const char *key, const char *text)
{
  json_object_set_new (row, key, json_pack ("s?", text));
}

static void
put_place (json_t *row, const AccessSession *session)
{
  put_text (row, "terminal", session->terminal);
  put_text (row, "device", session->device);
  put_text (row, "from", session->from);
}

void
access_session_row (const FarSession *base, json_t *row)
{
  const AccessSession *session = shown_of (base);
  put_place (row, session);
  put_text (row, "tunnel", session->tunnel);
  json_object_set_new (row, "x", json_integer (session->ports ? session->ports->x : 0));
  json_object_set_new (row, "y", json_integer (session->ports ? session->ports->y : 0));
}

void
access_session_record (const FarSession *base, json_t *record)
{
  const AccessSession *session = shown_of (base);
  put_place (record, session);
  put_text (record, "user", session->user);
  put_text (record, "login", login_word (session));
  put_text (record, "trouble", session->trouble); /* null: there was none */
  json_object_set_new (record, "raw", json_boolean (session->raw));
  json_object_set_new (record, "turned_away", json_integer (session->turned_away));
}

/* ---- handlers ---- */

void
access_session_resolve (gpointer self, const FarPrincipal *principal, char **parts, FarResolved *found)
{
  const FarSession *session = far_book_resolve (((Access *) self)->book, parts[0], principal, found);
  found->unknown = g_strdup_printf (_ ("no session '%s' now: see the history"), parts[0]);
  if (session)
    found->refused = g_strdup_printf (_ ("session '%s' is not yours: closing it needs the right 'manage'"),
                                      session->id);
}

void
access_sessions_get (gpointer self, FarCall *call)
{
  far_book_list (((Access *) self)->book, call, PAGE, TRUE);
}

void
access_session_get (gpointer self, FarCall *call)
{
  far_call_answer (call, 200, access_session_show (&access_session (self, call->parts[0])->base));
}

void
access_session_watch (gpointer self, FarCall *call)
{
  far_session_subscribe (&access_session (self, call->parts[0])->base, call);
}
