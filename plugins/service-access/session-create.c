/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A person asks for access (spec B4, S105). Every check has its true cause for the history and its words for
 * the person; whoever may not see the terminal hears the same words for all. */
#include "config.h"

#include "access.h"

#include <string.h>

typedef struct {
  Access *self;
  FarCall *call;
  AccessAsked who;
  char *object;
  FarEntry entry;
  gboolean raw, in_advance, needs_approval;
  const char *login_box, *request, *from, *user;
  const char *one_of; /* devices of the port that was named instead of one; NULL: at most one has it */
  const char *cause;  /* the true cause of a refusal */
  GError *polite;
  char *cause_text;
} Ask;

static void
ask_free (Ask *ask)
{
  g_free (ask->object);
  g_free (ask->cause_text);
}

/* FALSE, so that checks can say `return refuse (…)`. */
G_GNUC_PRINTF (4, 5)
static gboolean
access_create_refuse (Ask *ask, const char *cause, FarErrorCode code, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  ask->cause = cause;
  ask->polite = g_error_new_valist (FAR_ERROR, code, format, args);
  va_end (args);
  return FALSE;
}

static gboolean
refuse_unseen (Ask *ask, const char *cause)
{
  return access_create_refuse (ask, cause, FAR_ERROR_NOT_FOUND,
                               _ ("no terminal '%s', or no right to it: ask your admin for a right"),
                               ask->who.terminal);
}

static const char *
ask_name (Ask *ask)
{
  return ask->object + strlen ("terminals/");
}

static gboolean
check_right (Ask *ask, FarAction action)
{
  const char *cause = NULL;
  /* From where the interface saw them, not from where they say. */
  FarCircumstances how = { .length_us = ask->who.for_us };
  FarDecision may = far_authorize (ask->who.principal, action, ask->object, &how, &cause);
  if (may == FAR_DECISION_NEEDS_APPROVAL)
    ask->needs_approval = TRUE;
  if (may != FAR_DECISION_DENY)
    return TRUE;
  return access_create_refuse (ask, cause ? cause : "no right", FAR_ERROR_DENIED,
                               _ ("no access to '%s' (%s): %s"), ask_name (ask), far_action_name (action),
                               cause ? cause : "no right");
}

/* Sessions that stand go on while nobody can say who is registered; a new one might be to a node that is not
 * any more. */
static gboolean
check_registry (Ask *ask)
{
  if (far_registry_is_known (&ask->polite))
    return TRUE;
  ask->cause = N_ ("the registry of terminals does not run");
  return FALSE;
}

/* Known and visible, or one and the same refusal. */
static gboolean
check_known (Ask *ask)
{
  const FarRegistryNode *terminal = far_registry_node (ask->who.terminal);
  if (terminal && ask->one_of) /* both of which they may see, while no object has the port for a name */
    return access_create_refuse (ask, N_ ("more than one device of that port"), FAR_ERROR_CONFLICT,
                                 _ ("terminal '%s' has '%s' and others at port %s: name one of them"),
                                 terminal->id, ask->one_of, ask->who.device);
  if (!far_visible (ask->who.principal, ask->object))
    return refuse_unseen (ask, terminal ? "no right" : "unknown terminal");
  if (!terminal)
    return access_create_refuse (ask, N_ ("unknown terminal"), FAR_ERROR_NOT_FOUND,
                                 _ ("no terminal '%s', or no right to it: ask your admin for a right"),
                                 ask->who.terminal);
  if (ask->who.device && !g_hash_table_contains (terminal->devices, ask->who.device))
    return access_create_refuse (ask, N_ ("unknown device"), FAR_ERROR_NOT_FOUND,
                                 _ ("terminal '%s' has no device '%s': see farctl terminals %s"),
                                 terminal->id, ask->who.device, terminal->id);
  return TRUE;
}

