/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A cloud that lies: each lie in an offer, its credential or its login box is refused by the terminal's
 * agent, by name. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "reach/device.h"
#include "life/instance-private.h"
#include "base/node-identity.h"
#include "unit/trust-fixture.h"
#include "../plugins/service-agent/agent.h"

#define MINUTE (G_GINT64_CONSTANT (60) * G_USEC_PER_SEC)

static char *dir, *box;
static AgentOpts opts;
static Agent agent;
static FarInstance at;
static guint live;

/* What the checks ask of core and of the rest of the agent. */
guint
far_book_count (FarBook *book, const char *person)
{
  return live;
}

/* Two transports: one whose part of an offer stands in the offer itself, one whose part is `carrier`. */
static void
no_open (gpointer self, const FarCarrierOpen *spec, FarCarrier *carrier, FarRequest *req)
{
}

static const char *
flat_fault (json_t *part)
{
  const char *key = agent_text (part, "host_key");
  json_int_t x = json_integer_value (json_object_get (part, "x"));
  if (!key || !g_str_has_prefix (key, "ssh-"))
    return "host_key";
  return x < 1 || x > G_MAXUINT16 ? "x" : NULL;
}

static const char *
own_fault (json_t *part)
{
  return agent_text (part, "fingerprint") ? NULL : "fingerprint";
}

static const char *const flat_fields[] = { "address", "host_key", "x", NULL };
static const FarCarrierOps flat_ops = { .flat = flat_fields, .check = flat_fault, .open = no_open },
                           own_ops = { .check = own_fault, .open = no_open };
static const FarTransportType flat_type = { .type = { .kind = FAR_KIND_TRANSPORT, .name = "old" },
                                            .carrier = &flat_ops },
                              own_type = { .type = { .kind = FAR_KIND_TRANSPORT, .name = "new" },
                                           .carrier = &own_ops };

FarInstance *
far_instance_find (FarKind kind, const char *name, GError **error)
{
  if (kind == FAR_KIND_TRANSPORT && g_strcmp0 (name, "tunnel") == 0)
    return (FarInstance *) (gpointer) &flat_type;
  if (kind == FAR_KIND_TRANSPORT && g_strcmp0 (name, "direct") == 0)
    return (FarInstance *) (gpointer) &own_type;
  g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, "no %s", name);
  return NULL;
}

const FarType *
far_instance_type (FarInstance *transport)
{
  return (const FarType *) (gpointer) transport;
}

static char *direct[] = { (char *) "direct", NULL };
static char *in_advance[] = { (char *) "people", NULL }, *near_by[] = { (char *) "192.0.2.0/24", NULL };

static void
set_up (void)
{
  dir = fixture_dir ();
  ck_assert (far_trust_keys_create (dir, NULL));
  box = far_trust_box_public (dir, NULL);
  far_node_identity_set ("t1", dir);
  opts = (AgentOpts){ .tunnel = (char *) "tunnel",
                      .carriers = direct,
                      .login = (char *) "login",
                      .keys = dir,
                      .in_advance = in_advance,
                      .poll = MINUTE,
                      .max_duration = 30 * MINUTE,
                      .sessions = 2,
                      .tunnel_ends = near_by };
  at.options = &opts;
  agent = (Agent){ .at = &at };
  agent.nonces = far_nonces_new ();
  live = 0;
  FarDevice device = { .name = (char *) "boiler", .endpoint = (char *) "lan" };
  ck_assert (far_device_add (NULL, &device, NULL));
}

static void
tear_down (void)
{
  far_nonces_free (agent.nonces);
  far_device_reset ();
  g_free (box);
  fixture_remove (dir);
}

static json_t *
credential (void)
{
  return json_pack ("{s:s, s:i, s:s, s:s, s:i, s:I, s:s, s:s}", "session", "s1", "generation", 1, "terminal",
                    "t1", "address", "192.0.2.1:2222", "x", 40001, "expires_us",
                    (json_int_t) (far_clock_wall_us () + 5 * MINUTE), "token", "word", "host_key",
                    "ssh-ed25519 AAAA");
}

