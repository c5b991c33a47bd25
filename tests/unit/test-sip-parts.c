/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parts of the SIP registrar that need no network: digests (RFC 7616's vector), the table of bindings on a
 * clock of the test's, words of routes. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../plugins/transport-sip/bindings.h"
#include "../plugins/transport-sip/digest.h"
#include "../plugins/transport-sip/route.h"

/* ---- digests ---- */

START_TEST (the_vector_of_the_rfc)
{
  char ha1[65], response[65];
  sip_digest_ha1 ("Mufasa", "http-auth@example.org", "Circle of Life", ha1);
  sip_digest_response (ha1, "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "00000001",
                       "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "GET", "/dir/index.html", response);
  ck_assert_str_eq (response, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
}
END_TEST

typedef struct {
  SipDigest *digest;
  char *nonce, *last;
  guint32 count;
  char ha1[65];
} Login;

static void
login_begin (Login *login)
{
  char *users, *challenge;
  memset (login, 0, sizeof *login);
  sip_digest_ha1 ("R7", "x.example", "clear as mud", login->ha1);
  users = g_strdup_printf ("# who\nother:elsewhere:%s\nR7:x.example:%s\n", login->ha1, login->ha1);
  login->digest = sip_digest_new ("x.example", users, NULL);
  ck_assert_ptr_nonnull (login->digest);
  challenge = sip_digest_challenge (login->digest, 5, 1000, FALSE);
  login->nonce = g_strndup (strstr (challenge, "nonce=\"") + 7, 64);
  g_free (challenge);
  g_free (users);
}

static void
login_end (Login *login)
{
  sip_digest_free (login->digest);
  g_free (login->nonce);
  g_free (login->last);
}

/* more: a parameter in place of the one of its name, NULL: none. */
static SipDigestVerdict
login_try (Login *login, guint64 flow, gint64 now_us, const char *nc, const char *more)
{
  static const char *const names[] = { "username", "realm",  "nonce", "uri",      "response",
                                       "nc",       "cnonce", "qop",   "algorithm" };
  const char *values[] = { "\"R7\"", "\"x.example\"", NULL,     "\"sip:x.example\"", NULL, nc,
                           "\"c\"",  "auth",          "SHA-256" };
  const SipDigestAsk ask = { "REGISTER", "sip:x.example", flow, now_us, &login->last, &login->count };
  const char *user = NULL;
  char response[65];
  g_autoptr (GPtrArray) params = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *quoted = g_strdup_printf ("\"%s\"", login->nonce), *answer = NULL;
  sip_digest_response (login->ha1, login->nonce, nc, "c", "REGISTER", "sip:x.example", response);
  answer = g_strdup_printf ("\"%s\"", response);
  values[2] = quoted;
  values[4] = answer;
  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *start = g_strconcat (names[i], "=", NULL);
    if (more != NULL && g_str_has_prefix (more, start))
      g_ptr_array_add (params, g_strdup (more));
    else
      g_ptr_array_add (params, g_strconcat (start, values[i], NULL));
  }
  if (more != NULL && *more == '+')
    g_ptr_array_add (params, g_strdup (more + 1));
  g_ptr_array_add (params, NULL);
  SipDigestVerdict verdict = sip_digest_check (login->digest, (const char *const *) params->pdata, &ask,
                                               &user);
  ck_assert ((verdict == SIP_DIGEST_GOOD) == (g_strcmp0 (user, "R7") == 0));
  return verdict;
}

START_TEST (a_nonce_is_good_for_its_connection_and_time)
{
  Login login;
  login_begin (&login);
  ck_assert_int_eq (login_try (&login, 6, 2000, "00000001", NULL), SIP_DIGEST_STALE);
  ck_assert_int_eq (login_try (&login, 5, 2000, "00000001", NULL), SIP_DIGEST_GOOD);
  ck_assert_int_eq (login_try (&login, 5, 2000, "00000001", NULL), SIP_DIGEST_STALE);
  ck_assert_int_eq (login_try (&login, 5, 2000, "0000000a", NULL), SIP_DIGEST_GOOD);
  ck_assert_int_eq (login_try (&login, 5, 2000, "00000002", NULL), SIP_DIGEST_STALE);
  ck_assert_int_eq (login_try (&login, 5, 2000 + SIP_DIGEST_NONCE_US, "0000000b", NULL), SIP_DIGEST_STALE);
  ck_assert_int_eq (login_try (&login, 5, 1000 + SIP_DIGEST_NONCE_US, "0000000b", NULL), SIP_DIGEST_GOOD);
  login_end (&login);
}
END_TEST

START_TEST (what_is_wrong_is_no_login)
{
  static const char *const wrong[] = {
    "username=\"R8\"",
    "username=R\"7",
    "realm=\"y.example\"",
    "uri=\"sip:y.example\"",
    "nonce=\"abc\"",
    "nonce=\"\"",
    "nc=1",
    "nc=0000000g",
    "qop=auth-int",
    "algorithm=MD5",
    "response=\"abc\"",
    "cnonce=\"other\"",
    "+username=\"R7\"",
    "+response=\"00\"",
    "username=\"\"",
    "nc=00000000",
  };
  Login login;
  login_begin (&login);
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++)
    ck_assert_msg (login_try (&login, 5, 2000, "00000001", wrong[i]) == SIP_DIGEST_BAD, "%s", wrong[i]);
  ck_assert_int_eq (login_try (&login, 5, 2000, "00000000", NULL), SIP_DIGEST_STALE);
  ck_assert_int_eq (login_try (&login, 5, 2000, "00000001", NULL), SIP_DIGEST_GOOD);
  login_end (&login);
}
END_TEST

START_TEST (users_are_checked)
{
  static const char *const bad[] = { "", "R7:x.example", "R7:x.example:abc",
                                     ":x.example:", "R7:y.example:%s" };
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
    g_autoptr (GError) error = NULL;
    ck_assert_ptr_null (sip_digest_new ("x.example", bad[i], &error));
    ck_assert_ptr_nonnull (error);
  }
}
END_TEST

