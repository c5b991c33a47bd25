/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The registry with a writer made for this test: what holds for every writer (registry-conform.h), whose
 * calls count, what a writer that comes anew leaves out, links, polls, devices by their ports. */
#include "config.h"

#include <farwatch/plugin.h>

#include "loop/instance-head.h"
#include "loop/owned.h"
#include "registry-conform.h"
#include "unit/core-help.h"

/* ---- a transport with one link; core's look-ups are replaced by these ---- */

typedef struct {
  FarInstanceHead head;
  const char *name;
} Stand;

static struct {
  Stand transport, writers[2];
  guint at; /* which of the writers writes */
  gboolean linked;
} stand = { .transport.name = "nodes" };

static gboolean
stand_connected (gpointer self, const char *peer)
{
  return stand.linked;
}

static const FarMessageOps stand_ops = { .connected = stand_connected };
static const FarTransportType stand_type = { .type = { .kind = FAR_KIND_TRANSPORT }, .messages = &stand_ops };

FarInstance *
far_instance_find (FarKind kind, const char *name, GError **error)
{
  return kind == FAR_KIND_TRANSPORT && strcmp (name, "nodes") == 0 ? (FarInstance *) (void *) &stand.transport
                                                                   : NULL;
}

GPtrArray *
far_instance_list (FarKind kind)
{
  return g_ptr_array_new ();
}

const FarType *
far_instance_type (FarInstance *at)
{
  return &stand_type.type;
}

gpointer
far_instance_self (FarInstance *at)
{
  return at;
}

const char *
far_instance_name (FarInstance *at)
{
  return ((Stand *) (void *) at)->name;
}

static FarInstance *
writer (void)
{
  return (FarInstance *) (void *) &stand.writers[stand.at];
}

static void
link_from (const char *from)
{
  stand.linked = from != NULL;
  far_peer_changed ((FarInstance *) (void *) &stand.transport, "t1", stand.linked, from);
}

static void
link_is (gboolean up)
{
  link_from (up ? "192.0.2.7" : NULL);
}

/* ---- what the writer does ---- */

static const char *const site[] = { "sites/north", NULL };

static void
put_key (FarInstance *at, const char *id, const char *key)
{
  g_autofree char *object = g_strconcat ("terminals/", id, NULL);
  json_t *row = json_pack ("{s:s}", "spki", key);

  far_registry_put (at, &(FarRegistryEntry){ id, object, site, row });
  json_decref (row);
}

static gboolean
put_device (const char *id, const char *device, const char *address)
{
  json_t *row = json_pack ("{s:s}", "address", address);
  gboolean good = far_registry_device_put (writer (), id, device, row);

  json_decref (row);
  return good;
}

static void
made_add (const char *id)
{
  put_key (writer (), id, "one");
}

static void
made_device (const char *id, const char *device)
{
  ck_assert (put_device (id, device, "127.0.0.1:502"));
}

static void
made_replace (const char *id)
{
  far_registry_void (writer (), id, FAR_REGISTRY_REPLACED);
  put_key (writer (), id, "two");
}

static void
made_remove (const char *id)
{
  far_registry_remove (writer (), id);
}

/* The other one writes from now on, what the one before had. */
static void
made_restart (void)
{
  g_autoptr (GPtrArray) all = far_registry_nodes ();

  far_owned_end (writer ());
  ck_assert (!far_registry_is_known (NULL));
  stand.at = !stand.at;
  ck_assert (far_registry_begin (writer (), "nodes", NULL));
  ck_assert (!far_registry_is_known (NULL));
  for (guint i = 0; i < all->len; i++) {
    const FarRegistryNode *node = all->pdata[i];

    put_key (writer (), node->id, json_string_value (json_object_get (node->row, "spki")));
    if (g_hash_table_contains (node->devices, "plc"))
      made_device (node->id, "plc");
  }
  far_registry_complete (writer ());
}

static void
begun (void)
{
  for (guint i = 0; i < 2; i++)
    far_instance_head_init (&stand.writers[i].head, g_strdup ("services.made"), NULL);
  ck_assert (far_registry_begin (writer (), "nodes", NULL));
  far_registry_complete (writer ());
}

/* ---- the cases ---- */

START_TEST (it_is_as_all_writers_are)
{
  static const RegistryConform with = { made_add, made_device, made_replace, made_remove, made_restart };

  begun ();
  registry_conform (&with);
}
END_TEST