static json_t *
offer_with (json_t *sealed /* takes */)
{
  g_autofree char *text = far_seal (box, sealed, NULL);
  json_decref (sealed);
  return json_pack ("{s:s, s:i, s:s, s:s, s:s, s:i, s:I, s:s, s:s, s:s, s:s, s:s, s:s}", "session", "s1",
                    "generation", 1, "request", "r1", "address", "192.0.2.1:2222", "host_key",
                    "ssh-ed25519 AAAA", "x", 40001, "for_us", (json_int_t) (10 * MINUTE), "device", "boiler",
                    "entry", "stream", "login", "in-band", "person", "alice", "reason", "test", "sealed",
                    text);
}

static json_t *
honest (void)
{
  return offer_with (credential ());
}

/* NULL: taken. Else why not; caller frees. */
static char *
refusal (json_t *json /* takes */)
{
  g_auto (FarOffer) offer = { 0 };
  GError *error = NULL;
  g_autofree char *token = NULL;
  if (agent_offer_read (&agent, json, &offer, &error) && agent_offer_allowed (&agent, &offer, &error))
    token = far_offer_token (&offer, dir, &error);
  ck_assert_int_eq (token == NULL, error != NULL);
  char *why = error ? g_strdup (error->message) : NULL;
  g_clear_error (&error);
  json_decref (json);
  return why;
}

static void
refused (json_t *json /* takes */, const char *word)
{
  g_autofree char *why = refusal (json);
  ck_assert_msg (why != NULL, "taken, though: %s", word);
  ck_assert_msg (strstr (why, word) != NULL, "'%s' does not say '%s'", why, word);
  ck_assert_ptr_null (strchr (why, '\n'));
}

START_TEST (test_honest)
{
  ck_assert_ptr_null (refusal (honest ()));
}
END_TEST

/* Fields without which there is no offer, and values that are none. */
START_TEST (test_form)
{
  static const struct {
    const char *key, *value;
  } bad[] = {
    { "session", "\"../../x\"" },
    { "session", "7" },
    { "session", "\"\"" },
    { "generation", "0" },
    { "generation", "-1" },
    { "generation", "\"1\"" },
    { "generation", "99999999999" },
    { "address", "\"nowhere\"" },
    { "address", "\"host:0\"" },
    { "address", "null" },
    { "host_key", "null" },
    { "host_key", "\"rsa\"" },
    { "x", "0" },
    { "x", "65536" },
    { "x", "-1" },
    { "for_us", "0" },
    { "for_us", "-5" },
    { "entry", "\"door\"" },
    { "login", "\"none\"" },
    { "login", "null" },
    { "person", "\"\"" },
    { "person", "null" },
    { "sealed", "null" },
    { "sealed", "[]" },
  };
  json_t *json = honest ();
  json_object_set_new (json, bad[_i].key, json_loads (bad[_i].value, JSON_DECODE_ANY, NULL));
  refused (json, bad[_i].key);
}
END_TEST
#define N_BAD_FORMS 24

/* The offer says one thing, the sealed credential another. */
START_TEST (test_swapped)
{
  static const struct {
    const char *key, *value, *word;
  } lies[] = {
    { "session", "\"s2\"", "another session" },
    { "generation", "2", "another generation" },
    { "address", "\"192.0.2.9:2222\"", "another address" },
    { "x", "40002", "another x" },
    { "host_key", "\"ssh-ed25519 BBBB\"", "another host key" },
  };
  json_t *changed = honest ();
  json_object_set_new (changed, lies[_i].key, json_loads (lies[_i].value, JSON_DECODE_ANY, NULL));
  refused (changed, lies[_i].word);
  json_t *inner = credential (); /* and the other way round */
  json_object_set_new (inner, lies[_i].key, json_loads (lies[_i].value, JSON_DECODE_ANY, NULL));
  refused (offer_with (inner), lies[_i].word);
}
END_TEST
#define N_SWAPPED 5

