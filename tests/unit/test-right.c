/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rights: who may what, when, from where, how long; and what one may know of. */
#include "config.h"

#include <time.h>

#include "auth/hours.h"
#include "unit/door-help.h"

#define SECOND ((gint64) G_USEC_PER_SEC)

static void
setup (void)
{
  g_setenv ("TZ", "UTC", TRUE);
  tzset ();
  far_right_clear ();
}

static void
teardown (void)
{
  far_right_clear ();
}

static FarDecision
may (const FarPrincipal *who, FarAction action, const char *object, gint64 length_us, const char **cause)
{
  FarCircumstances how = { .length_us = length_us };

  return far_authorize (who, action, object, &how, cause);
}

/* "2026-11-20 22:30" UTC, a Friday */
static gint64
at (const char *text)
{
  g_autofree char *iso = g_strdup_printf ("%.10sT%s:00Z", text, text + 11);
  g_autoptr (GDateTime) time = g_date_time_new_from_iso8601 (iso, NULL);

  ck_assert_ptr_nonnull (time);
  return g_date_time_to_unix (time) * G_USEC_PER_SEC;
}

START_TEST (nothing_is_allowed_by_default)
{
  g_autoptr (FarPrincipal) alice = person ("alice", "192.0.2.1"),
                           nobody = far_principal_new (FAR_PRINCIPAL_NONE, NULL, NULL, NULL);
  g_autoptr (FarPrincipal) local = far_principal_new (FAR_PRINCIPAL_LOCAL, "bob", NULL, NULL),
                           node = far_principal_new (FAR_PRINCIPAL_NODE, "t1", NULL, NULL);
  const FarPrincipal *const all[] = { alice, nobody, local, node };

  for (guint i = 0; i < G_N_ELEMENTS (all); i++)
    for (guint bit = 0; bit < 8; bit++) {
      const char *cause = NULL;
      FarDecision answer = far_authorize (all[i], 1u << bit, "terminals/t9", NULL, &cause);

      ck_assert_int_eq (answer, FAR_DECISION_DENY);
      ck_assert_str_eq (cause, "no right");
    }
  ck_assert (!far_visible (alice, "terminals/t9"));
  ck_assert (!far_visible (nobody, "terminals/t9"));
}
END_TEST

START_TEST (root_may_all_but_is_no_node)
{
  g_autoptr (FarPrincipal) super = root ();

  ck_assert_int_eq (may (super, FAR_ACTION_MANAGE, "rights", 0, NULL), FAR_DECISION_ALLOW);
  ck_assert_int_eq (may (super, FAR_ACTION_CONNECT_RAW, "terminals/t1", 0, NULL), FAR_DECISION_ALLOW);
  ck_assert_int_eq (may (super, FAR_ACTION_NODE, "terminals/t1", 0, NULL), FAR_DECISION_DENY);
  ck_assert (far_visible (super, "terminals/t1"));
  super->via = g_strdup ("t1"); /* a node's claim of a root is worth nothing */
  ck_assert_int_eq (may (super, FAR_ACTION_MANAGE, "rights", 0, NULL), FAR_DECISION_DENY);
  ck_assert (!far_visible (super, "terminals/t1"));
}
END_TEST

START_TEST (an_object_covers_what_is_below)
{
  g_autoptr (FarPrincipal) alice = person ("alice", "");

  give ("r", "alice", "connect", "terminals/t1", NULL);
  ck_assert_int_eq (may (alice, FAR_ACTION_CONNECT, "terminals/t1", 0, NULL), FAR_DECISION_ALLOW);
  ck_assert_int_eq (may (alice, FAR_ACTION_CONNECT, "terminals/t1/devices/d", 0, NULL), FAR_DECISION_ALLOW);
  ck_assert_int_eq (may (alice, FAR_ACTION_CONNECT, "terminals/t10", 0, NULL), FAR_DECISION_DENY);
  ck_assert_int_eq (may (alice, FAR_ACTION_CONNECT, "terminals", 0, NULL), FAR_DECISION_DENY);
  ck_assert_int_eq (may (alice, FAR_ACTION_MANAGE, "terminals/t1", 0, NULL), FAR_DECISION_DENY);
}
END_TEST

START_TEST (a_right_to_a_device_is_none_to_its_terminal)
{
  g_autoptr (FarPrincipal) alice = person ("alice", "");

  give ("r", "alice", "connect", "terminals/t1/devices/plc", NULL);
  ck_assert_int_eq (may (alice, FAR_ACTION_CONNECT, "terminals/t1/devices/plc", 0, NULL), FAR_DECISION_ALLOW);
  ck_assert_int_eq (may (alice, FAR_ACTION_CONNECT, "terminals/t1", 0, NULL), FAR_DECISION_DENY);
  ck_assert_int_eq (may (alice, FAR_ACTION_CONNECT, "terminals/t1/devices/cam", 0, NULL), FAR_DECISION_DENY);
  ck_assert (far_visible (alice, "terminals/t1")); /* or it could not be found in a list */
  ck_assert (!far_visible (alice, "terminals/t1/devices/cam"));
  ck_assert (!far_visible (alice, "terminals/t2"));
}
END_TEST

/* What the right covers is seen; what it is part of is known by its name and no more; a part of what is
 * covered is covered. */
