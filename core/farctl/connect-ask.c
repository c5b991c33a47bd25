/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the wish to the open session, and back. */
#include "config.h"

#include "connect.h"
#include "translate.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <farwatch/instance.h>
#include <farwatch/option.h>
#include <farwatch/trust.h>

#define END_MS 5000

/* ---- the wish ---- */

static char *
ask_password (Connect *connect, GError **error)
{
  g_autofree char *prompt = g_strdup_printf (_ ("password of %s at %s"), connect->user, connect->terminal);

  return ctl_secret (connect->from_stdin, prompt, FALSE, error);
}

/* Sealed to the terminal: neither the cloud nor who listens can read it, and it is good for this one request.
 */
static gboolean
ask_box (Connect *connect, json_t *wish, GError **error)
{
  g_autofree char *nonce = NULL, *request = far_random_text (16), *box = NULL;
  json_t *statement = NULL, *plain;
  char *password;

  if (!connect_keys (connect, TRUE, &statement, &nonce, error))
    return FALSE;
  if (nonce == NULL) {
    json_decref (statement);
    if (connect->off != NULL)
      g_set_error (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE,
                   _ ("terminal %s is offline, last seen %s: try again when it is back"), connect->terminal,
                   connect->off);
    else
      g_set_error (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE,
                   _ ("terminal %s has not polled yet: try again in a moment"), connect->terminal);
    return FALSE;
  }
  password = ask_password (connect, error);
  if (password != NULL) {
    plain = json_pack ("{s:s, s:s, s:s, s:s, s:s?, s:I, s:s}", "nonce", nonce, "request", request, "person",
                       connect->user, "password", password, "device", connect->device, "longest_us",
                       (json_int_t) connect->for_us, "entry", connect->entry);
    box = far_seal (json_string_value (json_object_get (statement, "box")), plain, error);
    json_decref (plain);
    far_secret_free (password);
  }
  json_decref (statement);
  if (box == NULL)
    return FALSE;
  json_object_set_new (wish, "id", json_string (request));
  json_object_set_new (wish, "login_box", json_string (box));
  return TRUE;
}

/* A device named by its port: a login in advance is sealed for its name. The cloud has the last word; what is
 * not clear here it will tell. */
static void
ask_device_name (Connect *connect)
{
  g_autofree char *resource = g_strdup_printf ("terminals/%s", connect->terminal);
  guint64 wanted;
  json_t *answer, *device, *found = NULL;
  size_t i, n = 0;

  if (connect->device == NULL ||
      !g_ascii_string_to_unsigned (connect->device, 10, 1, G_MAXUINT16, &wanted, NULL))
    return;
  answer = ctl_call (connect->ctl, "GET", resource, NULL, NULL);
  json_array_foreach (json_object_get (answer, "devices"), i, device) {
    const char *name = json_string_value (json_object_get (device, "device")),
               *address = json_string_value (json_object_get (device, "address"));
    g_autofree char *host = NULL;
    guint16 port = 0;

    if (g_strcmp0 (name, connect->device) == 0)
      n = 2; /* a name counts before a port */
    else if (address != NULL && far_parse_address (address, &host, &port, NULL) && port == wanted && n++ == 0)
      found = json_object_get (device, "device");
  }
  if (n == 1 && json_string_value (found) != NULL) {
    g_free (connect->device);
    connect->device = g_strdup (json_string_value (found));
  }
  json_decref (answer);
}

static json_t *
ask_wish (Connect *connect, GError **error)
{
  json_t *wish = json_pack ("{s:s, s:s*, s:I, s:s*, s:s, s:s, s:s, s:s*}", "terminal", connect->terminal,
                            "device", connect->device, "for_us", (json_int_t) connect->for_us, "reason",
                            connect->reason, "entry", connect->entry, "login", connect->login, "user",
                            connect->user, "address", connect->address);
  gboolean good;

  if (connect->raw)
    json_object_set_new (wish, "raw", json_true ());
  good = strcmp (connect->login, "in-advance") == 0 ? ask_box (connect, wish, error)
                                                    : connect_keys (connect, FALSE, NULL, NULL, error);
  if (good)
    return wish;
  json_decref (wish);
  return NULL;
}

/* ---- its course ---- */

static const char *
ask_text (const Connect *connect, const char *name)
{
  return json_string_value (json_object_get (connect->row, name));
}

static json_int_t
ask_turned_away (const Connect *connect)
{
  return json_integer_value (json_object_get (connect->row, "turned_away"));
}

/* Somebody was turned away at the session's ports, or a connection came to nothing at the terminal. */
static void
say_trouble (Connect *connect, json_int_t before)
{
  const char *trouble = ctl_translated (ask_text (connect, "trouble"));

  if (ask_turned_away (connect) <= before || trouble == NULL)
    return;
  connect->trouble = TRUE;
  ctl_say (_ ("session %s: a connection failed: %s"), connect->session, trouble);
}

