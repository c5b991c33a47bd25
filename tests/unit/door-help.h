/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What tests of messages, rights, login and the control socket share: principals, a collector of answers, the
 * test clock. */
#pragma once
#include <farwatch/clock.h>
#include <farwatch/message.h>
#include <farwatch/right.h>

#include "node/api.h"
#include "auth/right.h"
#include "message/router.h"
#include "unit/core-help.h"

static inline FarPrincipal *
person (const char *name, const char *from)
{
  return far_principal_new (FAR_PRINCIPAL_PERSON, name, NULL, from);
}

static inline FarPrincipal *
root (void)
{
  FarPrincipal *principal = far_principal_new (FAR_PRINCIPAL_LOCAL, "root", NULL, "");

  principal->super = TRUE;
  return principal;
}

/* A right in force from text: "alice connect terminals/t1", then JSON members ("hours": …) without braces, or
 * NULL. */
static inline void
give (const char *id, const char *who, const char *action, const char *object, const char *more)
{
  g_autofree char
      *text = g_strdup_printf ("{\"id\":\"%s\",\"who\":\"%s\",\"action\":\"%s\",\"object\":\"%s\"%s%s}", id,
                               who, action, object, more != NULL ? "," : "", more != NULL ? more : "");
  json_t *right = json_loads (text, 0, NULL);
  g_autoptr (GError) error = NULL;

  ck_assert_msg (right != NULL, "%s", text);
  ck_assert_msg (far_right_set (right, &error), "%s: %s", text, error != NULL ? error->message : "");
  json_decref (right);
}

typedef struct {
  guint n;
  gboolean last;
  GPtrArray *answers;
} Heard;

static inline void
heard (FarMessage *answer, gboolean last, gpointer user)
{
  Heard *to = user;

  if (to->answers == NULL)
    to->answers = g_ptr_array_new_with_free_func ((GDestroyNotify) far_message_unref);
  g_ptr_array_add (to->answers, far_message_ref (answer));
  to->n++;
  to->last = last;
}

static inline gboolean
is_last (gpointer data)
{
  return ((Heard *) data)->last;
}

static inline void
heard_clear (Heard *to)
{
  g_clear_pointer (&to->answers, g_ptr_array_unref);
  *to = (Heard){ 0 };
}

static inline FarMessage *
heard_at (Heard *to, guint i)
{
  ck_assert_uint_lt (i, to->n);
  return to->answers->pdata[i];
}

/* Asks and waits: status of the one answer; *body (may be NULL): new reference. */
static inline guint
ask_as (FarPrincipal *principal, const char *method, const char *resource, const char *text, json_t **body)
{
  g_autoptr (FarMessage)
      request = far_message_request (method, resource, text != NULL ? json_loads (text, 0, NULL) : NULL);
  Heard to = { 0 };
  guint status;

  far_api_submit (principal, NULL, request, heard, &to);
  ck_assert_uint_eq (to.n, 0); /* never inside the call */
  ck_assert (run_until (is_last, &to));
  ck_assert_uint_eq (to.n, 1);
  status = heard_at (&to, 0)->status;
  if (body != NULL)
    *body = heard_at (&to, 0)->body != NULL ? far_message_json (heard_at (&to, 0), NULL) : NULL;
  heard_clear (&to);
  return status;
}

static inline void
forward (gint64 seconds)
{
  ck_assert (far_clock_advance (seconds * G_USEC_PER_SEC));
  run_pending ();
}
