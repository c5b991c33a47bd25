/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file looks for a key in a text in the form of authorized_keys(5). The lines are written by hand, so
 * an option that it does not understand makes the line useless, never more powerful. */
#include "config.h"

#include "keys.h"

#include <string.h>

#include <farwatch/gate.h>

static const char *const key_types[] = {
  "ssh-ed25519",
  "ssh-rsa",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "sk-ssh-ed25519@openssh.com",
  "sk-ecdsa-sha2-nistp256@openssh.com",
  NULL,
};

/* What only takes away what we do not give through a key anyway. */
static const char *const harmless[] = {
  "restrict", "no-agent-forwarding", "no-port-forwarding", "no-pty", "no-user-rc", "no-X11-forwarding", NULL,
};

/* The first word of a line, quotes respected; *rest behind it. */
static char *
first_word (const char *line, const char **rest)
{
  gboolean quoted = FALSE;
  const char *at;

  for (at = line; *at != '\0' && (quoted || (*at != ' ' && *at != '\t')); at++) {
    if (*at == '\\' && at[1] == '"')
      at++;
    else if (*at == '"')
      quoted = !quoted;
  }
  *rest = at + strspn (at, " \t");
  return g_strndup (line, (gsize) (at - line));
}

/* The next option of the list; NULL: no more. */
static char *
next_option (const char **at)
{
  const char *start = *at, *end = start;
  gboolean quoted = FALSE;

  if (*start == '\0')
    return NULL;
  for (; *end != '\0' && (quoted || *end != ','); end++)
    quoted ^= *end == '"';
  *at = *end == ',' ? end + 1 : end;
  return g_strndup (start, (gsize) (end - start));
}

/* Text between the quotes of name="…"; NULL: it is not that option. */
static char *
option_value (const char *option, const char *name)
{
  gsize size = strlen (name), whole = strlen (option);

  if (g_ascii_strncasecmp (option, name, size) != 0 || option[size] != '=' || whole < size + 3 ||
      option[size + 1] != '"' || option[whole - 1] != '"')
    return NULL;
  return g_strndup (option + size + 2, whole - size - 3);
}

/* YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, local time, UTC with Z behind it. */
static gboolean
parse_expiry (const char *text, gint64 *until_us)
{
  gsize digits = strspn (text, "0123456789");
  gboolean utc = text[digits] == 'Z';
  g_autofree char *padded = g_strdup_printf ("%.*s%s", (int) digits, text, digits == 8 ? "000000" : "00");
  g_autofree char *iso = NULL;
  g_autoptr (GTimeZone) zone = utc ? g_time_zone_new_utc () : g_time_zone_new_local ();
  g_autoptr (GDateTime) when = NULL;

  if ((digits != 8 && digits != 12 && digits != 14) || strlen (text) != digits + utc)
    return FALSE;
  iso = g_strdup_printf ("%.8sT%.6s", padded, padded + 8);
  when = g_date_time_new_from_iso8601 (iso, zone);
  if (when == NULL)
    return FALSE;
  *until_us = g_date_time_to_unix (when) * G_USEC_PER_SEC;
  return TRUE;
}

/* "addr,net,!net": as sshd, a match of a negated one refuses. Names and * patterns are not understood. */
static gboolean
from_matches (const char *list, const char *from, gboolean *understood)
{
  g_auto (GStrv) nets = g_strsplit (list, ",", 64);
  gboolean matches = FALSE;

  for (guint i = 0; nets[i] != NULL; i++) {
    gboolean no = nets[i][0] == '!';
    g_autoptr (GError) error = NULL;
    gboolean inside = far_address_in (from, nets[i] + no, &error);

    if (error != NULL)
      *understood = FALSE;
    if (inside && no)
      return FALSE;
    matches |= inside;
  }
  return matches;
}

typedef struct {
  const char *from;
  gint64 now_us, until_us;
  char *option;
} Options;

static KeysAnswer
option_says (Options *options, const char *option)
{
  g_autofree char *expiry = option_value (option, "expiry-time");
  g_autofree char *from = option_value (option, "from");
  gboolean understood = TRUE;
  KeysAnswer answer = KEYS_YES;

  for (guint i = 0; harmless[i] != NULL; i++)
    if (g_ascii_strcasecmp (option, harmless[i]) == 0)
      return KEYS_YES;
  if (expiry != NULL) {
    understood = parse_expiry (expiry, &options->until_us);
    answer = understood && options->until_us <= options->now_us ? KEYS_EXPIRED : KEYS_YES;
  } else if (from != NULL)
    answer = from_matches (from, options->from, &understood) ? KEYS_YES : KEYS_ELSEWHERE;
  else
    understood = FALSE;
  if (understood)
    return answer;
  g_free (options->option);
  options->option = g_strdup (option);
  return KEYS_OPTION;
}

/* All options must agree; the first that does not is the answer. */
static KeysAnswer
options_say (Options *options, const char *text)
{
  char *option;

  while ((option = next_option (&text)) != NULL) {
    KeysAnswer answer = option_says (options, option);

    g_free (option);
    if (answer != KEYS_YES)
      return answer;
  }
  return KEYS_YES;
}

static KeysAnswer
line_says (Options *options, const char *line, const char *key)
{
  const char *rest;
  g_autofree char *word = first_word (line, &rest);
  gboolean plain = g_strv_contains (key_types, word);
  const char *entry = plain ? line : rest;
  gsize size = strlen (key);

  if (strncmp (entry, key, size) != 0 || (entry[size] != '\0' && entry[size] != ' ' && entry[size] != '\t'))
    return KEYS_NO;
  return plain ? KEYS_YES : options_say (options, word);
}

KeysAnswer
keys_find (const char *text, const char *key, const char *from, gint64 now_wall_us, gint64 *until_us,
           char **option)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  KeysAnswer answer = KEYS_NO;

  *option = NULL;
  for (guint i = 0; lines[i] != NULL && answer != KEYS_YES; i++) {
    Options options = { from, now_wall_us, 0, NULL };
    char *line = g_strstrip (lines[i]);
    KeysAnswer now = *line == '#' || *line == '\0' ? KEYS_NO : line_says (&options, line, key);

    if (now != KEYS_NO) {
      answer = now;
      *until_us = options.until_us;
      g_free (*option);
      *option = g_steal_pointer (&options.option);
    }
    g_free (options.option);
  }
  return answer;
}
