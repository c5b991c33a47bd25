/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For a terminal whose end is a stock `ssh -R` (stock: host-login): its key, its offer, and the one-time
 * password in it. The password goes to a pipe, for SSH_ASKPASS, and nowhere else. */
#include "config.h"

#include "ctl.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <farwatch/clock.h>
#include <farwatch/instance.h>
#include <farwatch/option.h>
#include <farwatch/trust.h>

#define OFFER_SIZE_MAX (64 * 1024)

int
ctl_credential_keys (Ctl *ctl, int argc, char **argv)
{
  g_autofree char *box = NULL;
  CtlOwner owner;
  GError *error = NULL;

  if (!ctl_words (ctl, &argc, &argv, 1, 1))
    return ctl->status;
  if (ctl_enter (argv[1], 0700, &owner, &error) && far_trust_keys_create (argv[1], &error))
    box = far_trust_box_public (argv[1], &error);
  ctl_become_self ();
  if (box == NULL)
    return ctl_fail (ctl, error);
  return ctl_done (ctl, json_pack ("{s:s, s:s}", "box", box, "keys", argv[1]), "%s", box);
}

/* ---- offer and credential ---- */

typedef struct {
  char *keys, *file, *to, *host, *address;
  json_t *offer, *inside;
} Credential;

/* The token does not stay in memory longer than it must. */
static void
credential_clear (Credential *credential)
{
  const char *token = json_string_value (json_object_get (credential->inside, "token"));

  if (token != NULL)
    explicit_bzero ((char *) token, strlen (token));
  json_decref (credential->inside);
  json_decref (credential->offer);
  g_free (credential->keys);
  g_free (credential->file);
  g_free (credential->to);
  g_free (credential->host);
  g_free (credential->address);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Credential, credential_clear)

static json_t *
offer_read (const char *path, GError **error)
{
  gboolean piped = strcmp (path, "-") == 0;
  FILE *in = piped ? stdin : g_fopen (path, "re");
  g_autofree char *text = g_malloc0 (OFFER_SIZE_MAX);
  json_t *offer = in != NULL && fread (text, 1, OFFER_SIZE_MAX - 1, in) > 0 ? json_loads (text, 0, NULL)
                                                                            : NULL;

  if (in != NULL && !piped)
    fclose (in);
  if (json_is_object (offer))
    return offer;
  json_decref (offer);
  g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID,
               _ ("no offer in %s: `farctl call POST sessions/SESSION/offer` takes one"), path);
  return NULL;
}

static gboolean
credential_same (const Credential *credential, const char *field)
{
  json_t *inside = json_object_get (credential->inside, field);

  return inside != NULL && json_equal (inside, json_object_get (credential->offer, field));
}

/* As an agent does: each field must be the offer's, so that an offer put together from two is noticed. */
static gboolean
credential_check (const Credential *credential, const char *session, GError **error)
{
  static const char *const fields[] = { "session", "generation", "address", "x", "host_key" };
  const char *why = NULL, *inside = json_string_value (json_object_get (credential->inside, "session"));

  for (guint i = 0; why == NULL && i < G_N_ELEMENTS (fields); i++)
    if (!credential_same (credential, fields[i]))
      why = fields[i];
  if (why == NULL && g_strcmp0 (inside, session) != 0)
    why = "session";
  if (why != NULL)
    g_set_error (error, FAR_ERROR, FAR_ERROR_DENIED, _ ("the credential is not for this offer: another %s"),
                 why);
  else if (json_integer_value (json_object_get (credential->inside, "expires_us")) <= far_clock_wall_us ())
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_DENIED,
                         _ ("the credential has expired: ask for the access again"));
  else
    return TRUE;
  return FALSE;
}

static gboolean
credential_open (Ctl *ctl, Credential *credential, const char *session, GError **error)
{
  g_autofree char *resource = ctl_path (error, "sessions", session, "offer", NULL);

  credential->offer = credential->file != NULL ? offer_read (credential->file, error)
                                               : ctl_call (ctl, "POST", resource, NULL, error);
  if (credential->offer == NULL)
    return FALSE;
  const char *sealed = json_string_value (json_object_get (credential->offer, "sealed"));
  credential->inside = far_seal_open (credential->keys, sealed != NULL ? sealed : "", error);
  return credential->inside != NULL && credential_check (credential, session, error);
}

