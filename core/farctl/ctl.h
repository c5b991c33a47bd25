/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* farctl: one table of commands, one client for both interfaces (control socket, TLS), one way to print.
 * Blocking: it does one thing at a time. */
#pragma once
#include <farwatch/i18n.h>
#include <farwatch/message.h>

#include <stdio.h>
#include <sys/types.h>

/* Exit codes; doc/man/farctl.1 has them too. */
/* 124 to 127 are farctl's own where the rest is the status of a program it runs, as env(1) and timeout(1)
 * have it. */
enum {
  CTL_OK = 0,
  CTL_FAILED = 1,
  CTL_USAGE = 2,
  CTL_NOT_FOUND = 3,
  CTL_UNREACHABLE = 4,
  CTL_BUSY = 5,
  CTL_PROFILE = 78,
  CTL_CUT = 124,
  CTL_OWN = 125,
  CTL_NO_START = 126,
  CTL_NO_PROGRAM = 127
};

#define CTL_TERMINAL_STATE                                                                                   \
  FAR_STATE_DIR "-terminal" /* of etc/profiles/terminal.yaml; FAR_STATE_DIR is the cloud server's */

typedef struct _Ctl Ctl;

typedef enum { CTL_ANYWHERE, CTL_CLOUD } CtlPlace; /* which role answers a command */

typedef struct {
  const char *name;    /* "terminal add" */
  const char *args;    /* "TERMINAL [--site TEXT]"; its words with -- feed completion */
  const char *summary; /* N_() */
  /* argv[0]: the last word of the name. Returns the exit code */
  int (*run) (Ctl *ctl, int argc, char **argv);
  CtlPlace place; /* what is said where it does not work */
} CtlCommand;

struct _Ctl {
  gboolean json;
  char *socket, *server, *ca; /* as given */
  const CtlCommand *command;
  char **tail;         /* what stood after "--"; NULL: nothing */
  int fd;              /* the link; -1: not yet */
  char *ticket;        /* of the person, with --server */
  gboolean only_looks; /* nothing that is remembered is changed */
  /* the node has no such thing: the command belongs to one of another role, as the error says */
  gboolean elsewhere;
  guint patience_s; /* how long an answer may take; 0: as usual */
  int status;       /* exit code, when ctl_args() said no */
};

extern const CtlCommand ctl_commands[]; /* ends with name NULL */

/* ---- args.c ---- */
/* Parses the command's own options and the global ones; *argv keeps the words. FALSE: ctl->status is the exit
 * code (help was shown, or usage). */
gboolean ctl_args (Ctl *ctl, const GOptionEntry *entries, int *argc, char ***argv, int min, int max);
/* The same for a command without options of its own. */
gboolean ctl_words (Ctl *ctl, int *argc, char ***argv, int min, int max);
/* ["a", "b,c"] → JSON list of a, b and c. */
json_t *ctl_words_list (char **words);
void ctl_global_entries (Ctl *ctl, GOptionEntry entries[5]);
int ctl_help (FILE *out);
int ctl_help_command (Ctl *ctl, int argc, char **argv);
int ctl_version (Ctl *ctl, int argc, char **argv);

/* ---- complete.c ---- */
extern const char ctl_shell_bash[], ctl_shell_zsh[], ctl_shell_fish[]; /* made of etc/farctl.SHELL */
int ctl_complete (int argc, char **argv) G_GNUC_NORETURN;
int ctl_completion (Ctl *ctl, int argc, char **argv);

/* ---- main.c ---- */
/* The command whose name stands at the front, NULL: none; *words: of how many words. */
const CtlCommand *ctl_command_find (int argc, char **argv, int *words);
int ctl_unknown (int argc, char **argv); /* says what is wrong with it, and what is near; the exit code */

/* ---- become.c: whose rights are used ---- */
/* From root to the user of a daemon, as long as ctl_become_self() is not called; nothing for who is not root,
 * and for uid 0. Supplementary groups are dropped for good. */
gboolean ctl_become (uid_t uid, gid_t gid, GError **error);
void ctl_become_self (void);
typedef struct {
  uid_t uid;
  gid_t gid;
} CtlOwner;
/* From root to whose a folder is; where it is root's and the way to it leads through somebody's folder or
 * link, to them: they decide where it leads. */
gboolean ctl_become_owner (const char *folder, CtlOwner *owner, GError **error);
/* The same, and the folder is made where it is not there yet: by whose the folder is in which it will be. */
gboolean ctl_enter (const char *folder, int mode, CtlOwner *owner, GError **error);

