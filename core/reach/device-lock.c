/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One writer a device, and a line: who holds which device now. The same person takes over from their older
 * session. */
#include "config.h"

#include "reach/device.h"

#include "base/node-part.h"

#include "loop/owned.h"

#include <farwatch/i18n.h>
#include <farwatch/thread.h>

typedef FarDeviceLost ClaimLost;

typedef struct {
  char *device, *line, *session, *person;
  ClaimLost lost;
  gpointer user;
} Claim;

typedef struct {
  GPtrArray *list; /* of Claim; NULL: none yet */
  FarOwned owned;  /* of the listener */
  ClaimLost func;
  gpointer user;
} DeviceLocks;

static void
device_locks_clear (gpointer part)
{
  DeviceLocks *self = part;

  g_clear_pointer (&self->list, g_ptr_array_unref);
}

static DeviceLocks *
device_locks (void)
{
  static const FarNodePart part = { FAR_PART_DEVICE_LOCK, sizeof (DeviceLocks), NULL, device_locks_clear };

  return far_node_part (&part);
}

static void
claim_free (Claim *claim)
{
  g_free (claim->device);
  g_free (claim->line);
  g_free (claim->session);
  g_free (claim->person);
  g_free (claim);
}

static gboolean
claim_stands_in_the_way (const Claim *claim, const char *device, const char *line)
{
  return g_strcmp0 (claim->device, device) == 0 || (line && g_strcmp0 (claim->line, line) == 0);
}

/* The claim of another session on this device or its line. */
static Claim *
claim_of_another (const char *device, const char *line, const char *session)
{
  for (guint i = 0; device_locks ()->list && i < device_locks ()->list->len; i++) {
    Claim *claim = device_locks ()->list->pdata[i];
    if (g_strcmp0 (claim->session, session) != 0 && claim_stands_in_the_way (claim, device, line))
      return claim;
  }
  return NULL;
}

static gboolean
claim_same_person (const Claim *claim, const char *person)
{
  return person && claim->person && g_strcmp0 (claim->person, person) == 0;
}

static void
claim_refuse (const Claim *claim, const char *device, GError **error)
{
  const char *who = claim->person ? claim->person : "somebody";
  if (g_strcmp0 (claim->device, device) == 0)
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFLICT,
                 _ ("device '%s' is in use by %s: wait until that session ends, or ask for it to be closed"),
                 device, who);
  else
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFLICT,
                 _ ("device '%s' shares line '%s' with '%s', which is in use by %s"), device, claim->line,
                 claim->device, who);
}

/* Takes the claim out first: `lost` may release or claim again. */
static void
claim_take_over (Claim *claim)
{
  guint at;
  if (!g_ptr_array_find (device_locks ()->list, claim, &at))
    return;
  Claim *old = g_ptr_array_steal_index (device_locks ()->list, at);
  if (old->lost)
    old->lost (old->session, old->device, old->user);
  else if (device_locks ()->func)
    device_locks ()->func (old->session, old->device, device_locks ()->user);
  claim_free (old);
}

gboolean
far_device_locked (const char *device, const char *session)
{
  for (guint i = 0; device_locks ()->list && i < device_locks ()->list->len; i++) {
    Claim *claim = device_locks ()->list->pdata[i];
    if (g_strcmp0 (claim->session, session) == 0 && g_strcmp0 (claim->device, device) == 0)
      return TRUE;
  }
  return FALSE;
}

/* All of them must give way, or none is touched. */
static gboolean
claim_clear_way (const char *device, const char *line, const char *session, const char *person,
                 GError **error)
{
  for (guint i = 0; device_locks ()->list && i < device_locks ()->list->len; i++) {
    Claim *claim = device_locks ()->list->pdata[i];
    if (g_strcmp0 (claim->session, session) == 0 || !claim_stands_in_the_way (claim, device, line) ||
        claim_same_person (claim, person))
      continue;
    claim_refuse (claim, device, error);
    return FALSE;
  }
  for (Claim *old; (old = claim_of_another (device, line, session));)
    claim_take_over (old);
  return TRUE;
}

gboolean
far_device_lock (const char *name, const char *session, const char *person, ClaimLost lost, gpointer user,
                 GError **error)
{
  FAR_ON_MAIN ();
  const FarDevice *device = far_device_find (name);
  if (!device) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_NOT_FOUND, _ ("no device '%s' here"), name);
    return FALSE;
  }
  if (far_device_locked (name, session))
    return TRUE;
  g_autofree char *line = g_strdup (device->line);
  if (!claim_clear_way (name, line, session, person, error))
    return FALSE;
  if (!device_locks ()->list)
    device_locks ()->list = g_ptr_array_new_with_free_func ((GDestroyNotify) claim_free);
  Claim *claim = g_new0 (Claim, 1);
  *claim = (Claim){
    g_strdup (name), g_steal_pointer (&line), g_strdup (session), g_strdup (person), lost, user
  };
  g_ptr_array_add (device_locks ()->list, claim);
  return TRUE;
}

void
far_device_unlock (const char *device, const char *session)
{
  FAR_ON_MAIN ();
  for (guint i = device_locks ()->list ? device_locks ()->list->len : 0; i > 0; i--) {
    Claim *claim = device_locks ()->list->pdata[i - 1];
    if (g_strcmp0 (claim->session, session) == 0 && (!device || g_strcmp0 (claim->device, device) == 0))
      g_ptr_array_remove_index (device_locks ()->list, i - 1);
  }
  if (device_locks ()->list && device_locks ()->list->len == 0)
    g_clear_pointer (&device_locks ()->list, g_ptr_array_unref);
}

static void
device_lock_listener_end (gpointer thing)
{
  device_locks ()->func = NULL;
}

void
far_device_on_lost (FarInstance *at, ClaimLost func, gpointer user)
{
  FAR_ON_MAIN ();
  far_owned_leave (&device_locks ()->owned);
  far_owned_by (&device_locks ()->owned, at, device_lock_listener_end, NULL);
  device_locks ()->func = func;
  device_locks ()->user = user;
}

const char *
far_device_holder (const char *device, const char **session)
{
  FAR_ON_MAIN ();
  const FarDevice *known = far_device_find (device);
  Claim *claim = claim_of_another (device, known ? known->line : NULL, NULL);
  if (session)
    *session = claim ? claim->session : NULL;
  return claim ? (claim->person ? claim->person : "") : NULL;
}