/* The same with a carrier whose part is an object of its own. */
static json_t *
with_carrier (json_t *json, const char *carrier)
{
  static const char *const old[] = { "address", "host_key", "x" };
  for (guint i = 0; i < G_N_ELEMENTS (old); i++)
    json_object_del (json, old[i]);
  json_object_set_new (json, "carrier", json_loads (carrier, 0, NULL));
  return json;
}

#define CARRIER(kind, address, key)                                                                          \
  "{\"kind\": \"" kind "\", \"address\": \"" address "\", \"fingerprint\": \"" key "\"}"

START_TEST (test_carrier)
{
  static const struct {
    const char *offer, *credential, *word;
  } rows[] = {
    { CARRIER ("new", "192.0.2.1:1", "k"), CARRIER ("new", "192.0.2.1:1", "k"), NULL },
    { CARRIER ("new", "192.0.2.1:1", "k"), CARRIER ("new", "192.0.2.2:1", "k"), "another address" },
    { CARRIER ("new", "192.0.2.1:1", "k"), CARRIER ("new", "192.0.2.1:1", "l"), "another fingerprint" },
    { CARRIER ("new", "192.0.2.1:1", "k"), CARRIER ("old", "192.0.2.1:1", "k"), "another kind" },
    { CARRIER ("new", "192.0.2.1:1", "k"), "{}", "another" },
    { CARRIER ("new", "192.0.2.1:1", "k"), "{\"kind\": \"new\", \"address\": \"192.0.2.1:1\"}", "another" },
    { "{\"kind\": \"new\", \"address\": \"192.0.2.1:1\"}", "{}", "usable fingerprint" },
    { CARRIER ("new", "192.0.2.1", "k"), "{}", "usable address" },
    { CARRIER ("old", "192.0.2.1:1", "k"), "{}", "kind 'old'" },
    { CARRIER ("never", "192.0.2.1:1", "k"), "{}", "kind 'never'" },
    { "{}", "{}", "usable carrier" },
    { "{\"kind\": 7}", "{}", "usable carrier" },
  };
  json_t *json = with_carrier (offer_with (with_carrier (credential (), rows[_i].credential)),
                               rows[_i].offer);
  if (rows[_i].word)
    refused (json, rows[_i].word);
  else
    ck_assert_ptr_null (refusal (json));
}
END_TEST
#define N_CARRIER 12

/* One that may not be dialled is no reason to refuse where there is another: it is told as not reached. Of
 * the common one it is. */
START_TEST (test_carrier_elsewhere)
{
  const char *const places[] = { "192.0.2.1:1", "198.51.100.1:1" };
  for (guint i = 0; i < G_N_ELEMENTS (places); i++) {
    g_auto (FarOffer) offer = { 0 };
    g_autofree char *part = g_strdup_printf (CARRIER ("new", "%s", "k"), places[i]);
    json_t *json = with_carrier (honest (), part);
    ck_assert (agent_offer_read (&agent, json, &offer, NULL));
    ck_assert (agent_offer_allowed (&agent, &offer, NULL));
    ck_assert_pstr_eq (offer.unreached, i == 0 ? NULL : "new");
    json_decref (json);
  }
}
END_TEST

/* A credential for the one carrier does not fit the other. */
START_TEST (test_carrier_mixed)
{
  refused (offer_with (with_carrier (credential (), CARRIER ("new", "192.0.2.1:2222", "k"))), "another");
  refused (with_carrier (honest (), CARRIER ("new", "192.0.2.1:2222", "k")), "another");
}
END_TEST