/* ---- bindings ---- */

#define S G_USEC_PER_SEC

static SipBindingResult
put (SipBindings *bindings, const char *account, guint64 flow, const char *contact, guint32 cseq,
     gint64 expires_s, gint64 now_us, guint64 *replaced)
{
  const SipBindingAsk ask = { account, flow, contact, "call", cseq, expires_s, now_us, now_us };
  return sip_bindings_put (bindings, &ask, replaced);
}

static void
count_gone (guint64 flow, gpointer user)
{
  *(guint64 *) user += flow;
}

START_TEST (the_newest_binding_stands)
{
  SipBindings *bindings = sip_bindings_new (10);
  guint64 replaced;
  ck_assert_int_eq (put (bindings, "R1", 1, "sip:a", 1, 60, 0, &replaced), SIP_BINDING_DONE);
  ck_assert_int_eq (replaced, 0);
  ck_assert_int_eq (put (bindings, "R1", 1, "sip:b", 1, 60, 0, &replaced), SIP_BINDING_OLD);
  ck_assert_str_eq (sip_bindings_find (bindings, "R1", 0)->contact, "sip:a");
  ck_assert_int_eq (put (bindings, "R1", 2, "sip:b", 2, 60, S, &replaced), SIP_BINDING_DONE);
  ck_assert_int_eq (replaced, 1);
  ck_assert (!sip_bindings_drop (bindings, "R1", 1));
  ck_assert_int_eq (put (bindings, "R1", 2, "sip:other", 3, 0, S, &replaced), SIP_BINDING_DONE);
  ck_assert_ptr_nonnull (sip_bindings_find (bindings, "R1", S));
  ck_assert (sip_bindings_drop (bindings, "R1", 2));
  ck_assert_ptr_null (sip_bindings_find (bindings, "R1", S));
  ck_assert (sip_bindings_known (bindings, "R1") && !sip_bindings_known (bindings, "R2"));
  sip_bindings_free (bindings);
}
END_TEST

