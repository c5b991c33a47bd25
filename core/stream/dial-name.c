/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names to addresses. getaddrinfo() can hang as long as a name server is silent, and cannot be stopped: each
 * look-up has a thread of its own, so many at once; what waits for one may be cancelled, what is under way
 * then answers to nobody. */
#include "config.h"

#include "stream/dial-private.h"

#include "base/node-part.h"

#include <string.h>

#include <farwatch/loop.h>
#include <farwatch/i18n.h>

#define THREADS_MAX 16
#define WAITING_MAX 64

struct _FarLookUp {
  char *host, *service;
  FarNameFunc func;
  FarLookUpDone done; /* NULL: cancelled */
  gpointer user;
  gboolean waits; /* in the queue, without a thread */
  int why;
  struct addrinfo *found;
};

/* Touched on main only. */
typedef struct {
  FarNameFunc func;
  guint threads;
  GQueue waiting;
} LookUps;

static LookUps *
names (void)
{
  static const FarNodePart part = { FAR_PART_DIAL_NAME, sizeof (LookUps), NULL, NULL };

  return far_node_part (&part);
}

static void look_up_next (void);

static void
look_up_free (FarLookUp *look)
{
  if (look->found != NULL)
    freeaddrinfo (look->found);
  g_free (look->host);
  g_free (look->service);
  g_free (look);
}

/* [main] */
static void
look_up_ended (gpointer data)
{
  FarLookUp *look = data;

  names ()->threads--;
  if (look->done != NULL)
    look->done (look->why, g_steal_pointer (&look->found), look->user);
  look_up_free (look);
  look_up_next ();
}

static gpointer
look_up_run (gpointer data)
{
  const struct addrinfo hints = { .ai_flags = AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };
  FarLookUp *look = data;

  look->why = look->func (look->host, look->service, &hints, &look->found);
  if (look->why != 0)
    look->found = NULL;
  far_loop_post (far_loop_main (), look_up_ended, look);
  return NULL;
}

static void
look_up_next (void)
{
  while (names ()->threads < THREADS_MAX && names ()->waiting.length > 0) {
    FarLookUp *look = g_queue_pop_head (&names ()->waiting);

    look->waits = FALSE;
    names ()->threads++;
    g_thread_unref (far_thread_new ("look-up", look_up_run, look));
  }
}

FarLookUp *
far_look_up (const char *host, guint16 port, FarLookUpDone done, gpointer user, GError **error)
{
  FarLookUp *look;

  if (names ()->waiting.length >= WAITING_MAX) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_LIMIT,
                 _ ("cannot reach %s: %u names wait already to be looked up; try again later, and check the "
                    "name servers"),
                 host, WAITING_MAX);
    return NULL;
  }
  look = g_new0 (FarLookUp, 1);
  look->host = g_strdup (host);
  look->service = g_strdup_printf ("%u", port);
  look->func = names ()->func != NULL ? names ()->func : getaddrinfo;
  look->done = done;
  look->user = user;
  look->waits = TRUE;
  g_queue_push_tail (&names ()->waiting, look);
  look_up_next ();
  return look;
}

void
far_look_up_cancel (FarLookUp *look)
{
  look->done = NULL;
  if (!look->waits)
    return;
  g_queue_remove (&names ()->waiting, look);
  look_up_free (look);
}

gboolean
far_address_number (const char *host, guint16 port, struct sockaddr_storage *address, socklen_t *size)
{
  const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };
  g_autofree char *service = g_strdup_printf ("%u", port);
  struct addrinfo *found = NULL;
  /* lint: allow getaddrinfo, it asks nobody */
  gboolean good = getaddrinfo (host, service, &hints, &found) == 0 && found->ai_addrlen <= sizeof *address;

  if (good)
    memcpy (address, found->ai_addr, *size = found->ai_addrlen);
  if (found != NULL)
    freeaddrinfo (found);
  return good;
}

void
far_look_up_set (FarNameFunc func)
{
  names ()->func = func;
}