static const struct {
  const char *object;
  gboolean known, seen;
} looks[] = {
  { "terminals", TRUE, FALSE },
  { "terminals/t1", TRUE, FALSE },
  { "terminals/t1/devices", TRUE, FALSE },
  { "terminals/t1/devices/plc", TRUE, TRUE },
  { "terminals/t1/devices/plc/more", TRUE, TRUE },
  { "terminals/t1/devices/cam", FALSE, FALSE },
  { "terminals/t1/statement", FALSE, FALSE },
  { "terminals/t2", FALSE, FALSE },
};

START_TEST (to_know_of_is_not_to_see)
{
  static const char *const actions[] = { "see",  "connect", "connect-raw", "watch",
                                         "copy", "act",     "approve",     "manage" };

  for (guint i = 0; i < G_N_ELEMENTS (actions); i++) {
    g_autoptr (FarPrincipal) alice = person ("alice", "");

    give ("r", "alice", actions[i], "terminals/t1/devices/plc", NULL);
    ck_assert (far_visible (alice, looks[_i].object) == looks[_i].known);
    ck_assert (far_authorize_see (alice, looks[_i].object) == looks[_i].seen);
    ck_assert_int_eq (may (alice, FAR_ACTION_KNOW, looks[_i].object, 0, NULL),
                      looks[_i].known ? FAR_DECISION_ALLOW : FAR_DECISION_DENY);
    ck_assert_int_eq (may (alice, FAR_ACTION_SEE, looks[_i].object, 0, NULL),
                      looks[_i].seen ? FAR_DECISION_ALLOW : FAR_DECISION_DENY);
  }
}
END_TEST

START_TEST (a_claim_sees_what_both_see)
{
  g_autoptr (FarPrincipal) claimed = person ("alice", "");

  claimed->via = g_strdup ("front");
  give ("r", "alice", "connect", "terminals/t1", NULL);
  give ("n", "node:front", "connect", "terminals/*/devices/plc", NULL);
  ck_assert (far_visible (claimed, "terminals/t1"));
  ck_assert (!far_authorize_see (claimed, "terminals/t1"));
  ck_assert (far_authorize_see (claimed, "terminals/t1/devices/plc"));
}
END_TEST

/* A right to a part of what has further names shows no more than a right by its own name. */
START_TEST (a_site_is_seen_like_its_terminals)
{
  static const char *const north[] = { "sites/north", NULL };
  g_autoptr (FarPrincipal) alice = person ("alice", "");
  int owner;

  far_right_alias (&owner, "terminals/t1", north);
  give ("r", "alice", "connect", "sites/north/devices/plc", NULL);
  ck_assert (far_visible (alice, "terminals/t1"));
  ck_assert (!far_authorize_see (alice, "terminals/t1"));
  ck_assert (far_authorize_see (alice, "terminals/t1/devices/plc"));
  far_right_alias (&owner, "terminals/t1", NULL);
}
END_TEST

static const struct {
  const char *pattern, *object;
  gboolean covers;
} globs[] = {
  { "terminals/*", "terminals/t1", TRUE },
  { "terminals/*", "terminals/t1/devices/d", TRUE },
  { "terminals/*", "terminals", FALSE },
  { "terminals/plant-?", "terminals/plant-a", TRUE },
  { "terminals/plant-?", "terminals/plant-10", FALSE },
  { "terminals/*/devices/plc*", "terminals/t7/devices/plc2", TRUE },
  { "terminals/*/devices/plc*", "terminals/t7/devices/cam", FALSE },
  { "terminals/*/devices/plc*", "terminals/t7", FALSE },
  { "*", "terminals/t1", TRUE },
  { "*", "rights", TRUE },
  { "t*", "terminals/t1", TRUE },
  { "terminals/a*b", "terminals/a/b", FALSE }, /* a star stays within its part */
};

START_TEST (globs_stay_within_a_part)
{
  g_autoptr (FarPrincipal) alice = person ("alice", "");

  give ("r", "alice", "connect", globs[_i].pattern, NULL);
  ck_assert_msg ((may (alice, FAR_ACTION_CONNECT, globs[_i].object, 0, NULL) == FAR_DECISION_ALLOW) ==
                     globs[_i].covers,
                 "%s on %s", globs[_i].pattern, globs[_i].object);
}
END_TEST

START_TEST (who_is_meant)
{
  const char *const ops[] = { "ops", NULL };
  g_autoptr (FarPrincipal) alice = far_principal_new (FAR_PRINCIPAL_PERSON, "alice", ops, ""),
                           bob = person ("bob", "");
  g_autoptr (FarPrincipal) local = far_principal_new (FAR_PRINCIPAL_LOCAL, "alice", NULL, ""),
                           node = far_principal_new (FAR_PRINCIPAL_NODE, "alice", NULL, "");

  give ("r", "@ops", "see", "terminals/g", NULL);
  give ("s", "local:alice", "connect", "terminals/l", NULL);
  give ("t", "*", "act", "terminals/a", NULL);
  give ("u", "person:bob", "watch", "terminals/b", NULL);
  ck_assert (far_visible (alice, "terminals/g"));
  ck_assert (!far_visible (bob, "terminals/g"));
  ck_assert_int_eq (may (local, FAR_ACTION_CONNECT, "terminals/l", 0, NULL), FAR_DECISION_ALLOW);
  ck_assert_int_eq (may (alice, FAR_ACTION_CONNECT, "terminals/l", 0, NULL), FAR_DECISION_DENY);
  ck_assert_int_eq (may (bob, FAR_ACTION_ACT, "terminals/a", 0, NULL), FAR_DECISION_ALLOW);
  ck_assert_int_eq (may (local, FAR_ACTION_ACT, "terminals/a", 0, NULL), FAR_DECISION_ALLOW);
  ck_assert_int_eq (may (node, FAR_ACTION_ACT, "terminals/a", 0, NULL), FAR_DECISION_DENY);
  ck_assert_int_eq (may (bob, FAR_ACTION_WATCH, "terminals/b", 0, NULL), FAR_DECISION_ALLOW);
}
END_TEST