START_TEST (test_credential)
{
  json_t *foreign = credential ();
  json_object_set_new (foreign, "terminal", json_string ("t2"));
  refused (offer_with (foreign), "another terminal");
  json_t *old = credential ();
  json_object_set_new (old, "expires_us", json_integer (far_clock_wall_us () - 1));
  refused (offer_with (old), "expired");
  json_t *eternal = credential ();
  json_object_set_new (eternal, "expires_us", json_integer (far_clock_wall_us () + 100 * 24 * 60 * MINUTE));
  refused (offer_with (eternal), "too far");
  json_t *empty = credential ();
  json_object_del (empty, "token");
  refused (offer_with (empty), "no token");
  g_autofree char *longest = g_strnfill (256, 't'), *longer = g_strnfill (257, 't');
  const char *const odd[] = { longer, "", "two words", "\001", "t\303\266ken" };
  for (guint i = 0; i < G_N_ELEMENTS (odd); i++) {
    json_t *with = credential ();
    json_object_set_new (with, "token", json_string (odd[i]));
    refused (offer_with (with), "no usable token");
  }
  json_t *full = credential ();
  json_object_set_new (full, "token", json_string (longest));
  ck_assert_ptr_null (refusal (offer_with (full)));
}
END_TEST

/* Sealed to somebody else, or changed on the way. */
START_TEST (test_sealed)
{
  g_autofree char *other_dir = fixture_dir ();
  ck_assert (far_trust_keys_create (other_dir, NULL));
  g_autofree char *other = far_trust_box_public (other_dir, NULL);
  json_t *inner = credential (), *json = honest ();
  g_autofree char *sealed = far_seal (other, inner, NULL);
  json_object_set_new (json, "sealed", json_string (sealed));
  refused (json, "credential of session 's1'");
  json_decref (inner);
  json_t *changed = honest ();
  g_autofree char *text = g_strdup (agent_text (changed, "sealed"));
  text[40] = text[40] == 'A' ? 'B' : 'A';
  json_object_set_new (changed, "sealed", json_string (text));
  refused (changed, "credential of session 's1'");
  fixture_remove (g_steal_pointer (&other_dir));
}
END_TEST

/* This node's own profile: an offer narrows, never widens. */
START_TEST (test_own_rules)
{
  json_t *json = honest ();
  json_object_set_new (json, "device", json_string ("safe"));
  refused (json, "no device 'safe'");
  json = honest ();
  json_object_set_new (json, "for_us", json_integer (30 * MINUTE + 1));
  refused (json, "at most 30m");
  json = honest ();
  json_object_set_new (json, "login", json_string ("in-advance"));
  opts.in_advance = NULL;
  refused (json, "no login in advance");
  opts.login = NULL;
  refused (honest (), "no login in band");
  opts.login = (char *) "login";
  live = 2;
  refused (honest (), "2 sessions already");
}
END_TEST

/* Where a tunnel may be dialled: the host of the link, or what the profile names, and nothing else, whoever
 * says so. */
