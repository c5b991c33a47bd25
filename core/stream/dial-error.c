/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a person is told when a connection does not come about: where, why, and what to look at. */
#include "config.h"

#include "stream/dial-private.h"

#include <errno.h>
#include <string.h>

#include <farwatch/i18n.h>

typedef struct {
  int code;
  const char *word;  /* in a list of several addresses */
  const char *cause; /* with the next step */
} Cause;

/* The first of these that an address met is told: the further it got, the more it says. */
static const Cause causes[] = {
  { ECONNREFUSED, N_ ("refused"),
    N_ ("the connection was refused: nothing listens at that port, or a firewall rejects it; check the port, "
        "and that the service runs there") },
  { ETIMEDOUT, N_ ("no answer"),
    N_ ("no answer: the host is off, or a firewall drops what is sent to it; check both, and the address") },
  { EHOSTUNREACH, N_ ("unreachable"),
    N_ ("the host cannot be reached: it is not in its net, or a router rejects it; check that it is switched "
        "on, and the address") },
  { ENETUNREACH, N_ ("no network"),
    N_ ("no network leads there: check this machine's network and its routes (`ip route`)") },
  { EACCES, N_ ("forbidden"), N_ ("this machine's firewall forbids it: check its rules") },
  { EPERM, N_ ("forbidden"), N_ ("this machine's firewall forbids it: check its rules") },
  { EMFILE, N_ ("no descriptors"),
    N_ ("this program has no descriptors left: raise its limit of open files") },
  { ENFILE, N_ ("no descriptors"),
    N_ ("this machine has no descriptors left: close programs, or raise fs.file-max") },
};

/* What a name server's silence and its answer come to. */
static const Cause name_causes[] = {
  { EAI_NONAME, NULL,
    N_ ("the name is unknown: check its spelling, and that a name server or /etc/hosts knows it") },
  { EAI_AGAIN, NULL,
    N_ ("no name server answers: check the network, and the name servers in /etc/resolv.conf") },
  { EAI_FAIL, NULL, N_ ("the name server fails: try later, or ask another one (/etc/resolv.conf)") },
  { EAI_MEMORY, NULL, N_ ("no memory for a look-up of the name: try later") },
#ifdef EAI_NODATA
  { EAI_NODATA, NULL, N_ ("the name has no address: check its spelling, and its entry at the name server") },
#endif
};

static char *
place (const char *host, guint16 port)
{
  return g_strdup_printf (strchr (host, ':') != NULL ? "[%s]:%u" : "%s:%u", host, port);
}

static const Cause *
dial_error_find (const Cause *table, guint n, int code)
{
  for (guint i = 0; i < n; i++)
    if (table[i].code == code)
      return &table[i];
  return NULL;
}

GError *
far_dial_name_error (const char *host, guint16 port, int why)
{
  const Cause *cause = dial_error_find (name_causes, G_N_ELEMENTS (name_causes), why != 0 ? why : EAI_AGAIN);
  g_autofree char *where = place (host, port);

  return g_error_new (FAR_ERROR, FAR_ERROR_UNAVAILABLE, _ ("cannot reach %s: %s"), where,
                      cause != NULL ? _ (cause->cause) : gai_strerror (why));
}

static int
code_of (const FarTried *tried)
{
  return tried->code != 0 ? tried->code : ETIMEDOUT;
}

static const char *
word_of (int code)
{
  const Cause *cause = dial_error_find (causes, G_N_ELEMENTS (causes), code);

  return cause != NULL ? _ (cause->word) : g_strerror (code);
}

/* The row that says most; NULL: none of them is in the table. */
static const Cause *
most_telling (const GArray *tried)
{
  const Cause *best = NULL;

  for (guint i = 0; i < tried->len; i++) {
    const Cause *cause = dial_error_find (causes, G_N_ELEMENTS (causes),
                                          code_of (&g_array_index (tried, FarTried, i)));

    if (cause != NULL && (best == NULL || cause < best))
      best = cause;
  }
  return best;
}

static char *
list_of (const GArray *tried)
{
  GString *list = g_string_new (NULL);

  for (guint i = 0; i < tried->len; i++) {
    const FarTried *one = &g_array_index (tried, FarTried, i);

    g_string_append_printf (list, "%s%s %s", i > 0 ? ", " : "", one->address, word_of (code_of (one)));
  }
  return g_string_free (list, FALSE);
}

GError *
far_dial_error (const char *host, guint16 port, const GArray *tried)
{
  const Cause *cause = most_telling (tried);
  const FarTried *first = tried->len > 0 ? &g_array_index (tried, FarTried, 0) : NULL;
  const char *text = cause != NULL ? _ (cause->cause)
                                   : g_strerror (first != NULL ? code_of (first) : ETIMEDOUT);
  g_autofree char *where = place (host, port), *list = list_of (tried);

  if (first == NULL || (tried->len == 1 && g_str_equal (first->address, host)))
    return g_error_new (FAR_ERROR, FAR_ERROR_UNAVAILABLE, _ ("cannot reach %s: %s"), where, text);
  return g_error_new (FAR_ERROR, FAR_ERROR_UNAVAILABLE, _ ("cannot reach %s: %s (tried: %s)"), where, text,
                      list);
}