static gboolean
credential_args (Ctl *ctl, Credential *credential, gboolean with_to, int *argc, char ***argv)
{
  GOptionEntry entries[] = {
    { "keys", 0, 0, G_OPTION_ARG_FILENAME, &credential->keys,
      N_ ("the terminal's keys, made by credential keys"), N_ ("DIR") },
    { "offer", 0, 0, G_OPTION_ARG_FILENAME, &credential->file,
      N_ ("the offer in a file, - for stdin, instead of asking the cloud"), N_ ("FILE") },
    { "to", 0, 0, G_OPTION_ARG_STRING, &credential->to,
      N_ ("the SSH server that people shall reach (localhost:22)"), N_ ("HOST:PORT") },
    { "host", 0, 0, G_OPTION_ARG_STRING, &credential->host,
      N_ ("where the tunnel end is found from here, if its offer does not say (the host of --server)"),
      N_ ("HOST") },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };

  if (!with_to)
    entries[2] = entries[4];
  if (!ctl_args (ctl, entries, argc, argv, 1, 1))
    return FALSE;
  if (credential->keys != NULL)
    return TRUE;
  ctl->status = ctl_usage (ctl, "%s", _ ("say --keys DIR: the folder with the terminal's box.key"));
  return FALSE;
}

int
ctl_credential_open (Ctl *ctl, int argc, char **argv)
{
  g_auto (Credential) credential = { 0 };
  GError *error = NULL;
  const char *token;

  if (!credential_args (ctl, &credential, FALSE, &argc, &argv))
    return ctl->status;
  if (isatty (STDOUT_FILENO))
    return ctl_usage (ctl, "%s",
                      _ ("the password goes to a pipe only: let SSH_ASKPASS be a program that runs this"));
  if (!credential_open (ctl, &credential, argv[1], &error))
    return ctl_fail (ctl, error);
  token = json_string_value (json_object_get (credential.inside, "token"));
  if (token == NULL)
    return ctl_fail_new (ctl, FAR_ERROR_PROTOCOL, "%s", _ ("there is no password in this credential"));
  setvbuf (stdout, NULL, _IONBF, 0); /* no copy of it stays behind */
  printf (ctl->json ? "{\"token\": \"%s\"}\n" : "%s\n", token);
  return CTL_OK;
}

/* ---- where to dial ---- */

static char *
show_known_hosts (const char *terminal, const char *host_key, GError **error)
{
  g_autofree char *dir = g_build_filename (g_get_user_config_dir (), "farwatch", "known_hosts", NULL),
                  *name = g_strconcat ("tunnel-of-", terminal, NULL);
  g_autofree char *path = g_build_filename (dir, name, NULL),
                  *line = g_strdup_printf ("%s %s\n", name, host_key);

  g_mkdir_with_parents (dir, 0700);
  return g_file_set_contents_full (path, line, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, error)
             ? g_steal_pointer (&path)
             : NULL;
}

static char *
show_host (Ctl *ctl, const Credential *credential, GError **error)
{
  g_autofree char *server = ctl->server != NULL ? ctl_server_hostport (ctl->server, NULL) : NULL;
  char *host = NULL;
  guint16 port;

  if (credential->host != NULL)
    return g_strdup (credential->host);
  if (server != NULL && far_parse_address (server, &host, &port, NULL))
    return host;
  g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID,
                       _ ("the tunnel end has not said where it is found: say --host HOST, the one by which "
                          "this machine reaches the cloud"));
  return NULL;
}