START_TEST (test_tunnel_ends)
{
  static const struct {
    const char *link, *list, *address;
    gboolean good;
  } rows[] = {
    { "cloud.example", NULL, "cloud.example:2222", TRUE },
    { "cloud.example", NULL, "CLOUD.example:9", TRUE },
    { "cloud.example", NULL, "0.0.0.0:2222", TRUE },
    { "cloud.example", NULL, "[::]:2222", TRUE },
    { "cloud.example", NULL, "127.0.0.1:2222", FALSE },
    { "cloud.example", NULL, "cloud.example.evil.example:2222", FALSE },
    { "cloud.example", NULL, "192.168.1.20:80", FALSE },
    { "192.0.2.1", NULL, "192.0.2.1:2222", TRUE },
    { "192.0.2.1", NULL, "192.0.2.10:2222", FALSE },
    { "2001:db8::1", NULL, "[2001:db8::1]:2222", TRUE },
    { "2001:db8::1", NULL, "[2001:db8:0::1]:2222", TRUE },
    { "2001:db8::1", NULL, "[::]:2222", TRUE },
    { "2001:db8::1", NULL, "[2001:db8::2]:2222", FALSE },
    { NULL, NULL, "192.0.2.1:2222", FALSE },
    { NULL, NULL, "0.0.0.0:2222", FALSE },
    { "cloud.example", "z1.example", "z1.example:1", TRUE },
    { "cloud.example", "z1.example", "cloud.example:1", FALSE },
    { "cloud.example", "z1.example", "0.0.0.0:1", FALSE },
    { "cloud.example", "cloud.example:2222", "0.0.0.0:2222", TRUE },
    { "cloud.example", "cloud.example:2222", "0.0.0.0:2223", FALSE },
    { "cloud.example", "z1.example z2.example:2222", "z2.example:2222", TRUE },
    { "cloud.example", "z2.example:2222", "z2.example:22", FALSE },
    { "cloud.example", "192.0.2.0/24", "192.0.2.200:22", TRUE },
    { "cloud.example", "192.0.2.0/24", "192.0.3.1:22", FALSE },
    { "cloud.example", "192.0.2.0/24", "192.0.2.0.evil.example:22", FALSE },
    { "cloud.example", "[2001:db8::5]:22", "[2001:db8::5]:22", TRUE },
    { "cloud.example", "[2001:db8::5]:22", "[2001:db8::5]:23", FALSE },
    { "cloud.example", "2001:db8::5", "[2001:db8::5]:23", TRUE },
    /* names that are looked up to the very same host, or to another: the text decides, nobody is asked */
    { "localhost", NULL, "127.0.0.1:22", FALSE },
    { "localhost", NULL, "[::1]:22", FALSE },
    { "127.0.0.1", NULL, "localhost:22", FALSE },
    { "cloud.example", NULL, "cloud.example.:22", FALSE },
    { "cloud.example", "127.0.0.0/8", "localhost:22", FALSE },
    { "cloud.example", "0.0.0.0/0", "localhost:22", FALSE },
    /* numbers as a resolver takes them, and not this list */
    { "192.0.2.1", "127.0.0.0/8", "127.1:22", FALSE },
    { "192.0.2.1", "127.0.0.1", "2130706433:22", FALSE },
    { "192.0.2.1", "127.0.0.1", "0x7f000001:22", FALSE },
    { "192.0.2.1", "127.0.0.1", "127.0.0.01:22", FALSE },
    { "192.0.2.1", NULL, "0:22", FALSE },
    { "192.0.2.1", NULL, "192.0.2.1.:22", FALSE },
    /* the other forms of an address of IPv6 */
    { "192.0.2.1", NULL, "[::ffff:192.0.2.1]:22", TRUE },
    { "192.0.2.1", NULL, "[::ffff:192.0.2.2]:22", FALSE },
    { "192.0.2.1", NULL, "[::192.0.2.1]:22", FALSE },
    { "192.0.2.1", "::/0", "[::ffff:127.0.0.1]:22", FALSE },
    { "192.0.2.1", NULL, "[64:ff9b::192.0.2.1]:22", FALSE },
    { "192.0.2.1", NULL, "[::0]:22", FALSE },
    { "192.0.2.1", NULL, "[0:0:0:0:0:0:0:0]:22", FALSE },
    { "192.0.2.1", NULL, "[::ffff:0.0.0.0]:22", FALSE },
    { "fe80::1", NULL, "[fe80::1%lo]:22", FALSE },
    { "cloud.example", "fe80::/10", "[fe80::1%lo]:22", FALSE },
    /* ports */
    { "cloud.example", "cloud.example:2222", "cloud.example:22", FALSE },
    { "cloud.example", "cloud.example:2222", "cloud.example:02222", TRUE },
    { "cloud.example", "[::ffff:192.0.2.1]:22", "192.0.2.1:22", TRUE },
    { "cloud.example", "[::ffff:192.0.2.1]:22", "192.0.2.1:23", FALSE },
  };
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_auto (GStrv) list = rows[i].list != NULL ? g_strsplit (rows[i].list, " ", 0) : NULL;
    json_t *inner = credential (), *json;
    opts.tunnel_ends = list;
    agent.link_from = (char *) rows[i].link;
    json_object_set_new (inner, "address", json_string (rows[i].address));
    json = offer_with (inner);
    json_object_set_new (json, "address", json_string (rows[i].address));
    g_autofree char *why = refusal (json);
    ck_assert_msg ((why == NULL) == rows[i].good, "link %s, list %s: %s: %s", rows[i].link, rows[i].list,
                   rows[i].address, why);
    ck_assert_msg (why == NULL || strstr (why, "tunnel-ends") != NULL, "%s", why);
  }
}
END_TEST