/* ---- path.c: names and resources ---- */
/* ("terminals", "t1", NULL) → "terminals/t1", which the caller frees; NULL and error when a word is no name.
 */
char *ctl_path (GError **error, const char *first, ...) G_GNUC_NULL_TERMINATED;
gboolean ctl_name_ok (const char *name, GError **error);
/* The option of all commands that change what somebody has seen, and a resource with it in its query, for
 * what has no body. Takes resource; may be NULL. */
#define CTL_EXPECT(to)                                                                                       \
  {                                                                                                          \
    "expect", 0, 0, G_OPTION_ARG_STRING, (to),                                                               \
        N_ ("revision that was seen (--json shows it): refused when it is another by now"), N_ ("REVISION")  \
  }
char *ctl_expecting (char *resource, const char *expect);
gboolean ctl_request_ok (const char *method, const char *resource, GError **error);

/* ---- link.c: messages ---- */
/* resource NULL is what ctl_path() gave with its error: nothing is sent then. */
/* 2xx: the body (an object, maybe empty; caller decrefs). Else NULL and error. */
json_t *
ctl_call (Ctl *ctl, const char *method, const char *resource, json_t *body /* takes */, GError **error);
/* Any status. */
FarMessage *
ctl_ask (Ctl *ctl, const char *method, const char *resource, json_t *body /* takes */, GError **error);
/* A WATCH: sends it; then each event in turn (NULL without error: it has ended). The link is used up by it.
 */
gboolean ctl_watch (Ctl *ctl, const char *resource, GError **error);
json_t *ctl_watch_next (Ctl *ctl, GError **error);
/* A new connection that is the ticket's stream, without a user. NULL on error. */
FarStream *ctl_stream (Ctl *ctl, const char *ticket, GError **error);
void ctl_close (Ctl *ctl);
/* "a=VALUE" with VALUE escaped for a query; value NULL: "". Caller frees. */
char *ctl_query (const char *name, const char *value);

/* ---- pages.c: lists ---- */
/* One page, borrowed. FALSE: no other is wanted. */
typedef gboolean (*CtlPage) (json_t *page, gpointer user);
/* Page after page, as long as there is one and it is wanted. resource: maybe with a query. FALSE: an answer
 * was an error. */
gboolean ctl_pages (Ctl *ctl, const char *resource, CtlPage take, gpointer user, GError **error);
/* The first page's answer, with the rows of all pages in its list of this key. NULL on error. */
json_t *ctl_whole (Ctl *ctl, const char *resource, const char *key, GError **error);
/* The list alone: object with the one key. query: "" or "a=b&c=d". limit: rows, 0: all. */
json_t *
ctl_list (Ctl *ctl, const char *resource, const char *key, const char *query, guint limit, GError **error);

/* ---- dial.c: descriptors ---- */
int ctl_dial (Ctl *ctl, GError **error);                                   /* connection for messages */
FarStream *ctl_dial_stream (Ctl *ctl, const char *ticket, GError **error); /* --server only: /stream/TICKET */
/* The same bytes behind a descriptor, for who wants to poll. takes stream. */
int ctl_stream_fd (FarStream *stream, GError **error);
/* Connection of the node transport to host:port, without login. ca: file, or "sha256:HEX". */
int ctl_dial_url (const char *type, const char *url, const char *ca, GError **error);
/* "host:port" of wss://…, https://… or host:port */
char *ctl_server_hostport (const char *server, GError **error);

/* ---- tickets.c: what --server remembers ---- */
void ctl_ticket_load (Ctl *ctl); /* ticket, and ca where none was given */
gboolean ctl_ticket_save (Ctl *ctl, json_t *login, GError **error);
void ctl_ticket_forget (Ctl *ctl);
void ctl_tickets_servers (GPtrArray *to, const char *prefix); /* those that are remembered, for completion */

/* ---- times.c ---- */
/* A time as a person writes it, without a zone in that of this machine, or a length back from now: as it goes
 * over the wire. NULL stays NULL. FALSE: no time. */
gboolean ctl_time (char **text, GError **error);