static gboolean
check_length (Ask *ask)
{
  const AccessOpts *opts = access_opts (ask->self);
  g_autofree char *longest = far_format_duration (opts->max_duration);
  if (ask->who.for_us < G_USEC_PER_SEC)
    return access_create_refuse (ask, N_ ("too short"), FAR_ERROR_INVALID,
                                 _ ("for: the connection time is at least 1s"));
  if (ask->who.for_us > opts->max_duration)
    return access_create_refuse (ask, N_ ("too long"), FAR_ERROR_DENIED,
                                 _ ("for: the longest connection time here is %s"), longest);
  return TRUE;
}

/* A port is for somebody: it opens to no address that is not known. */
static gboolean
check_from (Ask *ask)
{
  g_autoptr (GError) error = NULL;
  if (!ask->from || !*ask->from || strcmp (ask->from, "unix") == 0)
    return access_create_refuse (
        ask, N_ ("from an unknown address"), FAR_ERROR_DENIED,
        _ ("entry: a port is for one address, and yours is not known here: use the entry "
           "'stream', or let the proxy tell your address"));
  far_address_in ("127.0.0.1", ask->from, &error);
  return !error || access_create_refuse (ask, N_ ("no such address"), FAR_ERROR_INVALID, _ ("address: %s"),
                                         error->message);
}

/* How the person comes in and how they log in, together: no leg in the clear unless the right `connect-raw`
 * allows it (spec B7). */
static gboolean
check_entry (Ask *ask)
{
  const char *address = ask->who.principal->from;
  if (ask->raw && ask->entry != FAR_ENTRY_PORTS)
    return access_create_refuse (ask, N_ ("raw without ports"), FAR_ERROR_INVALID,
                                 _ ("raw: only the entry 'ports' can be in clear text"));
  if (ask->raw && !ask->in_advance)
    return access_create_refuse (ask, N_ ("raw without login"), FAR_ERROR_INVALID,
                                 _ ("raw: needs a login in advance, the terminal cannot ask in clear text"));
  if (ask->raw && (!address || !*address || strcmp (address, "unix") == 0))
    return access_create_refuse (ask, N_ ("raw from an unknown address"), FAR_ERROR_DENIED,
                                 _ ("raw: your address is not known here, come in by the people's listener"));
  if (ask->raw && !check_right (ask, FAR_ACTION_CONNECT_RAW))
    return FALSE;
  if (ask->in_advance && ask->entry == FAR_ENTRY_PORTS && !ask->raw)
    return access_create_refuse (
        ask, N_ ("in advance through ports without raw"), FAR_ERROR_INVALID,
        _ ("login: in advance needs the entry 'stream' (or raw); through ports the terminal asks by itself"));
  const FarRegistryNode *terminal = far_registry_node (ask->who.terminal);
  if (access_is_stock (terminal) && ask->in_advance)
    return access_create_refuse (
        ask, N_ ("in advance to a stock end"), FAR_ERROR_INVALID,
        _ ("login: terminal '%s' has no agent: its SSH server asks by itself (in band)"), terminal->id);
  return ask->entry != FAR_ENTRY_PORTS || check_from (ask);
}

static gboolean
check_reachable (Ask *ask)
{
  const FarRegistryNode *terminal = far_registry_node (ask->who.terminal);
  if (terminal->connected || access_is_stock (terminal))
    return TRUE;
  if (!terminal->seen_us && !json_object_get (terminal->row, "statement"))
    return access_create_refuse (
        ask, N_ ("terminal offline"), FAR_ERROR_UNAVAILABLE,
        _ ("terminal '%s' has not joined the fleet yet: run `farctl enroll --profile FILE "
           "--server HOST:PORT` there, with its join token"),
        terminal->id);
  g_autofree char *seen = terminal->seen_us ? far_clock_format (terminal->seen_us)
                                            : g_strdup (_ ("not since this server was started"));
  return access_create_refuse (ask, N_ ("terminal offline"), FAR_ERROR_UNAVAILABLE,
                               _ ("terminal '%s' is offline, last seen %s: try again when it is back"),
                               terminal->id, seen);
}

static gboolean
same_line (const FarRegistryNode *terminal, const char *a, const char *b)
{
  const char *line_a = access_text (g_hash_table_lookup (terminal->devices, a), "line");
  const char *line_b = access_text (g_hash_table_lookup (terminal->devices, b), "line");
  return strcmp (a, b) == 0 || (line_a && g_strcmp0 (line_a, line_b) == 0);
}

