/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every kind of carrier must do (doc/carriers.md): each conform_* is one property, tried with a node
 * that has both ends. A new kind calls carrier_conform() with a row of its own. */
#pragma once
#include "life/reload.h"
#include "unit/ssh-help.h"

typedef struct {
  const char *accepts, *opens; /* names of the transports */
  const char *lines;           /* profile, with the authenticator wax and the tokens CONFORM_TOKENS */
  const char *from, *to;       /* a change of it that replaces both transports */
} CarrierConform;

#define CONFORM_TOKENS                                                                                       \
  "['t1 word-1 session/s1', 't1 word-2 session/s1', 't1 word-3 session/s2', 't1 word-4 session/gone', "      \
  "'t2 word-5 session/s1', 't1 word-6 session/s2']"

typedef struct {
  const CarrierConform *with;
  Side cloud, terminal;
  Echo device;
  FarTunnel *tunnel;
} Conform;

static inline void
conform_begin (Conform *c, const CarrierConform *with)
{
  *c = (Conform){ .with = with };
  echo_start (&c->device);
  c->terminal.device = &c->device;
  node_start (with->lines);
}

static inline void
conform_finish (Conform *c)
{
  node_stop ();
  echo_stop (&c->device);
  side_clear (&c->cloud);
  side_clear (&c->terminal);
  far_tunnel_free (c->tunnel);
}

static inline void
conform_reserve (Conform *c, const char *session)
{
  Answer answer = { 0 };
  FarCarrierSpec spec = { .session = session,
                          .peer = "t1",
                          .entry = FAR_ENTRY_STREAM,
                          .length_us = SECONDS (600) };
  g_clear_pointer (&c->tunnel, far_tunnel_free);
  c->cloud.carrier = far_carrier_reserve (c->with->accepts, &spec, &side_funcs, &c->cloud,
                                          far_request_new (answered, &answer, 0));
  answer_wait (&answer);
  ck_assert_msg (answer.error == NULL, "%s", answer.error != NULL ? answer.error->message : "");
  c->tunnel = answer.result;
  ck_assert_ptr_nonnull (json_object_get (c->tunnel->part, "address"));
}

/* NULL: it is up; else the error, to be freed. */
static inline GError *
conform_open_as (Conform *c, const char *session, const char *token, json_t *part)
{
  Answer answer = { 0 };
  FarRequest *req = far_request_new (answered, &answer, 0);
  FarCarrierOpen spec = { .session = session,
                          .part = part,
                          .address = json_string_value (json_object_get (part, "address")),
                          .token = token,
                          .length_us = SECONDS (600) };
  if (c->terminal.carrier != NULL)
    far_carrier_reopen (c->terminal.carrier, &spec, req);
  else
    c->terminal.carrier = far_carrier_open (c->with->opens, &spec, &side_funcs, &c->terminal, req);
  answer_wait (&answer);
  return answer.error;
}

static inline void
conform_open (Conform *c, const char *token)
{
  guint up = c->cloud.up + 1, up_there = c->terminal.up + 1;
  g_autoptr (GError) error = conform_open_as (c, "s1", token, c->tunnel->part);
  ck_assert_msg (error == NULL, "%s; log:\n%s", error != NULL ? error->message : "", ssh_logged ());
  await (&c->cloud.up, up);
  await (&c->terminal.up, up_there);
}

