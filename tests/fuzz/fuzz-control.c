/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One connection of the control socket, with these bytes on it, in two pieces. Whoever it was, the next
 * connection is served. parses: core/node/control-link.c core/life/route.c core/message/schema.c */
#include "config.h"

#include "fuzz.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node/control.h"
#include "node/api.h"
#include "message/router.h"

static void
fuzz_answer (gpointer self, FarCall *call)
{
  far_call_answer (call, 200, json_pack ("{s:O, s:s}", "query", call->query, "object", call->object));
}

/* As `GET methods` of the API answers. */
static void
fuzz_methods (gpointer self, FarCall *call)
{
  far_call_answer (call, 200, json_pack ("{s:o}", "methods", far_route_list ()));
}

static void
fuzz_watch (gpointer self, FarCall *call)
{
  guint watch = far_call_subscribe (call, NULL, NULL);

  far_subscription_event (watch, json_object ());
  far_subscription_event (watch, NULL);
}

/* "own" is the asker's own, "none" is not there, and each other one stands for an object of another name. */
static void
fuzz_resolve (gpointer self, const FarPrincipal *principal, char **parts, FarResolved *found)
{
  found->own = strcmp (parts[0], "own") == 0;
  found->object = strcmp (parts[0], "none") != 0 ? g_strconcat ("objects/", parts[0], NULL) : NULL;
  found->unknown = g_strdup_printf ("there is no part '%s'", parts[0]);
}

static const char *const fuzz_content[] = { "application/octet-stream", "application/json", NULL };

static const FarField fuzz_fields[] = {
  { "name", FAR_FIELD_NAME, TRUE, "", 0 },
  { "text", FAR_FIELD_STRING, FALSE, "", 16 },
  { "number", FAR_FIELD_INT, FALSE, "", 9 },
  { "on", FAR_FIELD_BOOL, FALSE, "", 0 },
  { "for", FAR_FIELD_DURATION, FALSE, "", 0 },
  { "list", FAR_FIELD_LIST, FALSE, "", 4 },
  { "object", FAR_FIELD_OBJECT, FALSE, "", 0 },
  { "any", FAR_FIELD_ANY, FALSE, "", 0 },
  { NULL, FAR_FIELD_END },
};

static const FarHandler fuzz_handlers[] = {
  { "GET", "things/{t}", FAR_ACTION_SEE, NULL, NULL, NULL, fuzz_answer, "" },
  { "PUT", "things/{t}", FAR_ACTION_MANAGE, "things/{t}/{body.name}", fuzz_fields, NULL, fuzz_answer, "" },
  { "WATCH", "things/{t}", FAR_ACTION_SEE, NULL, NULL, NULL, fuzz_watch, "" },
  { "POST", "things/{t}", FAR_ACTION_MANAGE, NULL, fuzz_fields, fuzz_content, fuzz_answer, "" },
  { "GET", "parts/{p}", FAR_ACTION_SEE, NULL, NULL, NULL, fuzz_answer, "", fuzz_resolve },
  { "GET", "methods", FAR_ACTION_NONE, NULL, NULL, NULL, fuzz_methods, "" },
  { "DELETE", "parts/{p}", FAR_ACTION_MANAGE, NULL, NULL, NULL, fuzz_answer, "", fuzz_resolve },
  { NULL },
};

static void
fuzz_gone (FarControlLink *link, gpointer user)
{
  *(gboolean *) user = TRUE;
}

static void
fuzz_run (void)
{
  for (guint i = 0; i < 4; i++)
    while (g_main_context_iteration (NULL, FALSE))
      continue;
}

/* What came back: the status of the first answer, 0: none. */
static guint
fuzz_first (int fd)
{
  guint8 buffer[65536];
  gssize n = recv (fd, buffer, sizeof buffer, MSG_DONTWAIT);
  gssize whole = n > 0 ? far_message_frame_size (buffer, (gsize) n, NULL) : 0;
  g_autoptr (FarMessage) answer = whole > 0 && whole <= n ? far_message_decode (buffer, (gsize) whole, NULL)
                                                          : NULL;

  g_assert_true (n <= 0 || answer != NULL); /* what we say is always well formed */
  return answer != NULL ? answer->status : 0;
}

static void
fuzz_piece (int fd, const guint8 *data, gsize size)
{
  if (size > 0 && send (fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
    return; /* cut already */
  fuzz_run ();
}

gboolean
fuzz_one (const guint8 *data, gsize size)
{
  FarPrincipal *principal = far_principal_new (FAR_PRINCIPAL_LOCAL, "root", NULL, "");
  gboolean gone = FALSE;
  FarControlLink *link;
  guint status;
  int pair[2];

  principal->super = TRUE;
  g_assert_true (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
  far_handlers_add (fuzz_handlers, NULL, NULL);
  link = far_control_link_new (pair[0], principal, NULL, fuzz_gone, &gone);
  fuzz_piece (pair[1], data, size / 2);
  fuzz_piece (pair[1], data + size / 2, size - size / 2);
  status = fuzz_first (pair[1]);
  close (pair[1]);
  fuzz_run ();
  g_assert_true (gone); /* who has gone is let go */
  far_control_link_free (link);
  far_handlers_remove (fuzz_handlers, NULL);
  fuzz_run ();
  g_assert_cmpuint (far_call_count () + far_subscription_count (), ==, 0);
  far_dedup_clear ();
  return status >= 200 && status < 300;
}
