/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Option tables: a plugin declares what an admin may write, core parses, checks, fills and frees.
 * Options of an instance are one immutable struct (`const Opts *`), apart from the instance's state;
 * a reload swaps the struct on the main context and frees the old one when its last holder lets go.
 * Functions are [any thread] unless their comment says otherwise. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

typedef enum {
  FAR_OPT_END,
  FAR_OPT_BOOL,     /* gboolean                                                        */
  FAR_OPT_INT,      /* gint64, within min…max                                          */
  FAR_OPT_DOUBLE,   /* double                                                          */
  FAR_OPT_STRING,   /* char *                                                          */
  FAR_OPT_CHOICE,   /* int: index into choices                                         */
  FAR_OPT_DURATION, /* gint64 microseconds; YAML "500ms", "10s", "5m", "2h", "1d"      */
  FAR_OPT_SIZE,     /* gint64 bytes; YAML "16MiB", "4k"                                */
  FAR_OPT_PATH,     /* char *; a relative path is taken from node.state                */
  FAR_OPT_ADDRESS,  /* char *; "host:port", "[v6]:port", checked for form; FAR_OPT_UNIX */
  FAR_OPT_SECRET,   /* char *: the NAME of a credential, never its text; far_secret_read() */
  FAR_OPT_LIST,     /* GStrv of scalars                                                */
  FAR_OPT_REF,      /* char *: name of an instance of ref_kind                         */
  FAR_OPT_REFS,     /* GStrv of names of instances of ref_kind                         */
  FAR_OPT_RANGE     /* FarRange; YAML "10000-65535"                                    */
} FarOptType;

typedef struct {
  gint64 low, high; /* both included */
} FarRange;

enum {
  FAR_OPT_REQUIRED = 1 << 0,
  FAR_OPT_RELOADABLE = 1 << 1, /* type->reload() takes a new value */
  FAR_OPT_DEPRECATED = 1 << 2, /* has no effect any more: accepted with a warning */
  FAR_OPT_NETS = 1 << 3,    /* LIST: each item is a net, an address or "unix", as far_address_in() reads it */
  FAR_OPT_RESTART = 1 << 4, /* a reload that changes it (or the type) under a running instance is refused:
                               others hold what it stands for */
  FAR_OPT_UNIX = 1 << 5,    /* ADDRESS: "unix:/path" may stand there too, as far_instance_listen() takes it */
  FAR_OPT_URL =
      1 << 6, /* STRING: scheme://host:port/path, of a scheme in choices; port and path may be left out */
  FAR_OPT_PROGRAM = 1 << 7, /* LIST: a command; a program that is not there is warned of */
  FAR_OPT_SAME = 1 << 8,    /* REF, PATH, STRING of services: all services of a profile that have an option of
                               this name with this flag must have the same value */
  FAR_OPT_ALIKE = 1 << 9    /* the same, where a difference can be meant: it is warned of */
};

typedef struct {
  const char *name; /* key in the profile                                          */
  FarOptType type;
  guint flags;
  gsize offset;               /* into the options struct (G_STRUCT_OFFSET)                   */
  const char *fallback;       /* YAML text, checked like an admin's value; NULL: zero        */
  const char *summary;        /* N_(); feeds `farctl describe` and the page                  */
  gint64 min, max;            /* INT, DURATION, SIZE, RANGE; both 0: unbounded               */
  const char *const *choices; /* CHOICE, URL: NULL-terminated                            */
  guint ref_kind;             /* REF, REFS: a FarKind                                        */
  const char *former;         /* its key in older profiles, read with a warning; of types' tables only */
} FarOption;

/* Text forms, also used by farctl's arguments. Return FALSE with FAR_ERROR_INVALID naming the form expected.
 * [any thread] */
gboolean far_parse_duration (const char *text, gint64 *us, GError **error);
gboolean far_parse_size (const char *text, gint64 *bytes, GError **error);
gboolean far_parse_range (const char *text, FarRange *range, GError **error);
/* "10m", "90s": the shortest exact form; caller frees. */
char *far_format_duration (gint64 us);
/* Splits "host:port" / "[v6]:port"; port 0…65535; caller frees *host. */
gboolean far_parse_address (const char *text, char **host, guint16 *port, GError **error);

G_END_DECLS