/* What the option takes. */
START_TEST (test_tunnel_ends_option)
{
  static const char *const good[] = { "cloud.example", "cloud.example:2222", "192.0.2.7",
                                      "192.0.2.0/24",  "[2001:db8::1]:22",   "2001:db8::1",
                                      "2001:db8::/32" };
  static const char *const bad[] = { "",          "cloud.example:0", "cloud.example:99999",
                                     "two words", "192.0.2.0/33",    "wss://cloud.example",
                                     "a/b" };
  for (guint i = 0; i < G_N_ELEMENTS (good) + G_N_ELEMENTS (bad); i++) {
    gboolean is_good = i < G_N_ELEMENTS (good);
    char *list[] = { (char *) (is_good ? good[i] : bad[i - G_N_ELEMENTS (good)]), NULL };
    g_autoptr (GError) error = NULL;
    opts.tunnel_ends = list;
    ck_assert_msg (agent_ends_good (&opts, &error) == is_good, "'%s'", list[0]);
    ck_assert_int_eq (error == NULL, is_good);
    ck_assert (is_good || strstr (error->message, "tunnel-ends") != NULL);
  }
}
END_TEST

START_TEST (test_hours)
{
  g_setenv ("TZ", "UTC", TRUE);
  GDateTime *now = g_date_time_new_from_unix_utc (far_clock_wall_us () / G_USEC_PER_SEC);
  static const char *const days[] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };
  int today = g_date_time_get_day_of_week (now) - 1;
  opts.hours = g_strdup_printf ("%s,%s", days[(today + 3) % 7], days[(today + 4) % 7]);
  refused (honest (), "only");
  g_free (opts.hours);
  opts.hours = (char *) "mon-sun";
  ck_assert_ptr_null (refusal (honest ()));
  g_date_time_unref (now);
}
END_TEST

/* The next generation of a session may change where to dial, nothing else. */
START_TEST (test_continues)
{
  static const struct {
    const char *key, *value, *word;
  } lies[] = {
    { "generation", "3", "old generation" },   { "generation", "2", "old generation" },
    { "device", "null", "another device" },    { "person", "\"bob\"", "another person" },
    { "entry", "\"ports\"", "another entry" }, { "login", "\"in-advance\"", "another entry" },
    { "for_us", "600000001", "longer time" },
  };
  AgentSession session = { .id = (char *) "s1",
                           .user = (char *) "alice",
                           .device = (char *) "boiler",
                           .entry = FAR_ENTRY_STREAM,
                           .generation = 3,
                           .for_us = 10 * MINUTE,
                           .transport = (char *) "tunnel",
                           .state = FAR_SESSION_RESUMING };
  g_auto (FarOffer) offer = { 0 };
  g_autoptr (GError) error = NULL;
  json_t *json = honest ();
  json_object_set_new (json, "generation", json_integer (4));
  ck_assert (agent_offer_read (&agent, json, &offer, NULL));
  ck_assert (agent_offer_continues (&session, &offer, NULL));
  session.transport = (char *) "direct"; /* by the other carrier, or by one that a reload has renamed */
  ck_assert (agent_offer_continues (&session, &offer, NULL));
  session.state = FAR_SESSION_CLOSED;
  ck_assert (!agent_offer_continues (&session, &offer, &error));
  ck_assert_ptr_nonnull (strstr (error->message, "closed"));
  g_clear_error (&error);
  session.state = FAR_SESSION_RESUMING;
  json_object_set_new (json, lies[_i].key, json_loads (lies[_i].value, JSON_DECODE_ANY, NULL));
  far_offer_clear (&offer);
  ck_assert (agent_offer_read (&agent, json, &offer, NULL));
  ck_assert (!agent_offer_continues (&session, &offer, &error));
  ck_assert_msg (strstr (error->message, lies[_i].word) != NULL, "%s", error->message);
  json_decref (json);
}
END_TEST
#define N_CONTINUES 7

/* ---- login in advance ---- */

static char *login_error;