START_TEST (bindings_end_by_time)
{
  SipBindings *bindings = sip_bindings_new (10);
  guint64 replaced, gone = 0;
  put (bindings, "R1", 1, "sip:a", 9, 60, 0, &replaced);
  put (bindings, "R2", 2, "sip:b", 1, 61, 0, &replaced);
  ck_assert_ptr_nonnull (sip_bindings_find (bindings, "R1", 60 * S - 1));
  ck_assert_ptr_null (sip_bindings_find (bindings, "R1", 60 * S));
  ck_assert_int_eq (put (bindings, "R1", 1, "sip:a", 1, 0, 60 * S, &replaced), SIP_BINDING_DONE);
  put (bindings, "R1", 1, "sip:a", 9, 60, 0, &replaced);
  sip_bindings_expire (bindings, 60 * S, count_gone, &gone);
  ck_assert_int_eq (gone, 1);
  ck_assert_int_eq (sip_bindings_count (bindings), 1);
  sip_bindings_free (bindings);
}
END_TEST

START_TEST (there_is_room_for_so_many)
{
  SipBindings *bindings = sip_bindings_new (2);
  guint64 replaced;
  put (bindings, "R2", 2, "sip:b", 1, 60, 0, &replaced);
  put (bindings, "R1", 1, "sip:a", 1, 60, 0, &replaced);
  ck_assert_int_eq (put (bindings, "R3", 3, "sip:c", 1, 60, 0, &replaced), SIP_BINDING_FULL);
  ck_assert_int_eq (put (bindings, "R1", 4, "sip:a", 2, 60, 0, &replaced), SIP_BINDING_DONE);
  GPtrArray *list = sip_bindings_list (bindings);
  ck_assert_uint_eq (list->len, 2);
  ck_assert_str_eq (((SipBinding *) list->pdata[0])->account, "R1");
  g_ptr_array_unref (list);
  sip_bindings_free (bindings);
}
END_TEST

/* ---- routes ---- */

START_TEST (a_route_leads_to_the_other_one)
{
  const guint8 key[SIP_ROUTE_KEY] = { 1 }, other_key[SIP_ROUTE_KEY] = { 2 };
  g_autofree char *word = sip_route_word (key, "R1", "R2"), *one = sip_route_other (key, word, "R1"),
                  *two = sip_route_other (key, word, "R2"), *swapped = g_strdup_printf ("R1~R3%s", word + 5);
  ck_assert_str_eq (one, "R2");
  ck_assert_str_eq (two, "R1");
  ck_assert_ptr_null (sip_route_other (key, word, "R3"));
  ck_assert_ptr_null (sip_route_other (other_key, word, "R1"));
  ck_assert_ptr_null (sip_route_other (key, swapped, "R1"));
  ck_assert_ptr_null (sip_route_other (key, "R1~R2", "R1"));
  ck_assert_ptr_null (sip_route_other (key, "", ""));
  word[strlen (word) - 1] ^= 1;
  ck_assert_ptr_null (sip_route_other (key, word, "R1"));
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("sip-parts");
  TCase *tcase = tcase_create ("all");
  tcase_add_test (tcase, the_vector_of_the_rfc);
  tcase_add_test (tcase, a_nonce_is_good_for_its_connection_and_time);
  tcase_add_test (tcase, what_is_wrong_is_no_login);
  tcase_add_test (tcase, users_are_checked);
  tcase_add_test (tcase, the_newest_binding_stands);
  tcase_add_test (tcase, bindings_end_by_time);
  tcase_add_test (tcase, there_is_room_for_so_many);
  tcase_add_test (tcase, a_route_leads_to_the_other_one);
  suite_add_tcase (suite, tcase);
  SRunner *runner = srunner_create (suite);
  srunner_set_tap (runner, "-");
  srunner_run_all (runner, CK_ENV);
  int failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
