/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The uplink without a profile, a cloud of a real intake and a real store, and what stands between and below:
 * a link that loses requests, loses answers, doubles and breaks, a disk that is full, a clock. They come
 * before the library's own. */
#pragma once
#include <check.h>

#include "life/instance-private.h"
#include "node-help.h"
#include "service-uplink/disk.h"

typedef enum { LINK_GOOD, LINK_NO_REQUEST, LINK_NO_ANSWER, LINK_TWICE, LINK_DENIES, N_FAULTS } Fault;

typedef struct {
  gboolean up;
  guint faults; /* percent of requests with one */
  Fault always; /* or this one, if not LINK_GOOD */
  FarPrincipal *node;
  guint sent, told_gap;
  gboolean ordered; /* what goes up must be no older than what went before */
  gint64 last_us;
  GRand *chance;
} TestLink;

extern TestLink test_link;

typedef struct {
  gint full; /* atomic: spools take nothing */
  guint64 dropped;
  char boot[37];
  gboolean sure;
} TestNode;

extern TestNode test_node;

#define BUDGET (64 << 20)

typedef struct {
  FarInstance at;
  UplinkOptions options;
  Uplink uplink;
  const FarServiceType *type;
} Terminal;

Terminal *terminal_with (gint64 budget, const char *store);
Terminal *terminal_new (void);
void terminal_free (Terminal *terminal);
void terminal_close (Terminal *terminal); /* and waits until its folder is closed */
/* As kill -9 leaves it: its folder is as it was before the orderly end. */
void terminal_kill (Terminal *terminal);
char *terminal_folder (void);
void terminal_folder_remove (void);
void measure (Terminal *terminal, guint number);
/* Groups first to last - 1, so many in a batch. */
void measure_batches (Terminal *terminal, guint first, guint last, guint batch);
void set_link (Terminal *terminal, gboolean up);
/* With a link, until nothing is left. */
void send_all (Terminal *terminal);
/* For node_until(): of a Terminal; has_sent: of a number of requests. */
gboolean all_written (gpointer data);
gboolean all_sent (gpointer data);
gboolean nothing_left (gpointer data);
gboolean has_sent (gpointer data);

/* The request's answer comes to passing, which it frees. */
typedef struct {
  FarRequest *req;
  Fault fault;
} Passing;
void answered (FarMessage *answer, gboolean last, gpointer user);

void begin (const char *store);
void end (Terminal *terminal);
GArray *arrived (const char *source);
/* Each of them once. */
void must_be_once (guint total);
/* Nothing twice, and what is missing was counted. */
void must_be_counted (guint total);
