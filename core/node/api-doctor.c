/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file answers GET doctor: the running daemon looks at itself and adds what only it can tell. The
 * checks that need no daemon are doctor.c. */
#include "config.h"

#include "node/api-private.h"

#include <farwatch/clock.h>
#include <farwatch/i18n.h>

#include "base/node-identity.h"
#include "data/damage.h"
#include "node/doctor.h"
#include "life/instance-private.h"
#include "profile/loader.h"
#include "loop/log.h"
#include "life/node.h"
#include "reach/users.h"
#include "auth/right.h"

static void
doctor_instances (json_t *findings)
{
  GPtrArray *all = far_instances_all ();
  guint bad = 0;

  for (guint i = 0; all != NULL && i < all->len; i++) {
    const FarInstance *at = all->pdata[i];
    g_autofree char *text = NULL;

    if (at->state == FAR_STATE_RUNNING)
      continue;
    bad++;
    text = g_strdup_printf ("%s: %s%s%s", at->head.path, far_state_name (at->state),
                            at->error != NULL ? ": " : "", at->error != NULL ? at->error->message : "");
    far_doctor_add (findings,
                    at->state == FAR_STATE_STARTING || at->state == FAR_STATE_WAITING ? FAR_DOCTOR_WARN
                                                                                      : FAR_DOCTOR_BAD,
                    "instance", text, NULL);
  }
  if (bad == 0)
    far_doctor_add (findings, FAR_DOCTOR_GOOD, "instances", _ ("all of them run"), NULL);
}

static void
doctor_damage (json_t *findings)
{
  g_auto (GStrv) stores = far_damage_stores (far_node_state_dir ());

  for (guint i = 0; stores[i] != NULL; i++) {
    g_autofree char *note = far_damage_note (far_node_state_dir (), stores[i]),
                    *text = g_strdup_printf ("stores.%s: %s", stores[i], note), *next = NULL;

    if (note == NULL)
      continue; /* missing: its instance says so */
    next = g_strdup_printf (
        _ ("stop farwatchd, then as root `farctl restore --replace %s FILE` puts a backup back, or "
           "`farctl restore --begin-empty %s %s` goes on with what could be read"),
        far_node_words (), far_node_words (), stores[i]);
    far_doctor_add (findings, FAR_DOCTOR_BAD, "store", text, next);
  }
}

/* One finding a cause: a limit that is met often is too small, or somebody tries. */
static void
doctor_refused (json_t *findings)
{
  json_t *counts = far_counts_json (), *number;
  const char *what;

  json_object_foreach (counts, what, number) {
    g_autofree char *text = g_strdup_printf (_ ("%" JSON_INTEGER_FORMAT " %s since the start"),
                                             json_integer_value (number), what);

    far_doctor_add (findings, FAR_DOCTOR_GOOD, "refused", text, NULL);
  }
  json_decref (counts);
}

static void
doctor_profile (json_t *findings)
{
  g_autofree char *range = NULL;
  json_t *effective;

  g_autofree char *keys = far_node_path ("keys");

  if (far_node_profile () == NULL)
    return;
  effective = far_profile_effective (far_node_profile ());
  far_doctor_identity (findings, keys, far_node_id (), far_doctor_listens (effective));
  for (char **text = far_node_profile ()->former; *text != NULL; text++)
    far_doctor_add (findings, FAR_DOCTOR_WARN, "profile", *text, NULL);
  if (g_file_get_contents ("/proc/sys/net/ipv4/ip_local_port_range", &range, NULL, NULL))
    far_doctor_ports (findings, effective, range);
  json_decref (effective);
}

#define ODD_MAX 20     /* rights told one by one */
#define LOOKED_MAX 500 /* each is held against all people and terminals, on main */

/* Who may not see all rights is told of no single one. Returns whether there was something to tell. */
static gboolean
doctor_right (json_t *findings, const json_t *right, const FarOddNames *names, gboolean all)
{
  json_t *odd = far_right_warnings (right, names->people, names->locals), *one;
  gboolean any = json_array_size (odd) > 0;
  g_autofree char *words = far_right_text (right);
  size_t i;

  json_array_foreach (odd, i, one) {
    if (!all)
      break;
    g_autofree char *text = g_strdup_printf ("%s: %s: %s", json_string_value (json_object_get (right, "id")),
                                             words, json_string_value (one));

    far_doctor_add (findings, FAR_DOCTOR_WARN, "rights", text, NULL);
  }
  json_decref (odd);
  return any;
}

/* Those of the profile and those given since: what does not exist may be a name mistyped. */
static void
doctor_rights (json_t *findings, const FarOddNames *names, const FarPrincipal *asker)
{
  json_t *rights = far_right_list ();
  gboolean all = far_authorize (asker, FAR_ACTION_MANAGE, "rights", NULL, NULL) == FAR_DECISION_ALLOW;
  gsize size = MIN (json_array_size (rights), LOOKED_MAX);
  g_autofree char *text = NULL;
  guint odd = 0;

  for (gsize i = 0; i < size && odd < ODD_MAX; i++)
    odd += doctor_right (findings, json_array_get (rights, i), names, all);
  if (odd == 0)
    text = size < json_array_size (rights)
               ? g_strdup_printf (_ ("each of the first %u is about somebody and something that exists"),
                                  LOOKED_MAX)
               : g_strdup (_ ("each is about somebody and something that exists"));
  else if (!all)
    text = g_strdup (_ ("some are about what does not exist; who manages rights is told which"));
  if (text != NULL)
    far_doctor_add (findings, odd == 0 ? FAR_DOCTOR_GOOD : FAR_DOCTOR_WARN, "rights", text, NULL);
  json_decref (rights);
}

static void
doctor_names (const FarOddNames *names, gpointer user)
{
  FarCall *call = user;
  g_autofree char *keys = far_node_path ("keys");
  g_auto (GStrv) folders = far_loader_dirs ();
  json_t *findings = json_array (), *body = json_object ();

  far_doctor_machine (findings);
  far_doctor_plugins (findings, (const char *const *) folders);
  doctor_damage (findings);
  doctor_instances (findings);
  doctor_refused (findings);
  doctor_profile (findings);
  doctor_rights (findings, names, call->principal);
  far_doctor_certificates (findings, keys, far_clock_wall_us ());
  json_object_set_new (body, "findings", far_doctor_fit (findings));
  far_call_answer (call, 200, body);
}

static void
doctor_get (gpointer self, FarCall *call)
{
  far_api_odd_names (far_right_list (), doctor_names, call);
}

const FarHandler far_api_doctor_handlers[] = {
  { "GET", "doctor", FAR_ACTION_SEE, "node", NULL, 0, doctor_get,
    N_ ("what will cause trouble: clock, ports, limits, certificates") },
  { NULL },
};