static void
login_ended (FarRequest *req, gpointer loop)
{
  g_free (login_error);
  login_error = far_request_error (req) ? g_strdup (far_request_error (req)->message) : NULL;
  g_main_loop_quit (loop);
}

static json_t *
login_box (const char *nonce)
{
  return json_pack ("{s:s, s:s, s:s, s:s, s:s, s:I, s:s}", "nonce", nonce, "request", "r1", "person", "alice",
                    "password", "correct horse", "device", "boiler", "longest_us", (json_int_t) (10 * MINUTE),
                    "entry", "stream");
}

static const char *
try_login (json_t *plain /* takes */)
{
  g_auto (FarOffer) offer = { 0 };
  json_t *json = honest ();
  g_autofree char *sealed = plain ? far_seal (box, plain, NULL) : NULL;
  json_decref (plain);
  json_object_set_new (json, "login", json_string ("in-advance"));
  if (sealed)
    json_object_set_new (json, "login_box", json_string (sealed));
  ck_assert (agent_offer_read (&agent, json, &offer, NULL));
  GMainLoop *loop = g_main_loop_new (NULL, FALSE);
  far_offer_login (&offer, dir, agent.nonces, (const char *const *) in_advance,
                   far_request_new (login_ended, loop, 5000));
  g_main_loop_run (loop);
  g_main_loop_unref (loop);
  json_decref (json);
  return login_error;
}

static void
login_refused (json_t *plain, const char *word)
{
  const char *why = try_login (plain);
  ck_assert_msg (why && strstr (why, word), "'%s' does not say '%s'", why ? why : "taken", word);
  ck_assert_ptr_null (strstr (why, "correct horse"));
}

START_TEST (test_box)
{
  static const struct {
    const char *key, *value, *word;
  } lies[] = {
    { "request", "\"r2\"", "another request" },
    { "person", "\"bob\"", "another person" },
    { "device", "null", "another device" },
    { "device", "\"safe\"", "another device" },
    { "entry", "\"ports\"", "another entry" },
    { "longest_us", "600000001", "another time" },
    { "longest_us", "1", "another time" },
    { "password", "null", "no password" },
    { "nonce", "null", "nonce" },
    { "nonce", "\"somebodys\"", "nonce" },
    { "request", "null", "another request" },
  };
  g_autofree char *nonce = far_nonces_give (agent.nonces);
  json_t *plain = login_box (nonce);
  json_object_set_new (plain, lies[_i].key, json_loads (lies[_i].value, JSON_DECODE_ANY, NULL));
  login_refused (plain, lies[_i].word);
}
END_TEST
#define N_BOXES 11

/* A box that somebody copied is worth nothing: its nonce is spent by the first use, right or wrong. */
START_TEST (test_replayed)
{
  g_autofree char *nonce = far_nonces_give (agent.nonces), *other = far_nonces_give (agent.nonces);
  /* all fields fit: it gets as far as the authenticators */
  const char *first = try_login (login_box (nonce));
  ck_assert (!first || !strstr (first, "login box"));
  login_refused (login_box (nonce), "nonce");
  json_t *wrong = login_box (other);
  json_object_set_new (wrong, "person", json_string ("bob"));
  login_refused (wrong, "another person");
  login_refused (login_box (other), "nonce");
}
END_TEST

/* All who ask hang their own word on the nonce that this node gave: none is in the way of another, each is
 * good once. */
START_TEST (test_askers)
{
  g_autofree char *nonce = far_nonces_give (agent.nonces),
                  *foreign = g_strconcat ("x", nonce, ".alice", NULL), *cut = g_strndup (nonce, 8);
  g_autofree char *alice = g_strconcat (nonce, ".alice", NULL), *bob = g_strconcat (nonce, ".bob", NULL),
                  *part = g_strconcat (cut, ".alice", NULL);
  g_autofree char *filler = g_strnfill (200, 'a'), *long_word = g_strconcat (nonce, ".", filler, NULL);
  const char *first = try_login (login_box (alice));
  ck_assert (!first || !strstr (first, "login box"));
  first = try_login (login_box (bob));
  ck_assert (!first || !strstr (first, "login box"));
  login_refused (login_box (alice), "nonce");
  login_refused (login_box (bob), "nonce");
  login_refused (login_box (foreign), "nonce");
  login_refused (login_box (part), "nonce");
  login_refused (login_box (long_word), "nonce");
}
END_TEST