START_TEST (manage_is_neither_watch_nor_copy_nor_connect)
{
  g_autoptr (FarPrincipal) alice = person ("alice", "");

  give ("r", "alice", "manage", "*", NULL);
  ck_assert_int_eq (may (alice, FAR_ACTION_MANAGE, "terminals/t", 0, NULL), FAR_DECISION_ALLOW);
  ck_assert_int_eq (may (alice, FAR_ACTION_SEE, "terminals/t", 0, NULL), FAR_DECISION_ALLOW);
  ck_assert_int_eq (may (alice, FAR_ACTION_WATCH, "terminals/t", 0, NULL), FAR_DECISION_DENY);
  ck_assert_int_eq (may (alice, FAR_ACTION_COPY, "terminals/t", 0, NULL), FAR_DECISION_DENY);
  ck_assert_int_eq (may (alice, FAR_ACTION_CONNECT, "terminals/t", 0, NULL), FAR_DECISION_DENY);
}
END_TEST

START_TEST (an_object_has_further_names)
{
  static const char *const north[] = { "sites/north hall", "groups/pumps", NULL }, *const south[] = {
    "sites/south", NULL
  };
  g_autoptr (FarPrincipal) alice = person ("alice", ""), bob = person ("bob", ""),
                           node = far_principal_new (FAR_PRINCIPAL_NODE, "t1", NULL, "");
  int owner, other;

  far_right_alias (&owner, "terminals/t1", north);
  far_right_alias (&owner, "terminals/t2", south);
  give ("r", "alice", "connect", "sites/north hall", NULL);
  give ("s", "bob", "connect", "groups/*/devices/plc*", "\"longest\":\"5m\"");
  ck_assert_int_eq (may (alice, FAR_ACTION_CONNECT, "terminals/t1", 0, NULL), FAR_DECISION_ALLOW);
  ck_assert_int_eq (may (alice, FAR_ACTION_CONNECT, "terminals/t1/devices/d", 0, NULL), FAR_DECISION_ALLOW);
  ck_assert_int_eq (may (alice, FAR_ACTION_CONNECT, "terminals/t2", 0, NULL), FAR_DECISION_DENY);
  ck_assert_int_eq (may (alice, FAR_ACTION_MANAGE, "terminals/t1", 0, NULL), FAR_DECISION_DENY);
  ck_assert_int_eq (may (bob, FAR_ACTION_CONNECT, "terminals/t1/devices/plc7", 0, NULL), FAR_DECISION_ALLOW);
  ck_assert_int_eq (may (bob, FAR_ACTION_CONNECT, "terminals/t1/devices/plc7", 600 * SECOND, NULL),
                    FAR_DECISION_DENY);
  ck_assert_int_eq (may (bob, FAR_ACTION_CONNECT, "terminals/t1/devices/cam", 0, NULL), FAR_DECISION_DENY);
  ck_assert (far_visible (alice, "terminals/t1"));
  ck_assert (far_visible (bob, "terminals/t1"));
  ck_assert (!far_visible (alice, "terminals/t2"));
  /* a node is itself by its own name only */
  ck_assert_int_eq (may (node, FAR_ACTION_NODE, "terminals/t1", 0, NULL), FAR_DECISION_ALLOW);
  ck_assert_int_eq (may (node, FAR_ACTION_NODE, "terminals/t2", 0, NULL), FAR_DECISION_DENY);
  far_right_alias (&other, "terminals/t1", NULL); /* not the owner's */
  ck_assert_int_eq (may (alice, FAR_ACTION_CONNECT, "terminals/t1", 0, NULL), FAR_DECISION_ALLOW);
  far_right_alias (&owner, "terminals/t1", NULL);
  far_right_alias (&owner, "terminals/t2", NULL);
  ck_assert_int_eq (may (alice, FAR_ACTION_CONNECT, "terminals/t1", 0, NULL), FAR_DECISION_DENY);
  ck_assert (!far_visible (bob, "terminals/t1"));
}
END_TEST