/* ---- print.c, table.c ---- */
typedef enum {
  CTL_TEXT,
  CTL_TRANSLATED /* a daemon's text */,
  CTL_YESNO,
  CTL_TIME,
  CTL_LENGTH_US,
  CTL_BYTES,
  CTL_LIST,
  CTL_COUNT /* of a list */,
  CTL_SECONDS,
  CTL_VALUE /* with the row's unit */
} CtlColumnKind;
typedef struct {
  const char *title, *field;
  CtlColumnKind kind;
} CtlColumn;
void ctl_table (json_t *list, const CtlColumn *columns /* ends with field NULL */, const char *empty);
void ctl_fields (json_t *object, const CtlColumn *columns);
char *ctl_cell (json_t *row, const CtlColumn *column);
void ctl_json (json_t *json);
void ctl_json_flags (json_t *json, size_t flags); /* jansson's */
/* printf() of what came from elsewhere: what moves the cursor, turns or hides text becomes a space. */
void ctl_print (FILE *to, const char *format, ...) G_GNUC_PRINTF (2, 3);
/* Prints the error (as JSON on stdout with --json); returns the exit code. takes error. */
int ctl_fail (Ctl *ctl, GError *error);
int ctl_fail_new (Ctl *ctl, FarErrorCode code, const char *format, ...) G_GNUC_PRINTF (3, 4);
int ctl_usage (Ctl *ctl, const char *format, ...) G_GNUC_PRINTF (2, 3);
/* For what has nothing to show: prints the text, or {} with --json. takes answer. */
int ctl_done (Ctl *ctl, json_t *answer, const char *format, ...) G_GNUC_PRINTF (3, 4);
void ctl_say (const char *format, ...) G_GNUC_PRINTF (1, 2); /* progress, on stderr */

/* ---- secret.c ---- */
/* A secret: one line of stdin, or asked for at the terminal without echo (twice when twice). Caller clears
 * with far_secret_free(). */
char *ctl_secret (gboolean from_stdin, const char *prompt, gboolean twice, GError **error);

/* ---- commands, one file a group ---- */
int ctl_status (Ctl *ctl, int argc, char **argv);
int ctl_plugins (Ctl *ctl, int argc, char **argv);
int ctl_describe (Ctl *ctl, int argc, char **argv);
int ctl_check (Ctl *ctl, int argc, char **argv);
int ctl_reload (Ctl *ctl, int argc, char **argv);
int ctl_backup (Ctl *ctl, int argc, char **argv);
int ctl_restore (Ctl *ctl, int argc, char **argv);
int ctl_call_command (Ctl *ctl, int argc, char **argv);
int ctl_doctor (Ctl *ctl, int argc, char **argv);
int ctl_nodes (Ctl *ctl, int argc, char **argv);
int ctl_terminals (Ctl *ctl, int argc, char **argv);
int ctl_terminal_add (Ctl *ctl, int argc, char **argv);
int ctl_terminal_remove (Ctl *ctl, int argc, char **argv);
int ctl_terminal_set (Ctl *ctl, int argc, char **argv);
int ctl_device_add (Ctl *ctl, int argc, char **argv);
int ctl_device_remove (Ctl *ctl, int argc, char **argv);
int ctl_user_add (Ctl *ctl, int argc, char **argv);
int ctl_user_password (Ctl *ctl, int argc, char **argv);
int ctl_user_remove (Ctl *ctl, int argc, char **argv);
int ctl_user_list (Ctl *ctl, int argc, char **argv);
int ctl_grant (Ctl *ctl, int argc, char **argv);
int ctl_revoke (Ctl *ctl, int argc, char **argv);
int ctl_rights (Ctl *ctl, int argc, char **argv);
int ctl_explain (Ctl *ctl, int argc, char **argv);
int ctl_login (Ctl *ctl, int argc, char **argv);
int ctl_logout (Ctl *ctl, int argc, char **argv);
int ctl_ca_init (Ctl *ctl, int argc, char **argv);
int ctl_enroll (Ctl *ctl, int argc, char **argv);
int ctl_enroll_token (Ctl *ctl, int argc, char **argv);
int ctl_enroll_approve (Ctl *ctl, int argc, char **argv);
int ctl_enroll_list (Ctl *ctl, int argc, char **argv);
int ctl_credential_keys (Ctl *ctl, int argc, char **argv);
int ctl_credential_show (Ctl *ctl, int argc, char **argv);
int ctl_credential_open (Ctl *ctl, int argc, char **argv);
int ctl_connect (Ctl *ctl, int argc, char **argv);
int ctl_stream_command (Ctl *ctl, int argc, char **argv);
int ctl_registrations (Ctl *ctl, int argc, char **argv);
int ctl_sessions (Ctl *ctl, int argc, char **argv);
int ctl_approve (Ctl *ctl, int argc, char **argv);
int ctl_close_session (Ctl *ctl, int argc, char **argv);
int ctl_history (Ctl *ctl, int argc, char **argv);
int ctl_samples (Ctl *ctl, int argc, char **argv);