/* A person's stream, attached; the other end of it is theirs. */
static inline int
conform_person (Conform *c)
{
  int pair[2];
  struct timeval limit = { 10, 0 };
  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  setsockopt (pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  far_carrier_attach (c->cloud.carrier, far_stream_fd_new (far_loop_pick (), pair[1]), "192.0.2.7");
  return pair[0];
}

static inline void
conform_ends (Side *side, const char *cause)
{
  far_carrier_end (side->carrier, cause);
  help_wait (&side->ended);
  ck_assert_str_eq (side->cause, cause);
  g_clear_pointer (&side->carrier, far_carrier_unref);
}

/* ---- the properties ---- */

static inline void
conform_streams (Conform *c)
{
  conform_reserve (c, "s1");
  conform_open (c, "word-1");
  int one = conform_person (c), two = conform_person (c);
  ck_assert (person_hears_echo (one, "read holding registers"));
  ck_assert (person_hears_echo (two, "and another"));
  close (one);
  await (&c->cloud.closed, 1);
  await (&c->terminal.closed, 1);
  ck_assert (person_hears_echo (two, "still here"));
  close (two);
  await (&c->cloud.closed, 2);
  await (&c->terminal.closed, 2);
  ck_assert_uint_eq (c->cloud.bytes_up, 43);
  ck_assert_uint_eq (c->cloud.bytes_down, 43);
  ck_assert_uint_eq (c->terminal.bytes_up, 43);
  conform_ends (&c->cloud, "closed by the person");
  await (&c->terminal.lost, 1);
  ck_assert_int_eq (c->terminal.ended, 0);
  conform_ends (&c->terminal, "asked");
  ck_assert_str_eq (c->terminal.said->str, "up opened opened closed closed lost ended ");
}

/* A token that is wrong, another session's, of no session, another node's. */
static inline void
conform_refuses (Conform *c)
{
  static const char *const words[] = { "word-0", "", "word-3", "word-4", "word-5" };
  conform_reserve (c, "s1");
  for (guint i = 0; i < G_N_ELEMENTS (words); i++) {
    g_autoptr (GError) error = conform_open_as (c, "s1", words[i], c->tunnel->part);
    ck_assert_msg (g_error_matches (error, FAR_ERROR, FAR_ERROR_DENIED), "%s: %s", words[i],
                   error != NULL ? error->message : "let in");
    far_clock_advance (SECONDS (700)); /* past the slow-down for wrong logins */
    ck_assert_int_eq (c->cloud.ended, 0);
  }
  ck_assert_uint_eq (c->cloud.up, 0);
  conform_ends (&c->terminal, "given up");
  ck_assert_str_eq (c->terminal.said->str, "ended ");
}

/* A token is good once, and nowhere else. */
static inline void
conform_spends (Conform *c)
{
  conform_reserve (c, "s1");
  conform_open (c, "word-1");
  g_autoptr (GError) error = conform_open_as (c, "s1", "word-1", c->tunnel->part);
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_DENIED));
  ck_assert_uint_eq (c->cloud.up, 1);
  int person = conform_person (c);
  ck_assert (person_hears_echo (person, "still mine"));
  close (person);
}

/* The link is lost: what was open is cut; who comes meanwhile waits for the next generation. */
static inline void
conform_resumes (Conform *c)
{
  conform_reserve (c, "s1");
  conform_open (c, "word-1");
  int person = conform_person (c);
  ck_assert (person_hears_echo (person, "one"));
  conform_ends (&c->terminal, "cut for the test");
  await (&c->cloud.lost, 1);
  ck_assert (person_is_cut (person));
  close (person);
  await (&c->cloud.closed, 1);
  person = conform_person (c);
  ck_assert_int_eq (send (person, "two", 3, 0), 3);
  run_pending ();
  side_clear (&c->terminal);
  c->terminal.device = &c->device;
  conform_open (c, "word-2");
  char text[8] = "";
  ck_assert_int_eq (person_reads (person, text, sizeof text), 3);
  ck_assert_str_eq (text, "two");
  close (person);
  ck_assert_int_eq (c->cloud.ended, 0);
}

/* A new link takes the place of one that is still there. */
static inline void
conform_replaces (Conform *c)
{
  conform_reserve (c, "s1");
  conform_open (c, "word-1");
  conform_open (c, "word-2");
  ck_assert_uint_eq (c->cloud.lost, 1);
  int person = conform_person (c);
  ck_assert (person_hears_echo (person, "by the new one"));
  close (person);
}

static inline void
conform_deadline (Conform *c)
{
  conform_reserve (c, "s1");
  conform_open (c, "word-1");
  int person = conform_person (c);
  ck_assert (person_hears_echo (person, "x"));
  far_carrier_set_deadline (c->cloud.carrier, far_clock_boottime_us () + SECONDS (100));
  run_pending ();
  settle_workers ();
  far_clock_advance (SECONDS (101));
  help_wait (&c->cloud.ended);
  ck_assert_str_eq (c->cloud.cause, "deadline");
  ck_assert (person_is_cut (person));
  await (&c->terminal.lost, 1);
  ck_assert_int_eq (c->terminal.ended, 0);
  far_clock_advance (SECONDS (600)); /* its own */
  help_wait (&c->terminal.ended);
  ck_assert_str_eq (c->terminal.cause, "deadline");
  close (person);
}

