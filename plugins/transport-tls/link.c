/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The control connection of a session. Its words live at a loop, whoever hears them on main: this file is the
 * bridge between the two, and knows what neither of them may touch of the other. */
#include "config.h"

#include "direct.h"

/* Words on their way to main. Whoever says more than main can hear keeps them: neither does the loop read for
 * this one alone, nor do they pile up. */
#define LINK_WORDS 8

struct _DirectLink {
  gint refs;
  FarLoop *loop;
  FarPass *pass;
  const DirectLinkFuncs *funcs; /* [main] NULL: nothing is told any more */
  gpointer user;
  FarStream *stream; /* on its way to the loop */
  DirectConn *conn;  /* [loop] NULL: it is over */
  guint under_way;   /* [loop] words that main has not heard yet */
};

static void
direct_link_unref (DirectLink *link)
{
  if (!g_atomic_int_dec_and_test (&link->refs))
    return;
  far_gate_leave (link->pass);
  g_free (link);
}

static DirectLink *
direct_link_ref (DirectLink *link)
{
  g_atomic_int_inc (&link->refs);
  return link;
}

typedef struct {
  DirectLink *link;
  json_t *word;
  const char *cause;
} LinkPost;

static void
direct_link_post (DirectLink *link, FarLoop *to, FarLoopFunc func, json_t *word, const char *cause)
{
  LinkPost *post = g_new0 (LinkPost, 1);
  *post = (LinkPost){ direct_link_ref (link), word, cause };
  far_loop_post (to, func, post);
}

static void
direct_link_post_free (LinkPost *post)
{
  json_decref (post->word);
  direct_link_unref (post->link);
  g_free (post);
}

/* ---- from the loop to main ---- */

/* [loop] */
static void
direct_link_room (gpointer data)
{
  LinkPost *post = data;
  DirectLink *link = post->link;
  if (--link->under_way == 0 && link->conn != NULL)
    direct_conn_hold (link->conn, FALSE);
  direct_link_post_free (post);
}

static void
direct_link_heard (gpointer data)
{
  LinkPost *post = data;
  if (post->link->funcs != NULL)
    post->link->funcs->word (post->word, post->link->user);
  direct_link_post (post->link, post->link->loop, direct_link_room, NULL, NULL);
  direct_link_post_free (post);
}

static void
direct_link_ended (gpointer data)
{
  LinkPost *post = data;
  if (post->link->funcs != NULL)
    post->link->funcs->over (post->cause, post->link->user);
  direct_link_post_free (post);
}

static gboolean
direct_link_word (DirectConn *conn, json_t *word, gpointer user)
{
  DirectLink *link = user;
  direct_conn_hold (conn, ++link->under_way >= LINK_WORDS);
  direct_link_post (link, far_loop_main (), direct_link_heard, word, NULL);
  return TRUE;
}

static void
direct_link_over (DirectConn *conn, const char *cause, gpointer user)
{
  DirectLink *link = user;
  link->conn = NULL;
  direct_link_post (link, far_loop_main (), direct_link_ended, NULL, far_cause (cause));
  direct_link_unref (link);
}

static const DirectConnFuncs direct_link_funcs = { direct_link_word, direct_link_over };

/* ---- from main to the loop ---- */

static void
direct_link_begin (gpointer data)
{
  LinkPost *post = data;
  DirectLink *link = post->link;
  link->conn = direct_conn_new (g_steal_pointer (&link->stream), &direct_link_funcs, direct_link_ref (link));
  direct_link_post_free (post);
}

static void
direct_link_say_here (gpointer data)
{
  LinkPost *post = data;
  if (post->link->conn != NULL)
    direct_conn_say (post->link->conn, g_steal_pointer (&post->word));
  direct_link_post_free (post);
}

static void
direct_link_end (gpointer data)
{
  LinkPost *post = data;
  DirectLink *link = post->link;
  if (link->conn != NULL) {
    direct_conn_free (g_steal_pointer (&link->conn));
    direct_link_unref (link);
  }
  direct_link_post_free (post);
}

DirectLink *
direct_link_new (FarStream *stream, FarPass *pass, const DirectLinkFuncs *funcs, gpointer user)
{
  DirectLink *link = g_new0 (DirectLink, 1);
  *link = (DirectLink){ .refs = 1,
                        .loop = stream->loop,
                        .pass = pass,
                        .funcs = funcs,
                        .user = user,
                        .stream = stream };
  direct_link_post (link, link->loop, direct_link_begin, NULL, NULL);
  return link;
}

void
direct_link_say (DirectLink *link, json_t *word)
{
  direct_link_post (link, link->loop, direct_link_say_here, word, NULL);
}

void
direct_link_free (DirectLink *link)
{
  if (link == NULL)
    return;
  link->funcs = NULL;
  direct_link_post (link, link->loop, direct_link_end, NULL, NULL);
  direct_link_unref (link);
}