static const struct {
  const char *hours, *when;
  int minutes;
  gboolean has;
} hours[] = {
  /* 2026-11-20 is a Friday, 21 a Saturday, 22 a Sunday, 23 a Monday */
  { "mon-fri 08:00-18:00", "2026-11-20 08:00", 0, TRUE },
  { "mon-fri 08:00-18:00", "2026-11-20 07:59", 0, FALSE },
  { "mon-fri 08:00-18:00", "2026-11-20 17:59", 0, TRUE },
  { "mon-fri 08:00-18:00", "2026-11-20 18:00", 0, FALSE },
  { "mon-fri 08:00-18:00", "2026-11-21 12:00", 0, FALSE },
  { "mon-fri 08:00-18:00", "2026-11-20 17:30", 30, TRUE },
  { "mon-fri 08:00-18:00", "2026-11-20 17:31", 30, FALSE },
  { "fri 22:00-06:00", "2026-11-20 23:30", 0, TRUE },
  { "fri 22:00-06:00", "2026-11-21 05:59", 0, TRUE },
  { "fri 22:00-06:00", "2026-11-21 06:00", 0, FALSE },
  { "fri 22:00-06:00", "2026-11-20 05:00", 0, FALSE }, /* that is Thursday's night */
  { "fri 22:00-06:00", "2026-11-21 22:30", 0, FALSE },
  { "fri 22:00-06:00", "2026-11-20 23:50", 60, TRUE },
  { "22:00-06:00", "2026-11-24 01:00", 0, TRUE },
  { "sat-mon", "2026-11-22 12:00", 0, TRUE },
  { "sat-mon", "2026-11-23 23:59", 0, TRUE },
  { "sat-mon", "2026-11-24 00:00", 0, FALSE },
  { "fri,sun 00:00-24:00", "2026-11-22 23:59", 0, TRUE },
  { "fri,sun 00:00-24:00", "2026-11-21 00:00", 0, FALSE },
  { "fri 08:00-12:00; fri 13:00-17:00", "2026-11-20 12:30", 0, FALSE },
  { "fri 08:00-12:00; fri 13:00-17:00", "2026-11-20 13:30", 0, TRUE },
  { "fri 08:00-12:00; fri 13:00-17:00", "2026-11-20 11:30", 120, FALSE },
  { "mon-sun", "2026-11-20 11:30", 24 * 60 + 1, FALSE },
};

START_TEST (hours_of_the_week)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (FarHours) parsed = far_hours_parse (hours[_i].hours, &error);

  ck_assert_ptr_nonnull (parsed);
  ck_assert_msg (far_hours_has (parsed, at (hours[_i].when), hours[_i].minutes * 60 * SECOND) ==
                     hours[_i].has,
                 "%s at %s for %d min", hours[_i].hours, hours[_i].when, hours[_i].minutes);
}
END_TEST

START_TEST (bad_hours_are_refused)
{
  static const char *const texts[] = { "",
                                       "day",
                                       "mon-fry",
                                       "mon 8:00-18:00",
                                       "mon 08:00",
                                       "mon 08:00-08:00",
                                       "mon 24:00-25:00",
                                       "mon 08:00-18:60",
                                       "mon tue",
                                       ";",
                                       "mon 08:00-18:00 x",
                                       "-",
                                       "mon-" };
  g_autoptr (GError) error = NULL;

  ck_assert_ptr_null (far_hours_parse (texts[_i], &error));
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_INVALID));
}
END_TEST

START_TEST (hours_of_a_right)
{
  g_autoptr (FarPrincipal) alice = person ("alice", "");
  FarCircumstances friday = { .wall_us = at ("2026-11-20 12:00") },
                   sunday = { .wall_us = at ("2026-11-22 12:00") };
  const char *cause = NULL;

  give ("r", "alice", "connect", "terminals/t", "\"hours\":\"mon-fri 08:00-18:00\"");
  ck_assert_int_eq (far_authorize (alice, FAR_ACTION_CONNECT, "terminals/t", &friday, &cause),
                    FAR_DECISION_ALLOW);
  ck_assert_int_eq (far_authorize (alice, FAR_ACTION_CONNECT, "terminals/t", &sunday, &cause),
                    FAR_DECISION_DENY);
  ck_assert_str_eq (cause, "outside hours");
}
END_TEST

START_TEST (longest_time)
{
  g_autoptr (FarPrincipal) alice = person ("alice", "");
  const char *cause = NULL;

  give ("r", "alice", "connect", "terminals/t", "\"longest\":\"30m\"");
  ck_assert_int_eq (may (alice, FAR_ACTION_CONNECT, "terminals/t", 30 * 60 * SECOND, &cause),
                    FAR_DECISION_ALLOW);
  ck_assert_int_eq (may (alice, FAR_ACTION_CONNECT, "terminals/t", 30 * 60 * SECOND + 1, &cause),
                    FAR_DECISION_DENY);
  ck_assert_str_eq (cause, "too long");
  ck_assert (far_visible (alice, "terminals/t"));
}
END_TEST

static const struct {
  const char *nets, *from;
  gboolean in;
} nets[] = {
  { "192.0.2.0/24", "192.0.2.255", TRUE },
  { "192.0.2.0/24", "192.0.3.0", FALSE },
  { "192.0.2.7", "192.0.2.7", TRUE },
  { "192.0.2.7", "192.0.2.8", FALSE },
  { "2001:db8::/32", "2001:db8:1::5", TRUE },
  { "2001:db8::/32", "2001:db9::1", FALSE },
  { "2001:db8::1", "2001:db8::1", TRUE },
  { "192.0.2.0/24", "2001:db8::1", FALSE },
  { "::/0", "192.0.2.1", FALSE },
  { "0.0.0.0/0", "198.51.100.1", TRUE },
  { "192.0.2.0/24", "::ffff:192.0.2.9", TRUE },
  { "10.0.0.0/8, 192.0.2.0/24", "192.0.2.1", TRUE },
  { "10.0.0.0/8,192.0.2.0/24", "10.9.9.9", TRUE },
  { "192.0.2.128/25", "192.0.2.127", FALSE },
  { "192.0.2.0/24", "", FALSE },
  { "192.0.2.0/24", "unix", FALSE },
  { "192.0.2.0/24", "garbage", FALSE },
};