gboolean
connect_event (Connect *connect, GError **error)
{
  g_autofree char *before = g_strdup (ask_text (connect, "state"));
  json_int_t turned_away = ask_turned_away (connect);
  json_t *event = ctl_watch_next (&connect->watch, error);
  const char *state, *cause;

  if (event == NULL) {
    connect->over = TRUE;
    return FALSE;
  }
  json_decref (connect->row);
  connect->row = event;
  state = ask_text (connect, "state");
  cause = ctl_translated (ask_text (connect, "cause"));
  connect->over = g_strcmp0 (state, "closed") == 0;
  if (g_strcmp0 (state, before) != 0)
    ctl_say (_ ("session %s: %s%s%s"), connect->session, state != NULL ? state : "-",
             cause != NULL ? ": " : "", cause != NULL ? cause : "");
  say_trouble (connect, turned_away);
  return TRUE;
}

void
connect_last_words (Connect *connect, int ms)
{
  struct pollfd ready = { .fd = connect->watch.fd, .events = POLLIN };

  while (!connect->over && connect->watch.fd >= 0 && poll (&ready, 1, connect->trouble ? 0 : ms) > 0)
    if (!connect_event (connect, NULL))
      break;
}

/* FALSE: interrupted. */
static gboolean
ask_wait (Connect *connect, GError **error)
{
  struct pollfd ready[2] = {
    { .fd = connect->watch.fd, .events = POLLIN },
    { .fd = connect->signals, .events = POLLIN },
  };

  while (poll (ready, 2, -1) < 0 && errno == EINTR)
    ;
  if (ready[1].revents == 0)
    return TRUE;
  g_set_error_literal (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE, _ ("interrupted"));
  return FALSE;
}

static gboolean
ask_until_open (Connect *connect, GError **error)
{
  while (g_strcmp0 (ask_text (connect, "state"), "open") != 0) {
    if (!connect->over && !ask_wait (connect, error))
      return FALSE;
    if (connect->over || !connect_event (connect, error)) {
      const char *cause = ctl_translated (ask_text (connect, "cause"));

      if (error != NULL && *error == NULL)
        g_set_error (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE,
                     _ ("no access: the session has ended before it was open: %s"),
                     cause != NULL ? cause : "-");
      return FALSE;
    }
  }
  return TRUE;
}

/* What the other side names becomes part of command lines: neither an option nor more than one word. */
gboolean
connect_is_word (const char *text)
{
  return text != NULL && (g_ascii_isalnum (text[0]) || text[0] == ':') && strlen (text) <= 253 &&
         text[strspn (text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-")] == '\0';
}

gboolean
connect_ask (Connect *connect, GError **error)
{
  g_autofree char *resource = NULL;
  ask_device_name (connect);
  json_t *wish = ask_wish (connect, error);
  json_t *row = wish != NULL ? ctl_call (connect->ctl, "POST", "sessions", wish, error) : NULL;

  if (row == NULL)
    return FALSE;
  if (connect_is_word (json_string_value (json_object_get (row, "session"))))
    connect->session = g_strdup (json_string_value (json_object_get (row, "session")));
  json_decref (row);
  if (connect->session == NULL) {
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_PROTOCOL, _ ("the daemon named no usable session"));
    return FALSE;
  }
  if (connect->unknown)
    return connect_unvouched (connect,
                              _ ("the cloud says that there is no such terminal, and gives a session to it"),
                              error);
  connect->watch = *connect->ctl;
  connect->watch.fd = -1;
  /* Forgotten by the one, if it ends, and not freed twice. */
  connect->watch.ticket = g_strdup (connect->ctl->ticket);
  resource = g_strconcat ("sessions/", connect->session, NULL);
  return ctl_watch (&connect->watch, resource, error) && ask_until_open (connect, error);
}

/* ---- its end ---- */

void
connect_end (Connect *connect)
{
  g_autofree char *resource = connect->session != NULL ? g_strconcat ("sessions/", connect->session, NULL)
                                                       : NULL;
  g_autoptr (GError) error = NULL;
  struct pollfd ready = { .fd = connect->watch.fd, .events = POLLIN };
  json_t *answer;

  if (resource == NULL || connect->over)
    return;
  answer = ctl_call (connect->ctl, "DELETE", resource, NULL, &error);
  if (answer == NULL && !g_error_matches (error, FAR_ERROR, FAR_ERROR_NOT_FOUND))
    ctl_say (_ ("session %s could not be closed: %s; it ends at its deadline, or by `farctl close %s`"),
             connect->session, ctl_translated (error->message), connect->session);
  json_decref (answer);
  while (answer != NULL && !connect->over && connect->watch.fd >= 0 && poll (&ready, 1, END_MS) > 0)
    if (!connect_event (connect, NULL))
      break;
}