/* Another nonce goes out long before the one given is over: whoever was handed the old one while the new one
 * was under way still gets in. */
START_TEST (test_nonce_handed_over)
{
  g_autofree char *nonce = far_nonces_give (agent.nonces), *late = g_strconcat (nonce, ".late", NULL);
  guint uses = 0;
  for (; far_nonces_fresh (agent.nonces) && uses < 5000; uses++) {
    g_autofree char *one = g_strdup_printf ("%s.%u", nonce, uses);
    ck_assert_msg (far_nonces_spend (agent.nonces, one), "use %u", uses);
  }
  ck_assert_uint_lt (uses, 5000);
  const char *why = try_login (login_box (late));
  ck_assert_msg (!why || !strstr (why, "login box"), "%s", why);
  ck_assert (!far_nonces_fresh (agent.nonces));
}
END_TEST

/* What was used is remembered, and the memory has an end: then the nonce itself is over. */
START_TEST (test_nonce_wears_out)
{
  g_autofree char *nonce = far_nonces_give (agent.nonces), *first = g_strconcat (nonce, ".0", NULL);
  guint good = 0;
  for (guint i = 0; i < 2000; i++) {
    g_autofree char *one = g_strdup_printf ("%s.%u", nonce, i);
    good += far_nonces_spend (agent.nonces, one);
  }
  ck_assert_uint_ge (good, 64);
  ck_assert_uint_lt (good, 2000);
  ck_assert (!far_nonces_spend (agent.nonces, first));
  login_refused (login_box (first), "nonce");
  ck_assert (!far_nonces_fresh (agent.nonces));
}
END_TEST

START_TEST (test_nonce_ages)
{
  g_autofree char *nonce = far_nonces_give (agent.nonces);
  ck_assert (far_clock_advance (61 * MINUTE));
  login_refused (login_box (nonce), "nonce");
  g_autofree char *oldest = far_nonces_give (agent.nonces);
  for (guint i = 0; i < 40; i++)
    g_free (far_nonces_give (agent.nonces));
  login_refused (login_box (oldest), "nonce");
}
END_TEST

START_TEST (test_no_box)
{
  login_refused (NULL, "without a login box");
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  Suite *suite = suite_create ("agent");
  TCase *cases = tcase_create ("lies");
  tcase_add_checked_fixture (cases, set_up, tear_down);
  tcase_add_test (cases, test_honest);
  tcase_add_loop_test (cases, test_form, 0, N_BAD_FORMS);
  tcase_add_loop_test (cases, test_swapped, 0, N_SWAPPED);
  tcase_add_loop_test (cases, test_carrier, 0, N_CARRIER);
  tcase_add_test (cases, test_carrier_mixed);
  tcase_add_test (cases, test_carrier_elsewhere);
  tcase_add_test (cases, test_credential);
  tcase_add_test (cases, test_sealed);
  tcase_add_test (cases, test_own_rules);
  tcase_add_test (cases, test_tunnel_ends);
  tcase_add_test (cases, test_tunnel_ends_option);
  tcase_add_test (cases, test_hours);
  tcase_add_loop_test (cases, test_continues, 0, N_CONTINUES);
  tcase_add_loop_test (cases, test_box, 0, N_BOXES);
  tcase_add_test (cases, test_replayed);
  tcase_add_test (cases, test_askers);
  tcase_add_test (cases, test_nonce_handed_over);
  tcase_add_test (cases, test_nonce_wears_out);
  tcase_add_test (cases, test_nonce_ages);
  tcase_add_test (cases, test_no_box);
  suite_add_tcase (suite, cases);
  SRunner *runner = srunner_create (suite);
  srunner_run_all (runner, CK_NORMAL);
  int failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