/* One writer a device; the same person may come again and takes over. The terminal has the last word, this is
 * the early one. */
static gboolean
check_writer (Ask *ask)
{
  const FarRegistryNode *terminal = far_registry_node (ask->who.terminal);
  g_autofree char *person = far_principal_text (ask->who.principal);
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init (&iter, ask->self->sessions);
  while (ask->who.device && g_hash_table_iter_next (&iter, NULL, &value)) {
    AccessSession *other = value;
    if (!access_session_live (other) || strcmp (other->terminal, terminal->id) != 0 || !other->device ||
        strcmp (other->person, person) == 0 || !same_line (terminal, other->device, ask->who.device))
      continue;
    ask->cause_text = g_strdup_printf (N_ ("in use by %s"), other->person);
    g_autofree char *left = far_format_duration (
        MAX (0, other->asked_us + other->for_us - far_clock_wall_us ()) / G_USEC_PER_SEC * G_USEC_PER_SEC);
    if (!far_session_visible (&other->base, ask->who.principal)) /* of another device on the same line */
      return access_create_refuse (ask, ask->cause_text, FAR_ERROR_CONFLICT,
                                   _ ("the line of device '%s' is in use for up to %s more: wait"),
                                   ask->who.device, left);
    return access_create_refuse (
        ask, ask->cause_text, FAR_ERROR_CONFLICT,
        _ ("device '%s' is in use by %s for up to %s more: wait, or ask them to close session %s"),
        other->device, other->person, left, other->id);
  }
  return TRUE;
}

static gboolean
access_create_check_limits (Ask *ask)
{
  const AccessOpts *opts = access_opts (ask->self);
  g_autofree char *person = far_principal_text (ask->who.principal);
  guint all = far_book_count (ask->self->book, NULL), own = far_book_count (ask->self->book, person);
  if (own >= opts->sessions_each)
    return access_create_refuse (
        ask, N_ ("too many sessions of one person"), FAR_ERROR_LIMIT,
        _ ("you have %u sessions open, more are not given to one person (access: option "
           "'sessions-each'): close one first"),
        own);
  if (all >= opts->sessions)
    return access_create_refuse (
        ask, N_ ("too many sessions"), FAR_ERROR_LIMIT,
        _ ("%u sessions are open here, no more are taken (access: option 'sessions'): try later"), all);
  return TRUE;
}

static gboolean
ask_check (Ask *ask)
{
  return check_registry (ask) && check_known (ask) && check_right (ask, FAR_ACTION_CONNECT) &&
         check_length (ask) && check_entry (ask) && check_reachable (ask) && check_writer (ask) &&
         access_create_check_limits (ask);
}

/* ---- accepted ---- */

/* It is in the book from now on: counted, and in the way of others. */
static AccessSession *
ask_session (Ask *ask)
{
  AccessSession *session = (AccessSession *) far_session_new (ask->self->book, NULL);
  session->self = ask->self;
  session->object = g_strdup (ask->object);
  session->request = g_strdup (ask->request);
  session->terminal = g_strdup (ask->who.terminal);
  session->device = g_strdup (ask->who.device);
  session->principal = far_principal_ref (ask->who.principal);
  session->person = far_principal_text (ask->who.principal);
  session->user = g_strdup (ask->user);
  session->from = g_strdup (ask->from);
  session->reason = g_strdup (ask->who.reason);
  session->entry = ask->entry;
  session->raw = ask->raw;
  session->in_advance = ask->in_advance;
  session->login_box = g_strdup (ask->login_box);
  session->for_us = ask->who.for_us;
  return session;
}

typedef struct {
  FarCall *call;
  AccessSession *session;
  gboolean needs_approval;
} Accepted;

static void
accepted_free (gpointer data)
{
  Accepted *accepted = data;
  access_session_unref (accepted->session);
  g_free (accepted);
}