START_TEST (nets_of_a_right)
{
  g_autoptr (FarPrincipal) alice = person ("alice", nets[_i].from);
  g_autofree char *more = g_strdup_printf ("\"from\":\"%s\"", nets[_i].nets);
  const char *cause = NULL;
  FarDecision answer;

  give ("r", "alice", "connect", "terminals/t", more);
  answer = may (alice, FAR_ACTION_CONNECT, "terminals/t", 0, &cause);
  ck_assert_msg ((answer == FAR_DECISION_ALLOW) == nets[_i].in, "%s from %s", nets[_i].nets, nets[_i].from);
  if (!nets[_i].in)
    ck_assert_str_eq (cause, "wrong address");
}
END_TEST

START_TEST (until_and_the_principals_own_end)
{
  g_autoptr (FarPrincipal) alice = person ("alice", ""), gone = person ("gone", "");
  const char *cause = NULL;

  give ("r", "alice", "connect", "terminals/t", "\"until\":\"2020-01-01\"");
  give ("s", "gone", "connect", "terminals/t", NULL);
  ck_assert_int_eq (may (alice, FAR_ACTION_CONNECT, "terminals/t", 0, &cause), FAR_DECISION_DENY);
  ck_assert_str_eq (cause, "expired");
  ck_assert (!far_visible (alice, "terminals/t"));
  ck_assert_int_eq (may (gone, FAR_ACTION_CONNECT, "terminals/t", 0, &cause), FAR_DECISION_ALLOW);
  gone->until_us = far_clock_wall_us () - 1;
  ck_assert_int_eq (may (gone, FAR_ACTION_CONNECT, "terminals/t", 0, &cause), FAR_DECISION_DENY);
  ck_assert_int_eq (may (gone, FAR_ACTION_NONE, "terminals", 0, &cause), FAR_DECISION_DENY);
  ck_assert (!far_visible (gone, "terminals/t"));
}
END_TEST

START_TEST (approval_unless_another_right_needs_none)
{
  g_autoptr (FarPrincipal) alice = person ("alice", "");
  const char *cause = NULL;

  give ("r", "alice", "connect", "terminals/t", "\"needs\":\"approval\"");
  ck_assert_int_eq (may (alice, FAR_ACTION_CONNECT, "terminals/t", 0, &cause), FAR_DECISION_NEEDS_APPROVAL);
  give ("s", "alice", "connect", "terminals/t", "\"longest\":\"5m\"");
  ck_assert_int_eq (may (alice, FAR_ACTION_CONNECT, "terminals/t", 60 * G_USEC_PER_SEC, &cause),
                    FAR_DECISION_ALLOW);
  ck_assert_int_eq (may (alice, FAR_ACTION_CONNECT, "terminals/t", 600 * G_USEC_PER_SEC, &cause),
                    FAR_DECISION_NEEDS_APPROVAL);
}
END_TEST

START_TEST (a_claim_is_worth_what_both_may)
{
  g_autoptr (FarPrincipal) claimed = person ("alice", ""),
                           node = far_principal_new (FAR_PRINCIPAL_NODE, "front", NULL, "");

  claimed->via = g_strdup ("front");
  give ("r", "alice", "connect", "terminals/t", NULL);
  ck_assert_int_eq (may (claimed, FAR_ACTION_CONNECT, "terminals/t", 0, NULL), FAR_DECISION_DENY);
  give ("n", "node:front", "connect", "terminals/*", NULL);
  ck_assert_int_eq (may (claimed, FAR_ACTION_CONNECT, "terminals/t", 0, NULL), FAR_DECISION_ALLOW);
  ck_assert (far_visible (claimed, "terminals/t"));
  give ("m", "alice", "manage", "*", NULL);
  /* the node's ceiling */
  ck_assert_int_eq (may (claimed, FAR_ACTION_MANAGE, "rights", 0, NULL), FAR_DECISION_DENY);
  /* its own right */
  ck_assert_int_eq (may (node, FAR_ACTION_CONNECT, "terminals/t", 0, NULL), FAR_DECISION_ALLOW);
}
END_TEST

START_TEST (nodes_act_about_themselves)
{
  g_autoptr (FarPrincipal) node = far_principal_new (FAR_PRINCIPAL_NODE, "t1", NULL, ""),
                           alice = person ("t1", "");

  ck_assert_int_eq (may (node, FAR_ACTION_NODE, "terminals/t1/devices", 0, NULL), FAR_DECISION_ALLOW);
  ck_assert_int_eq (may (node, FAR_ACTION_NODE, "terminals/t2/devices", 0, NULL), FAR_DECISION_DENY);
  ck_assert_int_eq (may (node, FAR_ACTION_NODE, "poll", 0, NULL), FAR_DECISION_ALLOW);
  ck_assert_int_eq (may (node, FAR_ACTION_NONE, "terminals", 0, NULL), FAR_DECISION_DENY);
  ck_assert_int_eq (may (alice, FAR_ACTION_NODE, "terminals/t1", 0, NULL), FAR_DECISION_DENY);
  ck_assert (far_visible (node, "terminals/t1"));
  ck_assert (!far_visible (node, "terminals/t2"));
}
END_TEST