START_TEST (nobody_but_the_writer_writes)
{
  g_autoptr (GError) error = NULL;
  FarInstance *other = (FarInstance *) (void *) &stand.writers[1];

  begun ();
  made_add ("t1");
  put_key (other, "t1", "forged");
  put_key (other, "t2", "forged");
  far_registry_void (other, "t1", FAR_REGISTRY_REVOKED);
  far_registry_remove (other, "t1");
  far_registry_device_remove (other, "t1", "plc");
  far_registry_complete (other);
  ck_assert (!far_registry_begin (other, "nodes", &error));
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE));
  ck_assert_ptr_nonnull (far_registry_node ("t1"));
  ck_assert_str_eq (json_string_value (json_object_get (far_registry_node ("t1")->row, "spki")), "one");
  ck_assert_ptr_null (far_registry_node ("t2"));
  ck_assert (!put_device ("t2", "plc", "127.0.0.1:1"));
  far_owned_end (writer ());
  far_registry_complete (NULL); /* nobody writes, and nobody's call counts */
  far_registry_remove (NULL, "t1");
  ck_assert (!far_registry_is_known (NULL));
  ck_assert_ptr_nonnull (far_registry_node ("t1"));
}
END_TEST

START_TEST (it_is_known_while_somebody_writes)
{
  g_autoptr (GError) error = NULL;

  ck_assert (!far_registry_is_known (NULL));
  begun ();
  made_add ("t1");
  ck_assert (far_registry_is_known (NULL));
  far_owned_end (writer ());
  ck_assert (!far_registry_is_known (&error));
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE));
  ck_assert_ptr_nonnull (far_registry_node ("t1"));
  ck_assert_ptr_null (
      far_registry_put (writer (), &(FarRegistryEntry){ .id = "t2", .object = "terminals/t2" }));
}
END_TEST

/* Removed behind the back of the one that comes: told when it has said all, not before. */
START_TEST (what_is_not_put_again_goes)
{
  guint id = far_registry_listen (NULL, registry_conform_hear, NULL);

  begun ();
  made_add (CONFORM_NODE);
  made_add ("t1");
  made_device ("t1", "plc");
  made_device ("t1", "web");
  registry_conform_count (FAR_REGISTRY_ADDED);
  far_owned_end (writer ());
  ck_assert (far_registry_begin (writer (), "nodes", NULL));
  made_add ("t1");
  made_device ("t1", "web");
  ck_assert_uint_eq (registry_conform_count (FAR_REGISTRY_REMOVED), 0);
  ck_assert_ptr_nonnull (far_registry_node (CONFORM_NODE));
  far_registry_complete (writer ());
  ck_assert_uint_eq (registry_conform_count (FAR_REGISTRY_REMOVED), 1);
  ck_assert_ptr_null (far_registry_node (CONFORM_NODE));
  ck_assert (g_hash_table_contains (far_registry_node ("t1")->devices, "web"));
  ck_assert (!g_hash_table_contains (far_registry_node ("t1")->devices, "plc"));
  far_registry_unlisten (id);
}
END_TEST

START_TEST (links_are_seen_whoever_writes)
{
  const FarRegistryNode *node;

  begun ();
  link_is (TRUE); /* before the node is registered */
  made_add ("t1");
  node = far_registry_node ("t1");
  ck_assert (node->connected && node->seen_us > 0);
  ck_assert_str_eq (node->from, "192.0.2.7");
  far_registry_polled ("t1", &(FarRegistryPoll){ .nonce = "n1" });
  far_owned_end (writer ());
  link_is (FALSE); /* while nobody writes */
  ck_assert (!node->connected);
  ck_assert_ptr_null (node->nonce);
  link_is (TRUE);
  ck_assert (far_registry_begin (writer (), "others", NULL)); /* its nodes come on another transport now */
  ck_assert (!node->connected);
}
END_TEST

