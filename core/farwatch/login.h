/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Login. An interface fills a FarLogin, core asks the authenticators in the profile's order; each answers
 * allow | deny | defer | ask. All defer = deny. Failures count per (name, source) across all interfaces:
 * after 3 the next try is delayed (1 s, doubling to 32 s), after 10 none is made for 10 minutes; 30 of any
 * names from one source likewise, but for who logged in from there within a day. Tries wait for their turn in
 * a bounded queue, sources in turn, else "busy". Keys and certificates are no guesses and do not count. An
 * unknown name costs the same time as a wrong password. (spec B6, B8)
 * Functions are [main] unless their comment says otherwise. */
#pragma once
#include <farwatch/instance.h>
#include <farwatch/request.h>
#include <farwatch/right.h>

G_BEGIN_DECLS

typedef enum {
  FAR_LOGIN_PASSWORD,
  FAR_LOGIN_KEY,
  FAR_LOGIN_CERTIFICATE,
  FAR_LOGIN_TOKEN,
  FAR_LOGIN_CONVERSATION
} FarLoginForm;

typedef struct {
  char *name; /* as the person typed it; at most 64 bytes */
  FarLoginForm form;
  char *secret; /* password or token; cleared on free. NULL for a key */
  /* "ssh-ed25519 AAAA…": a key whose possession the interface HAS verified (or asks about, probe TRUE) */
  char *key;
  gboolean probe;  /* key: would it be accepted? nothing is counted */
  char *interface; /* "ssh", "https", "control", "tunnel" */
  char *from;      /* address */
  /* another node told the address: tries of the name over this interface count together as well, whatever
   * address is told */
  gboolean told_from;
  char *asker;   /* told_from: for whom the other node opened this way; NULL: nobody told */
  GStrv answers; /* CONVERSATION: answers to the last prompts */
} FarLogin;
/* A login to be filled; name, interface and from are copied, NULL reads "". Free with far_login_free(),
 * unless far_login() has taken it. [one thread] */
FarLogin *far_login_new (FarLoginForm form, const char *name, const char *interface, const char *from);
/* Clears its secrets; NULL is fine. [one thread] */
void far_login_free (FarLogin *login);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FarLogin, far_login_free)

typedef enum { FAR_VERDICT_DEFER, FAR_VERDICT_DENY, FAR_VERDICT_ALLOW, FAR_VERDICT_ASK } FarVerdictKind;
typedef struct {
  FarVerdictKind kind;
  char *principal; /* ALLOW: name, usually the login's */
  GStrv groups;
  gint64 until_us; /* wall; 0: none */
  char *claim;     /* ALLOW by token: what the token stands for, e.g. "session/abc" */
  GStrv prompts;   /* ASK */
  gboolean echo;
} FarVerdict;
/* A verdict to be filled; principal is copied and may be NULL. [one thread] */
FarVerdict *far_verdict_new (FarVerdictKind kind, const char *principal);
/* NULL is fine. [one thread] */
void far_verdict_free (FarVerdict *verdict);

/* A token and the row that makes it good, to be written where it is absent. */
typedef struct {
  char *token; /* secret text, cleared by far_secret_free() */
  char *table, *key, *row;
} FarTokenRow;

/* Plugin side. check: result FarVerdict*; login is borrowed until the request ends. put/remove/list: managing
 * people without a restart; may be NULL. */
typedef struct {
  void (*check) (gpointer self, const FarLogin *login, FarRequest *req);
  void (*put) (gpointer self, const char *name, const char *secret /* NULL: keep */,
               const char *const *groups /* NULL: keep */, const char *key /* NULL: keep */, FarRequest *req);
  void (*remove) (gpointer self, const char *name, FarRequest *req);
  /* result: json array of {name, groups, has_password, keys} as json_t* */
  void (*list) (gpointer self, FarRequest *req);
  /* tokens: a one-time word that stands for a claim; result char* (secret text, cleared by far_secret_free).
   * key: "ssh-ed25519 …" the bearer must prove as well, NULL: the token alone does. */
  void (*issue) (gpointer self, const char *name, const char *claim, const char *key, gint64 until_wall_us,
                 FarRequest *req);
  void (*withdraw) (gpointer self, const char *claim);
  /* The same token as issue() would make, as a row that the caller writes to `store` with rows of its own.
   * FALSE: tokens are kept elsewhere. NULL: they are not rows. */
  gboolean (*prepare) (gpointer self, const char *store, const char *name, const char *claim, const char *key,
                       gint64 until_wall_us, FarTokenRow *row);
} FarAuthenticatorOps;

/* ApiCall side. Takes login. authenticators: names, NULL-terminated. Result: FarPrincipal* for allow;
 * FAR_ERROR_DENIED for deny (one text for every cause), FAR_ERROR_LIMIT "busy". [main] */
void far_login (const char *const *authenticators, FarLogin *login, FarRequest *req);
/* The verdict behind a finished far_login() request (borrowed), for claim, until, prompts. NULL on failure.
 */
const FarVerdict *far_login_verdict (FarRequest *req);

/* Through the named authenticator's ops; FAR_ERROR_CONFIG when it has none. [main] */
void far_token_issue (const char *authenticator, const char *name, const char *claim, const char *key,
                      gint64 until_wall_us, FarRequest *req);
void far_token_withdraw (const char *authenticator, const char *claim);
/* A token that is written together with something else: it is good once its row is durable. FALSE: this
 * authenticator cannot, or does not keep its tokens in `store`; then far_token_issue(). [main] */
gboolean far_token_prepare (const char *authenticator, const char *store, const char *name, const char *claim,
                            const char *key, gint64 until_wall_us, FarTokenRow *row);
void far_token_row_clear (FarTokenRow *row);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (FarTokenRow, far_token_row_clear)

/* Front tickets: a person logged in at the people's listener acts with a ticket core issued (12 h, revocable;
 * gone with the process). [main] */
char *far_login_ticket_new (const FarPrincipal *principal);
/* NULL: unknown or expired */
FarPrincipal *far_login_ticket_principal (const char *ticket, const char *from);
void far_login_ticket_revoke_name (const char *name);

G_END_DECLS