/* As a person reads it. */
static GError *
cannot_record (const GError *error)
{
  if (g_error_matches (error, FAR_ERROR, FAR_ERROR_CONFLICT))
    return g_error_copy (error);
  return g_error_new (FAR_ERROR, FAR_ERROR_FULL,
                      _ ("cannot record: %s; nothing was changed, try again when the store takes rows"),
                      error->message);
}

/* The row is durable: only now may anything open. */
static void
session_recorded (FarSession *base, const GError *error, gpointer user)
{
  Accepted *accepted = user;
  AccessSession *session = accepted->session;
  Access *self = session->self;
  if (error) {
    far_log_limited (self->at, "record", "access not given, the session cannot be recorded: %s",
                     error->message);
    far_call_fail (accepted->call, cannot_record (error));
  } else {
    far_log (self->at, G_LOG_LEVEL_MESSAGE, "access requested: %s, %s to %s%s%s, %s", session->id,
             session->person, session->terminal, session->device ? "/" : "",
             session->device ? session->device : "", session->reason);
    access_session_event (session,
                          accepted->needs_approval ? FAR_SESSION_EV_APPROVAL_NEEDED : FAR_SESSION_EV_PERMIT,
                          NULL, NULL);
    far_call_answer (accepted->call, 201, access_session_show (base));
  }
  accepted_free (accepted);
}

/* Where nobody else has to agree, the token of the first offer is written with the session's row. FALSE: it
 * is asked for later. */
static gboolean
ask_token (Ask *ask, AccessSession *session, FarTokenRow *row)
{
  const AccessOpts *opts = access_opts (ask->self);
  if (ask->needs_approval || !access_offer_token (session, opts->store, row))
    return FALSE;
  session->token = g_steal_pointer (&row->token);
  return TRUE;
}

static void
ask_accept (Ask *ask)
{
  g_auto (FarTokenRow) row = { 0 };
  AccessSession *session = ask_session (ask);
  gboolean with_token = ask_token (ask, session, &row);
  FarPart part = { .kind = FAR_PART_ROW,
                   .table = row.table,
                   .key = row.key,
                   .row = row.row,
                   .expect = FAR_EXPECT_ABSENT };
  Accepted *accepted = g_new0 (Accepted, 1);
  *accepted = (Accepted){ ask->call, access_session_ref (session), ask->needs_approval };
  far_session_begin (&session->base, &part, with_token, session_recorded, accepted, accepted_free);
}

static gboolean
ask_read_entry (Ask *ask, const char *entry)
{
  if (!entry || strcmp (entry, "stream") == 0)
    ask->entry = FAR_ENTRY_STREAM;
  else if (strcmp (entry, "ports") == 0)
    ask->entry = FAR_ENTRY_PORTS;
  else
    return access_create_refuse (ask, N_ ("no such entry"), FAR_ERROR_INVALID,
                                 _ ("entry: 'ports' or 'stream', not '%s'"), entry);
  return TRUE;
}

static gboolean
ask_read_login (Ask *ask, const char *login)
{
  ask->in_advance = login ? strcmp (login, "in-advance") == 0 : ask->login_box != NULL;
  if (login && strcmp (login, "in-advance") != 0 && strcmp (login, "in-band") != 0)
    return access_create_refuse (ask, N_ ("no such login"), FAR_ERROR_INVALID,
                                 _ ("login: 'in-band' or 'in-advance', not '%s'"), login);
  if (ask->in_advance && (!ask->login_box || !ask->request))
    return access_create_refuse (ask, N_ ("no login box"), FAR_ERROR_INVALID,
                                 _ ("login: in advance needs login_box and id"));
  if (!ask->in_advance && ask->login_box)
    return access_create_refuse (ask, N_ ("a box for in band"), FAR_ERROR_INVALID,
                                 _ ("login_box: goes with login 'in-advance' only"));
  return TRUE;
}

/* A person on this machine may say where they will come from, and comes from this machine if they do not;
 * from elsewhere, what the interface saw counts. */
static const char *
ask_from (FarCall *call, FarEntry entry)
{
  const char *said = access_text (call->body, "address");
  if (call->principal->kind != FAR_PRINCIPAL_LOCAL)
    return call->principal->from;
  return said || entry != FAR_ENTRY_PORTS ? said : "127.0.0.1";
}

