/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How far one comes with a right, in any number of steps: as everybody whose password one could set and every
 * node one could enrol, until nothing new is reached. The table says what is meant to be reached; whatever
 * else is, is a way up that nobody gave. */
#include "config.h"

#include "unit/access-help.h"

#include "node/api.h"

enum {
  R_RIGHTS = 1 << 0,  /* gives rights: may all */
  R_ADMIN = 1 << 1,   /* is somebody of @admins */
  R_OP = 1 << 2,      /* is op, who manages terminals/north-* */
  R_PLAIN = 1 << 3,   /* is plain, who may only see and connect */
  R_NODE = 1 << 4,    /* enrolled a node of a free name */
  R_PLANT = 1 << 5,   /* plant-7 has dave's keys */
  R_CHANGED = 1 << 6, /* changed what plant-7 is */
  R_MOVED = 1 << 7,   /* put plant-7 into a group that others have rights to */
  R_REMOVED = 1 << 8, /* removed plant-7 */
  R_ALL = (1 << 9) - 1
};

#define PEOPLE R_PLAIN
#define ROUNDS 6 /* more than the longest way */

static const struct {
  const char *rights[4][2];
  guint reached;
} starts[] = {
  { { { "see", "*" } }, 0 },
  { { { "connect", "*" } }, 0 },
  { { { "act", "*" }, { "watch", "*" } }, 0 },
  { { { "approve", "*" } }, 0 },
  { { { "manage", "users/dave2" } }, 0 },
  { { { "manage", "users/*" } }, PEOPLE },
  { { { "manage", "users/*" }, { "manage", "groups/*" } }, PEOPLE },
  { { { "manage", "users/*" }, { "manage", "terminals/north-*" } }, PEOPLE | R_OP },
  { { { "manage", "users/*" }, { "manage", "enrollments" } }, PEOPLE | R_NODE },
  { { { "manage", "enrollments" } }, R_NODE },
  { { { "manage", "enrollments" }, { "approve", "*" }, { "see", "*" } }, R_NODE },
  { { { "manage", "enrollments" }, { "manage", "terminals/plant-7" } },
    R_NODE | R_PLANT | R_CHANGED | R_REMOVED },
  { { { "manage", "terminals/plant-7" } }, R_CHANGED | R_REMOVED },
  { { { "manage", "terminals/*" } }, R_CHANGED | R_REMOVED },
  { { { "manage", "terminals/plant-7/devices/*" } }, 0 },
  { { { "manage", "groups/pumps" } }, 0 },
  { { { "manage", "groups/pumps" }, { "manage", "terminals/plant-7" } }, R_CHANGED | R_MOVED | R_REMOVED },
  { { { "manage", "sites/north" }, { "manage", "users/*" } }, PEOPLE },
  { { { "manage", "rights/x" } }, 0 },
  { { { "manage", "node" } }, 0 },
  { { { "manage", "rights" } }, R_ALL }, /* that is what it means */
  { { { "manage", "*" } }, R_ALL },
};

/* ---- who dave is by now ---- */

typedef struct {
  const char *name, *group;
} Me;
static const Me people[] = {
  { "dave", NULL },      { "dave2", NULL },     { "plain", NULL },  { "op", "ops" },
  { "root2", "admins" }, { "dave2", "admins" }, { "dave2", "ops" },
};

typedef struct {
  gboolean is[G_N_ELEMENTS (people)];
  guint reached, got; /* got: people so far */
  char *keys;
} Climb;

static gboolean
good (const Me *me, const char *method, const char *resource, const char *body)
{
  json_t *json = body ? json_loads (body, 0, NULL) : NULL;
  Got got = me->group ? ask_member (me->name, me->group, method, resource, json)
                      : ask_person (me->name, method, resource, json);
  return got.status >= 200 && got.status < 300;
}

/* ---- steps ---- */

static void
step_people (Climb *climb, const Me *me)
{
  static const guint reached[] = { 0, 0, R_PLAIN, R_OP, R_ADMIN, R_ADMIN, R_OP };
  for (guint i = 1; i < G_N_ELEMENTS (people); i++) {
    gboolean given = people[i].group && strcmp (people[i].name, "dave2") == 0; /* the others are in theirs */
    g_autofree char *resource = g_strdup_printf ("users/%s", people[i].name);
    g_autofree char *whole = given ? g_strdup_printf ("{\"password\": \"x\", \"groups\": [\"%s\"]}",
                                                      people[i].group)
                                   : g_strdup ("{\"password\": \"x\"}");
    /* to whom dave is already */
    g_autofree char *more = g_strdup_printf ("{\"groups\": [\"%s\"]}", people[i].group);
    if (climb->is[i] ||
        (!good (me, "PUT", resource, whole) && !(given && climb->is[1] && good (me, "PUT", resource, more))))
      continue;
    climb->is[i] = TRUE;
    climb->got++;
    climb->reached |= reached[i];
  }
}