/* Nothing of a person passes once it is shut, while the terminal has its link. */
static inline void
conform_shuts (Conform *c)
{
  conform_reserve (c, "s1");
  conform_open (c, "word-1");
  int person = conform_person (c);
  ck_assert (person_hears_echo (person, "before"));
  Answer answer = { 0 };
  far_carrier_shut (c->cloud.carrier, "closed by the user", far_request_new (answered, &answer, 0));
  answer_wait (&answer);
  int heard = g_atomic_int_get (&c->device.bytes);
  ck_assert_uint_eq (c->cloud.closed, 1);
  ck_assert_str_eq (c->cloud.cause, "closed by the user");
  send (person, "after", 5, MSG_NOSIGNAL);
  ck_assert (person_is_cut (person));
  int late = conform_person (c);
  ck_assert (person_is_cut (late));
  settle_workers ();
  ck_assert_int_eq (g_atomic_int_get (&c->device.bytes), heard);
  ck_assert_uint_eq (c->cloud.lost, 0);
  conform_ends (&c->cloud, "closed");
  close (person);
  close (late);
}

/* What the terminal cannot join is cut, and both live on. */
static inline void
conform_no_device (Conform *c)
{
  conform_reserve (c, "s1");
  c->terminal.device = NULL;
  conform_open (c, "word-1");
  int person = conform_person (c);
  ck_assert (person_is_cut (person));
  await (&c->terminal.refused, 1);
  c->terminal.device = &c->device;
  int other = conform_person (c);
  ck_assert (person_hears_echo (other, "now there is one"));
  close (person);
  close (other);
}

/* The instances go in the middle: both ends hear it, once. */
static inline void
conform_stops (Conform *c)
{
  conform_reserve (c, "s1");
  conform_open (c, "word-1");
  int person = conform_person (c);
  ck_assert (person_hears_echo (person, "x"));
  node_stop ();
  ck_assert_int_eq (c->cloud.ended, 1);
  ck_assert_int_eq (c->terminal.ended, 1);
  ck_assert (person_is_cut (person));
  close (person);
  far_carrier_end (c->cloud.carrier, "too late"); /* nobody is there any more: no harm */
  node_start (c->with->lines);
}

static inline void
conform_reload (Conform *c)
{
  g_auto (GStrv) parts = g_strsplit (c->with->lines, c->with->from, -1);
  g_autofree char *lines = g_strjoinv (c->with->to, parts),
                  *state = g_build_filename (ssh_folder, "state", NULL);
  g_autofree char *text = g_strdup_printf ("farwatch: 1\nnode: {id: t1, state: %s}\n%s", state, lines);
  g_autoptr (GPtrArray) faults = far_faults_new ();
  g_autoptr (GError) error = NULL;
  ck_assert_uint_ge (g_strv_length (parts), 2);
  write_file (ssh_folder, "test.yaml", text, -1);
  ck_assert_msg (far_reload (NULL, NULL, faults, &error), "%s", error != NULL ? error->message : "");
  run_pending ();
}

/* A reload puts other instances in the place of these: the session goes on, also by a new link, and the next
 * one is the new instances'. */
static inline void
conform_reloads (Conform *c)
{
  conform_reserve (c, "s1");
  conform_open (c, "word-1");
  int person = conform_person (c);
  ck_assert (person_hears_echo (person, "before"));
  FarInstance *old = far_instance_find (FAR_KIND_TRANSPORT, c->with->accepts, NULL);
  conform_reload (c);
  ck_assert_ptr_ne (far_instance_find (FAR_KIND_TRANSPORT, c->with->accepts, NULL), old);
  ck_assert (person_hears_echo (person, "after"));
  int other = conform_person (c);
  ck_assert (person_hears_echo (other, "a new one"));
  ck_assert_uint_eq (c->cloud.lost, 0);
  close (person);
  close (other);
  conform_ends (&c->cloud, "closed");
  conform_ends (&c->terminal, "closed");
  side_clear (&c->cloud);
  side_clear (&c->terminal);
  c->terminal.device = &c->device;
  conform_reserve (c, "s2");
  g_autoptr (GError) error = conform_open_as (c, "s2", "word-3", c->tunnel->part);
  ck_assert_msg (error == NULL, "%s", error != NULL ? error->message : "");
  await (&c->cloud.up, 1);
  person = conform_person (c);
  ck_assert (person_hears_echo (person, "by the new instance"));
  close (person);
}