START_TEST (the_nearest_miss_is_the_cause)
{
  g_autoptr (FarPrincipal) alice = person ("alice", "192.0.2.1");
  const char *cause = NULL;

  give ("a", "alice", "connect", "terminals/t", "\"until\":\"2020-01-01\"");
  give ("b", "alice", "connect", "terminals/t", "\"from\":\"198.51.100.0/24\"");
  give ("c", "alice", "connect", "terminals/t", "\"longest\":\"1m\"");
  may (alice, FAR_ACTION_CONNECT, "terminals/t", 3600 * SECOND, &cause);
  ck_assert_str_eq (cause, "too long");
}
END_TEST

static const char *
said (json_t *answer, gsize i)
{
  return json_string_value (json_object_get (json_array_get (json_object_get (answer, "rights"), i), "says"));
}

START_TEST (explain_shows_what_concerns_one_in_order)
{
  static const char *const groups[] = { "pumps", NULL };
  g_autoptr (FarPrincipal) alice = far_principal_new (FAR_PRINCIPAL_PERSON, "alice", groups, "192.0.2.1");
  FarCircumstances how = { .length_us = 3600 * SECOND };
  json_t *answer;
  char *text;

  give ("secret-1", "bob", "connect", "terminals/t", NULL);
  give ("b", "alice", "see", "terminals/t", NULL);
  give ("secret-2", "@chiefs", "manage", "terminals/hidden", NULL);
  give ("c", "*", "connect", "terminals/u", NULL);
  give ("secret-3", "local:alice", "connect", "terminals/t", NULL);
  give ("secret-4", "node:alice", "connect", "terminals/t", NULL);
  give ("d", "@pumps", "connect", "terminals/t", "\"longest\":\"1m\"");
  answer = far_explain (alice, FAR_ACTION_CONNECT, "terminals/t", &how);
  ck_assert_str_eq (json_string_value (json_object_get (answer, "result")), "deny");
  ck_assert_str_eq (json_string_value (json_object_get (answer, "cause")), "too long");
  ck_assert_uint_eq (json_array_size (json_object_get (answer, "rights")), 3);
  ck_assert_str_eq (said (answer, 0), "other action");
  ck_assert_str_eq (said (answer, 1), "other object");
  ck_assert_str_eq (said (answer, 2), "too long");
  ck_assert_int_eq (json_integer_value (json_object_get (answer, "others")), 4);
  text = json_dumps (answer, 0);
  ck_assert_ptr_null (strstr (text, "secret"));
  ck_assert_ptr_null (strstr (text, "hidden"));
  free (text);
  json_decref (answer);
}
END_TEST

/* To see takes a right of any action; a right to a part shows the name, which is not what was asked. */
START_TEST (explain_of_see)
{
  g_autoptr (FarPrincipal) alice = person ("alice", "");
  json_t *answer;

  give ("a", "alice", "connect", "terminals/t/devices/d", NULL);
  give ("b", "alice", "connect", "terminals/t", "\"until\":\"2020-01-01\"");
  answer = far_explain (alice, FAR_ACTION_SEE, "terminals/t", NULL);
  ck_assert_str_eq (json_string_value (json_object_get (answer, "result")), "deny");
  ck_assert_str_eq (said (answer, 0), "other object");
  ck_assert_str_eq (said (answer, 1), "expired");
  json_decref (answer);
  answer = far_explain (alice, FAR_ACTION_SEE, "terminals/t/devices/d", NULL);
  ck_assert_str_eq (json_string_value (json_object_get (answer, "result")), "allow");
  ck_assert_str_eq (said (answer, 0), "yes");
  json_decref (answer);
}
END_TEST

/* A claim is judged as node and person, so both parts are shown. */
START_TEST (explain_of_a_claim)
{
  g_autoptr (FarPrincipal) claimed = person ("alice", "");
  json_t *answer;

  claimed->via = g_strdup ("front");
  give ("p", "alice", "connect", "terminals/t", NULL);
  give ("n", "node:front", "connect", "terminals/t",
        "\"hours\":\"mon 00:00-00:01; tue 00:00-00:01\",\"from\":\"203.0.113.0/24\"");
  give ("o", "node:other", "connect", "terminals/t", NULL);
  answer = far_explain (claimed, FAR_ACTION_CONNECT, "terminals/t", NULL);
  ck_assert_str_eq (json_string_value (json_object_get (answer, "who")), "person:alice via node:front");
  ck_assert_str_eq (json_string_value (json_object_get (answer, "result")), "deny");
  ck_assert_uint_eq (json_array_size (json_object_get (answer, "rights")), 2);
  ck_assert_str_eq (said (answer, 0), "yes");
  ck_assert_str_eq (said (answer, 1), "wrong address");
  ck_assert_str_eq (json_string_value (json_object_get (answer, "cause")), "wrong address");
  ck_assert_int_eq (json_integer_value (json_object_get (answer, "others")), 1);
  json_decref (answer);
}
END_TEST