static char *
token_of (const Me *me, const char *node, gboolean replace)
{
  json_t *body = json_pack ("{s:s*, s:b}", "node", node, "replace", replace);
  Got got = me->group ? ask_member (me->name, me->group, "POST", "tokens", body)
                      : ask_person (me->name, "POST", "tokens", body);
  return got.status == 201 ? g_strdup (text_of (got.body, "token")) : NULL;
}

static void
step_nodes (Climb *climb, const Me *me)
{
  for (guint i = 0; i < 3; i++) {
    g_autofree char *token = token_of (me, i == 0 ? NULL : "plant-7", i == 2),
                    *other = token ? token_of (me, NULL, FALSE) : NULL;
    if (token && enrol (token, climb->keys, "plant-7").status == 200)
      climb->reached |= R_PLANT;
    if (other && enrol (other, climb->keys, "new").status == 200)
      climb->reached |= R_NODE;
  }
}

static void
step_terminals (Climb *climb, const Me *me)
{
  if (good (me, "PUT", "terminals/plant-7", "{\"note\": \"mine\"}"))
    climb->reached |= R_CHANGED;
  if (good (me, "PUT", "terminals/plant-7", "{\"groups\": [\"pumps\"]}"))
    climb->reached |= R_MOVED;
}

static void
step_rights (Climb *climb, const Me *me)
{
  if (good (me, "POST", "rights",
            "{\"id\": \"own\", \"who\": \"dave\", \"action\": \"manage\", \"object\": \"*\"}"))
    climb->reached |= R_RIGHTS;
}

static void
climb_run (Climb *climb)
{
  guint reached = ~0u, got = 0;
  for (guint round = 0; round < ROUNDS && (reached != climb->reached || got != climb->got); round++) {
    reached = climb->reached;
    got = climb->got;
    for (guint i = 0; i < G_N_ELEMENTS (people); i++)
      if (climb->is[i]) {
        step_terminals (climb, &people[i]);
        step_nodes (climb, &people[i]);
        step_people (climb, &people[i]);
        step_rights (climb, &people[i]);
      }
  }
  /* last, since it ends the others */
  for (guint i = 0; i < G_N_ELEMENTS (people); i++)
    if (climb->is[i] && good (&people[i], "DELETE", "terminals/plant-7", NULL))
      climb->reached |= R_REMOVED;
}

/* ---- the table ---- */

static void
set_up (void)
{
  far_api_start ();
  cloud_up_with_people ();
  grant ("@admins", "manage", "*");
  grant ("@ops", "manage", "terminals/north-*");
  grant ("plain", "connect", "terminals/*");
  grant ("alice", "connect", "groups/pumps");
  terminal_enrol ("plant-7");
  terminal_enrol ("north-1");
  ck_assert_uint_eq (ask_root ("PUT", "users/root2",
                               json_pack ("{s:s, s:[s]}", "password", "x", "groups", "admins"))
                         .status,
                     200);
  ck_assert_uint_eq (ask_root ("PUT", "users/op",
                               json_pack ("{s:s, s:[s]}", "password", "x", "groups", "ops"))
                         .status,
                     200);
}

static void
tear_down (void)
{
  cloud_down ();
  far_api_stop ();
}

START_TEST (nobody_comes_further_than_meant)
{
  g_autofree char *keys = new_keys ("dave");
  Climb climb = { .is = { TRUE }, .keys = keys };
  for (guint i = 0; i < 4 && starts[_i].rights[i][0]; i++)
    grant ("dave", starts[_i].rights[i][0], starts[_i].rights[i][1]);
  climb_run (&climb);
  ck_assert_msg (climb.reached == starts[_i].reached, "%s %s …: reached 0x%x, meant 0x%x",
                 starts[_i].rights[0][0], starts[_i].rights[0][1], climb.reached, starts[_i].reached);
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  Suite *suite = suite_create ("access-steps");
  TCase *cases = tcase_create ("steps");
  tcase_set_timeout (cases, 60);
  tcase_add_checked_fixture (cases, set_up, tear_down);
  tcase_add_loop_test (cases, nobody_comes_further_than_meant, 0, G_N_ELEMENTS (starts));
  suite_add_tcase (suite, cases);
  return run_suite (suite);
}