static gboolean
ask_read (Ask *ask, json_t *body)
{
  json_t *for_us = json_object_get (body, "for_us");
  ask->who.for_us = json_is_integer (for_us) ? json_integer_value (for_us)
                                             : access_opts (ask->self)->default_duration;
  ask->login_box = access_text (body, "login_box");
  ask->request = access_text (body, "id");
  ask->user = access_text (body, "user") ? access_text (body, "user") : ask->who.principal->name;
  ask->raw = json_is_true (json_object_get (body, "raw"));
  if (!far_object_name_ok (ask->who.terminal) || (ask->who.device && !far_object_name_ok (ask->who.device)))
    return access_create_refuse (ask, N_ ("no such name"), FAR_ERROR_INVALID,
                                 _ ("terminal and device: names have 1 to 64 of A-Z a-z 0-9 . _ -"));
  gboolean good = ask_read_entry (ask, access_text (body, "entry")) &&
                  ask_read_login (ask, access_text (body, "login"));
  ask->from = ask_from (ask->call, ask->entry);
  return good;
}

void
access_session_post (gpointer data, FarCall *call)
{
  const char *reason = access_text (call->body, "reason");
  Ask ask = { .self = data, .call = call };
  ask.who = (AccessAsked){ call->principal, access_text (call->body, "terminal"),
                           access_text (call->body, "device"), reason ? reason : "", 0 };
  ask.who.device = far_registry_device_named (far_registry_node (ask.who.terminal), call->principal,
                                              ask.who.device, &ask.one_of);
  ask.object = access_object (ask.who.terminal, ask.who.device);
  if (ask_read (&ask, call->body) && ask_check (&ask))
    ask_accept (&ask);
  else
    access_refuse (data, call, &ask.who, ask.cause, ask.polite);
  ask_free (&ask);
}

/* ---- the second person ---- */

/* Whichever interface they come through: person:alice, local:alice and alice of whom a node speaks are taken
 * for one. */
static gboolean
is_whose_it_is (const FarPrincipal *principal, const AccessSession *session)
{
  const char *name = strchr (session->person, ':');
  gsize length = name ? strcspn (++name, " ") : 0;
  return strlen (principal->name) == length && strncmp (principal->name, name ? name : "", length) == 0;
}

void
access_session_approve (gpointer data, FarCall *call)
{
  GError *error = NULL;
  AccessSession *session = access_called_session (data, call);
  if (!session)
    return;
  g_autofree char *person = far_principal_text (call->principal), *object = g_strdup (session->object);
  json_t *wish = json_object_get (call->body, "approve");
  gboolean yes = !wish || json_is_true (wish);
  if (is_whose_it_is (call->principal, session)) {
    far_call_fail_new (call, FAR_ERROR_DENIED,
                       _ ("session '%s' is your own: a second person has to approve it"), session->id);
  } else if (far_authorize (call->principal, FAR_ACTION_APPROVE, object, NULL, NULL) != FAR_DECISION_ALLOW) {
    far_call_fail_new (call, FAR_ERROR_DENIED, _ ("no right to approve access to '%s'"),
                       object + strlen ("terminals/"));
  } else if (session->state != FAR_SESSION_AWAITING) {
    far_call_fail_new (call, FAR_ERROR_CONFLICT, _ ("session is %s: nothing waits for an approval"),
                       far_session_state_name (session->state));
  } else if (yes && !far_registry_is_known (&error)) {
    far_call_fail (call, error);
  } else {
    g_autofree char *cause = g_strdup_printf (N_ ("refused by %s"), person);
    far_log (((Access *) data)->at, G_LOG_LEVEL_MESSAGE, "session %s %s by %s", session->id,
             yes ? "approved" : "refused", person);
    if (access_session_event (session, yes ? FAR_SESSION_EV_PERMIT : FAR_SESSION_EV_DENY, cause, &error))
      far_call_answer (call, 200, access_session_show (&session->base));
    else
      far_call_fail (call, error);
  }
}
