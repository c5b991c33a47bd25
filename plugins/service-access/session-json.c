/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A session as people see it: in lists, alone, and as events of a watch. */
#include "config.h"

#include "access.h"

#include <string.h>

#define PAGE 20

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

json_t *
access_session_show (const AccessSession *session)
{
  AccessTerminal *terminal = session->self ? access_terminal (session->self, session->terminal) : NULL;
  const char *host_key = terminal ? access_text (terminal->row, "ssh") : NULL;
  json_t *body = json_pack ("{s:s, s:s, s:s?, s:s, s:s?, s:s, s:s, s:s, s:b, s:s, s:s, s:s, s:i}", "session",
                            session->id, "terminal", session->terminal, "device", session->device, "person",
                            session->person, "from", session->from, "user", session->user, "reason",
                            session->reason, "entry", session->entry == FAR_ENTRY_PORTS ? "ports" : "stream",
                            "raw", session->raw, "login", session->in_advance ? "in-advance" : "in-band",
                            "state", far_session_state_name (session->state), "spec_state",
                            far_session_state_spec (session->state), "generation", (int) session->generation);
  show_ports (body, session);
  show_time (body, session);
  json_object_set_new (body, "bytes_up", json_integer (session->bytes_up));
  json_object_set_new (body, "bytes_down", json_integer (session->bytes_down));
  json_object_set_new (body, "turned_away", json_integer (session->turned_away));
  json_object_set_new (body, "trouble", json_pack ("s?", session->trouble));
  json_object_set_new (body, "cause", json_pack ("s?", session->cause));
  json_object_set_new (body, "ended_by", json_pack ("s?", session->ended_by));
  json_object_set_new (body, "host_key", json_pack ("s?", host_key));
  json_object_set_new (body, "deadline_at",
                       json_string (session->stock_end || (terminal && access_terminal_is_stock (terminal))
                                        ? "one end"
                                        : "both ends"));
  json_object_set_new (body, "clear_text", json_boolean (session->raw));
  json_object_set_new (body, "offer", json_string (session->offer ? "ready" : "none"));
  return body;
}

static gboolean
session_own (const AccessSession *session, const FarPrincipal *principal)
{
  g_autofree char *a = far_principal_text (session->principal), *b = far_principal_text (principal);
  return strcmp (a, b) == 0;
}

/* Their own; and those to what they may see. */
gboolean
access_session_visible (const AccessSession *session, const FarPrincipal *principal)
{
  g_autofree char *object = access_terminal_object (session->terminal, session->device);
  return session_own (session, principal) || far_authorize_see (principal, object);
}

AccessSession *
access_called_session (Access *self, FarCall *call)
{
  AccessSession *session = access_session (self, call->parts[0]);
  if (session && access_session_visible (session, call->principal))
    return session;
  far_call_fail_new (call, FAR_ERROR_NOT_FOUND, _ ("no session '%s' now: see the history"), call->parts[0]);
  return NULL;
}

void
access_session_resolve (gpointer self, const FarPrincipal *principal, char **parts, FarResolved *found)
{
  const AccessSession *session = access_session (self, parts[0]);
  found->unknown = g_strdup_printf (_ ("no session '%s' now: see the history"), parts[0]);
  if (!session)
    return;
  found->object = access_terminal_object (session->terminal, session->device);
  found->own = session_own (session, principal);
  found->refused = g_strdup_printf (_ ("session '%s' is not yours: closing it needs the right 'manage'"),
                                    session->id);
}

static int
by_time (gconstpointer a, gconstpointer b)
{
  return g_strcmp0 ((*(AccessSession *const *) a)->history, (*(AccessSession *const *) b)->history);
}

/* Where the next page begins is a time and an id: the session that had them may have ended since. */
static void
sessions_page (FarCall *call, GPtrArray *seen)
{
  FarPage page;
  far_page_begin (&page, call, PAGE, 0);
  for (guint i = 0; i < seen->len && !page.next; i++) {
    const AccessSession *session = seen->pdata[i];
    if (far_page_wants (&page, session->history))
      far_page_take (&page, session->history, access_session_show (session));
  }
  far_call_answer (call, 200, json_pack ("{s:o, s:s?}", "sessions", page.list, "next", page.next));
}

void
access_sessions_get (gpointer data, FarCall *call)
{
  Access *self = data;
  g_autoptr (GPtrArray) seen = g_ptr_array_new ();
  gboolean all = g_strcmp0 (access_text (call->query, "all"), "yes") == 0;
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init (&iter, self->sessions);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if ((all || access_session_live (value)) && access_session_visible (value, call->principal))
      g_ptr_array_add (seen, value);
  g_ptr_array_sort (seen, by_time);
  sessions_page (call, seen);
}

void
access_session_get (gpointer self, FarCall *call)
{
  far_call_answer (call, 200, access_session_show (access_session (self, call->parts[0])));
}

/* ---- watch ---- */

static void
watch_gone (guint watch, gpointer user)
{
  AccessSession *session = user;
  for (guint i = 0; i < session->watches->len; i++)
    if (g_array_index (session->watches, guint, i) == watch) {
      g_array_remove_index_fast (session->watches, i);
      break;
    }
  access_session_unref (session);
}

void
access_session_watch (gpointer self, FarCall *call)
{
  AccessSession *session = access_session (self, call->parts[0]);
  gboolean over = !access_session_live (session);
  guint watch = far_call_watch (call, watch_gone, access_session_ref (session));
  g_array_append_val (session->watches, watch);
  far_watch_event (watch, access_session_show (session));
  if (over)
    far_watch_event (watch, NULL);
}

/* A right may have gone while one watched. */
static void
watch_tell (const AccessSession *session, guint watch)
{
  const FarPrincipal *who = far_watch_principal (watch);
  if (who && access_session_visible (session, who))
    far_watch_event (watch, access_session_show (session));
  else
    far_watch_event (watch, NULL);
}

void
access_session_tell (AccessSession *session)
{
  if (session->watches->len == 0)
    return;
  g_autoptr (GArray) watches = g_array_copy (session->watches); /* an event may end a watch */
  gboolean over = !access_session_live (session);
  for (guint i = 0; i < watches->len; i++) {
    watch_tell (session, g_array_index (watches, guint, i));
    if (over)
      far_watch_event (g_array_index (watches, guint, i), NULL);
  }
}