static const struct {
  const char *object;
  gboolean ok;
} objects[] = {
  { "terminals/t1", TRUE },
  { "terminals", TRUE },
  { "*", TRUE },
  { "term*/x", TRUE },
  { "node", TRUE },
  { "nodes/n", TRUE },
  { "sites/north hall", TRUE },
  { "groups/g/devices/*", TRUE },
  { "users/u", TRUE },
  { "rights", TRUE },
  { "enrollments", TRUE },
  { "terminal/t1", FALSE },
  { "Terminals/t1", FALSE },
  { "t1", FALSE },
  { "devices/d", FALSE },
  { "x*", FALSE },
  { "pumps/p1", FALSE },
};

START_TEST (objects_are_of_a_family)
{
  json_t *right = json_pack ("{s:s, s:s, s:s}", "who", "alice", "action", "see", "object",
                             objects[_i].object);
  g_autoptr (GError) error = NULL;

  ck_assert_msg (far_right_family_ok (right, &error) == objects[_i].ok, "%s", objects[_i].object);
  if (!objects[_i].ok)
    ck_assert_ptr_nonnull (strstr (error->message, "terminals"));
  json_decref (right);
}
END_TEST

/* A service of another source tree brings objects of its own. */
START_TEST (a_service_brings_its_family)
{
  static const FarHandler handlers[] = {
    { "GET", "pumps/{p}", FAR_ACTION_SEE },
    { "POST", "noise", FAR_ACTION_NONE },
    { "PUT", "mine", FAR_ACTION_NODE },
    { NULL },
  };
  json_t *right = json_pack ("{s:s}", "object", "pumps/p1"), *noise = json_pack ("{s:s}", "object", "noise"),
         *mine = json_pack ("{s:s}", "object", "mine");

  far_right_family_learn (handlers);
  ck_assert (far_right_family_ok (right, NULL));
  ck_assert (!far_right_family_ok (noise, NULL)); /* nobody asks rights about it */
  ck_assert (!far_right_family_ok (mine, NULL));
  json_decref (right);
  json_decref (noise);
  json_decref (mine);
}
END_TEST

START_TEST (a_right_in_words)
{
  json_t *right = json_loads ("{\"who\":\"@ops\",\"action\":\"connect\",\"object\":\"terminals/"
                              "t\",\"needs\":\"approval\",\"hours\":\"mon-fri\",\"longest\":\"30m\","
                              "\"from\":\"192.0.2.0/24\",\"until\":\"2099-01-01\"}",
                              0, NULL);
  g_autofree char *text = far_right_text (right), *none = far_right_text (NULL);

  ck_assert_str_eq (text, "@ops may connect terminals/t, hours mon-fri, longest 30m, from 192.0.2.0/24, "
                          "needs approval, until 2099-01-01");
  ck_assert_str_eq (none, "- may - -");
  json_decref (right);
}
END_TEST

static const char *const bad_rights[] = {
  "{}",
  "[]",
  "{\"who\":\"a\",\"action\":\"see\"}",
  "{\"who\":\"a\",\"action\":\"fly\",\"object\":\"x\"}",
  "{\"who\":\"\",\"action\":\"see\",\"object\":\"x\"}",
  "{\"who\":\"a b\",\"action\":\"see\",\"object\":\"x\"}",
  "{\"who\":\"@\",\"action\":\"see\",\"object\":\"x\"}",
  "{\"who\":\"a\",\"action\":\"node\",\"object\":\"x\"}",
  "{\"who\":\"a\",\"action\":\"anyone\",\"object\":\"x\"}",
  "{\"who\":\"a\",\"action\":\"know\",\"object\":\"x\"}",
  "{\"who\":\"a\",\"action\":\"see\",\"object\":\"\"}",
  "{\"who\":\"a\",\"action\":\"see\",\"object\":\"a//b\"}",
  "{\"who\":\"a\",\"action\":\"see\",\"object\":\"a/b/c/d/e/f/g/h/i\"}",
  "{\"who\":\"a\",\"action\":\"see\",\"object\":\"x\",\"needs\":\"luck\"}",
  "{\"who\":\"a\",\"action\":\"see\",\"object\":\"x\",\"longest\":\"soon\"}",
  "{\"who\":\"a\",\"action\":\"see\",\"object\":\"x\",\"longest\":5}",
  "{\"who\":\"a\",\"action\":\"see\",\"object\":\"x\",\"from\":\"home\"}",
  "{\"who\":\"a\",\"action\":\"see\",\"object\":\"x\",\"from\":\"192.0.2.0/33\"}",
  "{\"who\":\"a\",\"action\":\"see\",\"object\":\"x\",\"until\":\"later\"}",
  "{\"who\":\"a\",\"action\":\"see\",\"object\":\"x\",\"id\":\"a b\"}",
  "{\"who\":\"a\",\"action\":\"see\",\"object\":\"x\",\"hours\":\"noon\"}",
  "{\"who\":\"a\",\"action\":\"see\",\"object\":\"x\",\"surprise\":\"y\"}",
};

START_TEST (bad_rights_are_refused)
{
  json_t *right = json_loads (bad_rights[_i], 0, NULL);
  g_autoptr (GError) error = NULL;

  ck_assert_ptr_nonnull (right);
  ck_assert_msg (!far_right_check (right, &error), "%s was taken", bad_rights[_i]);
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_INVALID));
  json_decref (right);
}
END_TEST

