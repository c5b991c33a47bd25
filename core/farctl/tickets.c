/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What `farctl --server S login` remembers: ~/.config/farwatch/tickets.json (0600), "host:port" → {ticket,
 * name, until, ca}. */
#include "config.h"

#include "complete.h"

#include <glib/gstdio.h>
#include <string.h>

static char *
tickets_path (void)
{
  return g_build_filename (g_get_user_config_dir (), "farwatch", "tickets.json", NULL);
}

static json_t *
tickets_read (void)
{
  g_autofree char *path = tickets_path ();
  json_t *all = json_load_file (path, 0, NULL);

  if (json_is_object (all))
    return all;
  json_decref (all);
  return json_object ();
}

static gboolean
tickets_write (json_t *all, GError **error)
{
  g_autofree char *path = tickets_path (), *dir = g_path_get_dirname (path);
  char *text = json_dumps (all, JSON_INDENT (2) | JSON_SORT_KEYS);
  gboolean good;

  g_mkdir_with_parents (dir, 0700);
  good = g_file_set_contents_full (path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, error);
  free (text);
  return good;
}

void
ctl_ticket_load (Ctl *ctl)
{
  g_autofree char *hostport = ctl_server_hostport (ctl->server, NULL);
  json_t *all = tickets_read (), *entry = hostport != NULL ? json_object_get (all, hostport) : NULL;

  ctl->ticket = g_strdup (json_string_value (json_object_get (entry, "ticket")));
  if (ctl->ca == NULL)
    ctl->ca = g_strdup (json_string_value (json_object_get (entry, "ca")));
  if (ctl->ca == NULL)
    ctl->ca = g_strdup (g_getenv ("FARWATCH_CA"));
  json_decref (all);
}

/* A copy: the file that was named may be gone tomorrow. */
static char *
tickets_keep_ca (const char *ca, const char *hostport, GError **error)
{
  g_autofree char *name = g_strconcat ("ca-", hostport, ".crt", NULL);
  g_autofree char *path = g_build_filename (g_get_user_config_dir (), "farwatch",
                                            g_strdelimit (name, "[]:", '_'), NULL);
  g_autofree char *dir = g_path_get_dirname (path), *text = NULL;
  gsize size;

  if (g_strcmp0 (path, ca) == 0)
    return g_steal_pointer (&path);
  g_mkdir_with_parents (dir, 0700);
  if (!g_file_get_contents (ca, &text, &size, error) ||
      !g_file_set_contents_full (path, text, (gssize) size, G_FILE_SET_CONTENTS_CONSISTENT, 0600, error))
    return NULL;
  return g_steal_pointer (&path);
}

gboolean
ctl_ticket_save (Ctl *ctl, json_t *login, GError **error)
{
  g_autofree char *hostport = ctl_server_hostport (ctl->server, error);
  g_autofree char *ca = hostport != NULL ? tickets_keep_ca (ctl->ca, hostport, error) : NULL;
  json_t *all, *entry;
  gboolean good;

  if (ca == NULL)
    return FALSE;
  all = tickets_read ();
  entry = json_object ();
  json_object_set (entry, "ticket", json_object_get (login, "ticket"));
  json_object_set (entry, "name", json_object_get (login, "name"));
  json_object_set (entry, "until", json_object_get (login, "until"));
  json_object_set_new (entry, "ca", json_string (ca));
  json_object_set_new (all, hostport, entry);
  good = tickets_write (all, error);
  json_decref (all);
  return good;
}

void
ctl_ticket_forget (Ctl *ctl)
{
  g_autofree char *hostport = ctl->server != NULL ? ctl_server_hostport (ctl->server, NULL) : NULL;
  json_t *all = tickets_read (), *entry = hostport != NULL ? json_object_get (all, hostport) : NULL;

  if (entry != NULL && json_object_del (entry, "ticket") == 0)
    tickets_write (all, NULL);
  json_decref (all);
  g_clear_pointer (&ctl->ticket, g_free);
}

void
ctl_tickets_servers (GPtrArray *to, const char *prefix)
{
  json_t *all = tickets_read (), *entry;
  const char *hostport;

  json_object_foreach (all, hostport, entry)
    ctl_complete_add (to, prefix, hostport);
  json_decref (all);
}