/* An open that has no token yet: it waits, shows nothing and ends nothing. */
static inline FarRequest *
conform_prepare (Conform *c, Answer *answer)
{
  FarRequest *req = far_request_ref (far_request_new (answered, answer, 0));
  FarCarrierOpen spec = { .session = "s1",
                          .part = c->tunnel->part,
                          .address = json_string_value (json_object_get (c->tunnel->part, "address")),
                          .length_us = SECONDS (600) };
  c->terminal.carrier = far_carrier_open (c->with->opens, &spec, &side_funcs, &c->terminal, req);
  ck_assert_ptr_nonnull (c->terminal.carrier);
  settle_workers ();
  run_pending ();
  ck_assert (!far_request_ended (req));
  return req;
}

/* The way is prepared, and the token shown when somebody has decided: at once, or when both ends have come
 * some way. */
static inline void
conform_prepares (Conform *c)
{
  for (guint late = 0; late < 2; late++) {
    Answer answer = { 0 };
    conform_reserve (c, "s1");
    g_autoptr (FarRequest) req G_GNUC_UNUSED = conform_prepare (c, &answer);
    for (guint i = 0; late > 0 && i < 500; i++) {
      settle_workers ();
      run_pending ();
    }
    ck_assert_uint_eq (c->cloud.up + c->terminal.up, 0);
    far_carrier_show (c->terminal.carrier, late > 0 ? "word-2" : "word-1");
    answer_wait (&answer);
    ck_assert_msg (answer.error == NULL, "%s", answer.error != NULL ? answer.error->message : "");
    await (&c->cloud.up, 1);
    await (&c->terminal.up, 1);
    int person = conform_person (c);
    ck_assert (person_hears_echo (person, "prepared"));
    close (person);
    conform_ends (&c->cloud, "closed");
    conform_ends (&c->terminal, "closed");
    side_clear (&c->cloud);
    side_clear (&c->terminal);
    c->terminal.device = &c->device;
  }
}

/* A wrong token shown late is refused as any, and a way that is prepared ends as any: by its end, or with
 * its instance. */
static inline void
conform_prepares_in_vain (Conform *c)
{
  Answer wrong = { 0 }, ended = { 0 }, stopped = { 0 };
  conform_reserve (c, "s1");
  g_autoptr (FarRequest) first G_GNUC_UNUSED = conform_prepare (c, &wrong);
  far_carrier_show (c->terminal.carrier, "word-0");
  answer_wait (&wrong);
  ck_assert (g_error_matches (wrong.error, FAR_ERROR, FAR_ERROR_DENIED));
  g_clear_error (&wrong.error);
  conform_ends (&c->terminal, "given up");
  side_clear (&c->terminal);
  far_clock_advance (SECONDS (700));
  g_autoptr (FarRequest) second G_GNUC_UNUSED = conform_prepare (c, &ended);
  conform_ends (&c->terminal, "the login was refused");
  answer_wait (&ended);
  ck_assert_ptr_nonnull (ended.error);
  g_clear_error (&ended.error);
  side_clear (&c->terminal);
  g_autoptr (FarRequest) third G_GNUC_UNUSED = conform_prepare (c, &stopped);
  node_stop ();
  answer_wait (&stopped);
  ck_assert_ptr_nonnull (stopped.error);
  g_clear_error (&stopped.error);
  ck_assert_int_eq (c->terminal.ended, 1);
  far_carrier_show (c->terminal.carrier, "word-1"); /* nobody is there any more: no harm */
  node_start (c->with->lines);
}

static void (*const conform_properties[]) (Conform *c) = {
  conform_streams,  conform_refuses,  conform_spends,   conform_resumes,
  conform_replaces, conform_deadline, conform_shuts,    conform_no_device,
  conform_stops,    conform_reloads,  conform_prepares, conform_prepares_in_vain,
};

static inline void
carrier_conform (const CarrierConform *with, guint property)
{
  Conform c;
  conform_begin (&c, with);
  conform_properties[property](&c);
  conform_finish (&c);
}