START_TEST (what_a_node_says_is_kept)
{
  const char *const carriers[] = { "tls", NULL };
  const FarRegistryNode *node;
  FarRegistryPoll poll = { .nonce = "n1", .carriers = (GStrv) carriers };

  begun ();
  made_add ("t1");
  node = far_registry_node ("t1");
  ck_assert (!node->skew_told && node->polled_us == 0);
  far_registry_polled ("t1", &poll);
  ck_assert_str_eq (node->carriers[0], "tls");
  poll = (FarRegistryPoll){ .has_clock = TRUE, .clock_us = G_MININT64 };
  far_registry_polled ("t1", &poll); /* no nonce: that and the carriers stay */
  ck_assert_str_eq (node->nonce, "n1");
  ck_assert_str_eq (node->carriers[0], "tls");
  ck_assert (node->skew_told && node->skew_us < 0 && node->polled_us > 0);
  far_registry_polled ("unknown", &poll);
}
END_TEST

/* A kind that was not reached twice in a row is avoided, ever longer up to an hour; from another address it
 * is another matter. */
START_TEST (kinds_that_are_not_reached)
{
  static const gint64 minutes[] = { 0, 1, 2, 4, 8, 16, 32, 60, 60 };
  const gint64 minute = 60 * (gint64) G_USEC_PER_SEC;

  begun ();
  made_add ("t1");
  link_from ("192.0.2.7");
  for (guint i = 0; i < G_N_ELEMENTS (minutes); i++) {
    ck_assert_int_eq (far_registry_unreached ("t1", "tls"), minutes[i] * minute);
    ck_assert_int_eq (far_registry_unreached ("t1", "tls"), 0); /* the same failure */
    ck_assert (far_registry_avoids ("t1", "tls") == (i > 0));
    ck_assert (!far_registry_avoids ("t1", "other"));
    far_clock_advance (MAX (minutes[i], 1) * minute);
    ck_assert (!far_registry_avoids ("t1", "tls"));
  }
  far_registry_unreached ("t1", "tls");
  ck_assert (far_registry_avoids ("t1", "tls"));
  link_from ("198.51.100.7");
  ck_assert (!far_registry_avoids ("t1", "tls"));
  ck_assert (!far_registry_reached ("t1", "tls"));
  link_from ("192.0.2.7");
  ck_assert (!far_registry_avoids ("t1", "tls"));
  ck_assert_int_eq (far_registry_unreached ("unknown", "tls"), 0);
  ck_assert (!far_registry_reached ("unknown", "tls") && !far_registry_avoids ("unknown", "tls"));
}
END_TEST

/* Whoever may not see a device does not find it; a name counts before a port. */
START_TEST (a_device_is_named_by_its_port)
{
  const FarPrincipal all = { .kind = FAR_PRINCIPAL_LOCAL, .name = (char *) "root", .super = TRUE },
                     none = { .kind = FAR_PRINCIPAL_PERSON, .name = (char *) "eve" };
  const char *other;
  const FarRegistryNode *node;

  begun ();
  made_add ("t1");
  node = far_registry_node ("t1");
  ck_assert (put_device ("t1", "plc", "192.0.2.9:502") && put_device ("t1", "80", "192.0.2.9:22") &&
             put_device ("t1", "web", "192.0.2.9:80"));
  ck_assert_str_eq (far_registry_device_named (node, &all, "plc", &other), "plc");
  ck_assert_str_eq (far_registry_device_named (node, &all, "502", &other), "plc");
  ck_assert_ptr_null (other);
  ck_assert_str_eq (far_registry_device_named (node, &none, "502", &other), "502");
  ck_assert_str_eq (far_registry_device_named (node, &all, "80", &other), "80");
  ck_assert (put_device ("t1", "spare", "192.0.2.10:502"));
  ck_assert_str_eq (far_registry_device_named (node, &all, "502", &other), "502");
  ck_assert_ptr_nonnull (other);
  ck_assert_ptr_null (far_registry_device_named (NULL, &all, NULL, &other));
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  Suite *suite = suite_create ("registry");
  TCase *tc = tcase_create ("registry");

  tcase_add_test (tc, it_is_as_all_writers_are);
  tcase_add_test (tc, nobody_but_the_writer_writes);
  tcase_add_test (tc, it_is_known_while_somebody_writes);
  tcase_add_test (tc, what_is_not_put_again_goes);
  tcase_add_test (tc, links_are_seen_whoever_writes);
  tcase_add_test (tc, what_a_node_says_is_kept);
  tcase_add_test (tc, kinds_that_are_not_reached);
  tcase_add_test (tc, a_device_is_named_by_its_port);
  suite_add_tcase (suite, tc);
  return run_suite (suite);
}