START_TEST (rights_of_the_profile_stay_the_profiles)
{
  g_autoptr (FarPrincipal) alice = person ("alice", "");
  json_t *list =
      json_loads ("[{\"id\":\"p\",\"who\":\"alice\",\"action\":\"connect\",\"object\":\"terminals/t\"}]", 0,
                  NULL);
  json_t *bad_list = json_loads ("[{\"who\":\"alice\"}]", 0, NULL),
         *same = json_loads ("{\"id\":\"p\",\"who\":\"bob\",\"action\":\"see\",\"object\":\"x\"}", 0, NULL);
  json_t *empty = json_array ();
  g_autoptr (GError) error = NULL;

  give ("q", "alice", "act", "terminals/t", NULL);
  ck_assert (far_right_set_profile (list, NULL));
  ck_assert (!far_right_set (same, &error));
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_CONFLICT));
  ck_assert (!far_right_remove ("p"));
  ck_assert (far_right_exists ("p") && far_right_is_profile ("p"));
  ck_assert (!far_right_set_profile (bad_list, NULL)); /* the old ones stay */
  ck_assert_int_eq (may (alice, FAR_ACTION_CONNECT, "terminals/t", 0, NULL), FAR_DECISION_ALLOW);
  ck_assert (far_right_set_profile (empty, NULL));
  ck_assert_int_eq (may (alice, FAR_ACTION_CONNECT, "terminals/t", 0, NULL), FAR_DECISION_DENY);
  /* given at run time: untouched */
  ck_assert_int_eq (may (alice, FAR_ACTION_ACT, "terminals/t", 0, NULL), FAR_DECISION_ALLOW);
  ck_assert (far_right_remove ("q"));
  json_decref (list);
  json_decref (bad_list);
  json_decref (same);
  json_decref (empty);
}
END_TEST

START_TEST (actions_have_names)
{
  g_autofree char *given = far_right_actions (" ");

  for (guint bit = 0; bit <= 10; bit++)
    ck_assert_uint_eq (far_action_parse (far_action_name (1u << bit)), 1u << bit);
  ck_assert_uint_eq (far_action_parse ("fly"), FAR_ACTION_NONE);
  /* no right gives the others */
  ck_assert_str_eq (given, "see connect connect-raw watch copy act approve manage");
}
END_TEST

START_TEST (principals_have_texts)
{
  g_autoptr (FarPrincipal) alice = person ("alice", ""), super = root (),
                           nobody = far_principal_new (FAR_PRINCIPAL_NONE, "x", NULL, NULL);
  g_autofree char *a = far_principal_text (alice), *b = far_principal_text (super),
                  *c = far_principal_text (nobody), *d = NULL;

  ck_assert_str_eq (a, "person:alice");
  ck_assert_str_eq (b, "local:root");
  ck_assert_str_eq (c, "nobody");
  alice->via = g_strdup ("front");
  d = far_principal_text (alice);
  ck_assert_str_eq (d, "person:alice via node:front"); /* never the same as the person themselves */
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("right");
  TCase *tc = tcase_create ("right");

  tcase_add_checked_fixture (tc, setup, teardown);
  tcase_add_test (tc, nothing_is_allowed_by_default);
  tcase_add_test (tc, root_may_all_but_is_no_node);
  tcase_add_test (tc, an_object_covers_what_is_below);
  tcase_add_test (tc, a_right_to_a_device_is_none_to_its_terminal);
  tcase_add_loop_test (tc, to_know_of_is_not_to_see, 0, G_N_ELEMENTS (looks));
  tcase_add_test (tc, a_claim_sees_what_both_see);
  tcase_add_test (tc, a_site_is_seen_like_its_terminals);
  tcase_add_loop_test (tc, globs_stay_within_a_part, 0, G_N_ELEMENTS (globs));
  tcase_add_test (tc, who_is_meant);
  tcase_add_test (tc, manage_is_neither_watch_nor_copy_nor_connect);
  tcase_add_test (tc, an_object_has_further_names);
  tcase_add_loop_test (tc, hours_of_the_week, 0, G_N_ELEMENTS (hours));
  tcase_add_loop_test (tc, bad_hours_are_refused, 0, 13);
  tcase_add_test (tc, hours_of_a_right);
  tcase_add_test (tc, longest_time);
  tcase_add_loop_test (tc, nets_of_a_right, 0, G_N_ELEMENTS (nets));
  tcase_add_test (tc, until_and_the_principals_own_end);
  tcase_add_test (tc, approval_unless_another_right_needs_none);
  tcase_add_test (tc, a_claim_is_worth_what_both_may);
  tcase_add_test (tc, nodes_act_about_themselves);
  tcase_add_test (tc, the_nearest_miss_is_the_cause);
  tcase_add_test (tc, explain_shows_what_concerns_one_in_order);
  tcase_add_test (tc, explain_of_see);
  tcase_add_test (tc, explain_of_a_claim);
  tcase_add_loop_test (tc, objects_are_of_a_family, 0, G_N_ELEMENTS (objects));
  tcase_add_test (tc, a_service_brings_its_family);
  tcase_add_test (tc, a_right_in_words);
  tcase_add_loop_test (tc, bad_rights_are_refused, 0, G_N_ELEMENTS (bad_rights));
  tcase_add_test (tc, rights_of_the_profile_stay_the_profiles);
  tcase_add_test (tc, actions_have_names);
  tcase_add_test (tc, principals_have_texts);
  suite_add_tcase (suite, tc);
  return run_suite (suite);
}