/* A tunnel end that listens on all addresses tells none: it is where the offer was asked for. */
static gboolean
show_address (Ctl *ctl, Credential *credential, GError **error)
{
  const char *told = json_string_value (json_object_get (credential->offer, "address"));
  gboolean wildcard = told != NULL &&
                      (g_str_has_prefix (told, "0.0.0.0:") || g_str_has_prefix (told, "[::]:"));
  g_autofree char *host = NULL;

  credential->address = g_strdup (told != NULL ? told : "");
  if (!wildcard)
    return TRUE;
  host = show_host (ctl, credential, error);
  if (host == NULL)
    return FALSE;
  g_free (credential->address);
  credential->address = g_strdup_printf (strchr (host, ':') != NULL ? "[%s]%s" : "%s%s", host,
                                         strrchr (told, ':'));
  return TRUE;
}

/* NULL: a name in it cannot be written into a command. */
static char *
show_line (const Credential *credential, const char *terminal, const char *known, GError **error)
{
  g_autofree char *host = NULL, *file = g_shell_quote (known), *at = NULL,
                  *to = g_shell_quote (credential->to != NULL ? credential->to : "localhost:22");
  guint16 port;

  if (!far_parse_address (credential->address, &host, &port, error))
    return NULL;
  at = g_shell_quote (host);
  return g_strdup_printf ("ssh -N -o ExitOnForwardFailure=yes -o StrictHostKeyChecking=yes -o "
                          "HostKeyAlias=tunnel-of-%s -o UserKnownHostsFile=%s "
                          "-o NumberOfPasswordPrompts=1 -o PubkeyAuthentication=no -o ServerAliveInterval=15 "
                          "-p %u -R %d:%s -l %s %s",
                          terminal, file, port,
                          (int) json_integer_value (json_object_get (credential->offer, "x")), to, terminal,
                          at);
}

static gboolean
credential_is_word (const char *text, const char *more)
{
  g_autofree char *letters = g_strconcat (G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "._-", more, NULL);

  return text != NULL && *text != '\0' && *text != '-' && strspn (text, letters) == strlen (text);
}

int
ctl_credential_show (Ctl *ctl, int argc, char **argv)
{
  static const CtlColumn fields[] = {
    { N_ ("terminal"), "terminal", CTL_TEXT },
    { N_ ("tunnel end"), "address", CTL_TEXT },
    { N_ ("its host key"), "host_key", CTL_TEXT },
    { N_ ("port X"), "x", CTL_TEXT },
    { N_ ("expires"), "expires", CTL_TIME },
    { N_ ("dial with"), "ssh", CTL_TEXT },
    { NULL, NULL, 0 },
  };
  g_auto (Credential) credential = { 0 };
  g_autofree char *known = NULL, *line = NULL, *expires = NULL;
  GError *error = NULL;
  json_t *shown;

  if (!credential_args (ctl, &credential, TRUE, &argc, &argv))
    return ctl->status;
  if (!credential_open (ctl, &credential, argv[1], &error))
    return ctl_fail (ctl, error);
  const char *terminal = json_string_value (json_object_get (credential.inside, "terminal"));
  const char *host_key = json_string_value (json_object_get (credential.offer, "host_key"));
  if (!credential_is_word (terminal, "") || !credential_is_word (host_key, " +/=@"))
    return ctl_fail_new (ctl, FAR_ERROR_PROTOCOL, "%s", _ ("the offer names no usable terminal or host key"));
  if (!show_address (ctl, &credential, &error))
    return ctl_fail (ctl, error);
  known = show_known_hosts (terminal, host_key, &error);
  line = known != NULL ? show_line (&credential, terminal, known, &error) : NULL;
  if (line == NULL)
    return ctl_fail (ctl, error);
  expires = far_clock_format (json_integer_value (json_object_get (credential.inside, "expires_us")));
  shown = json_pack ("{s:s, s:s, s:s, s:s, s:O, s:s, s:s, s:s}", "session", argv[1], "terminal", terminal,
                     "address", credential.address, "host_key", host_key, "x",
                     json_object_get (credential.offer, "x"), "expires", expires, "known_hosts", known, "ssh",
                     line);
  if (ctl->json)
    ctl_json (shown);
  else
    ctl_fields (shown, fields);
  json_decref (shown);
  return CTL_OK;
}
