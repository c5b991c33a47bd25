/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A node as a bag of parts, one for each file of core that keeps something, and the current node of a thread.
 * doc/node.md says why, and who enters a node when. Core alone sees this: a plugin sees its instance. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

typedef struct _FarNode FarNode;

/* In the order of the rooms, lowest first: parts are cleared from the end, so that a part may use those
 * before it until it is gone itself. */
typedef enum {
  FAR_PART_IDENTITY, /* base */
  FAR_PART_CLOCK,
  FAR_PART_LOG_LIMITED, /* loop */
  FAR_PART_COUNT,
  FAR_PART_EXECUTOR,
  FAR_PART_CLOCK_TOLD, /* trust */
  FAR_PART_REVOKED,
  FAR_PART_CLEARANCE,
  FAR_PART_DIAL_NAME, /* stream */
  FAR_PART_LEGS,
  FAR_PART_LOGIN_TOKEN, /* auth */
  FAR_PART_RIGHT,
  FAR_PART_RIGHT_ALIAS,
  FAR_PART_THROTTLE,
  FAR_PART_TICKET,
  FAR_PART_CALL, /* message */
  FAR_PART_DEDUP,
  FAR_PART_SUBSCRIPTION,
  FAR_PART_INSTANCES, /* life */
  FAR_PART_NODE,
  FAR_PART_ROUTE,
  FAR_PART_SAMPLE, /* data */
  FAR_PART_SERIES,
  FAR_PART_PICTURE,
  FAR_PART_EVENT,
  FAR_PART_NOTIFY,
  FAR_PART_BOOK, /* reach */
  FAR_PART_DECODER,
  FAR_PART_DEVICE_LOCK,
  FAR_PART_DEVICE,
  FAR_PART_ENDPOINT,
  FAR_PART_LOGIN_QUEUE,
  FAR_PART_PEER,
  FAR_PART_USERS_CHANGE,
  FAR_PART_REGISTRY,
  FAR_PART_CONTROL, /* node */
  FAR_PART_HANDLERS,
  FAR_PART_API,
  FAR_PART_API_RIGHTS,
  FAR_N_PARTS
} FarNodePartId;

/* What a file keeps of a node: a constant of that file. */
typedef struct {
  FarNodePartId id;
  gsize size;                   /* bytes, zeroed when the part is made */
  void (*init) (gpointer part); /* [any thread] may ask for parts of rooms below; NULL: zeroes do */
  /* [main] gives away what it holds, and leaves it as one that holds nothing, for who comes late; the node is
   * current. NULL: nothing is held */
  void (*clear) (gpointer part);
} FarNodePart;

/* A node of its own, which is not entered yet. [main] */
FarNode *far_node_new (void);
/* Clears its parts, the last room's first. What was posted or set for it may still run later, on any thread,
 * and finds a node that holds nothing: the shell, 2 KiB, stays as long as the process. NULL is allowed.
 * [main] */
void far_node_free (FarNode *node);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FarNode, far_node_free)

/* From now on this thread acts for node; NULL: for none. Returns the one before, for the way back. [any
 * thread] */
FarNode *far_node_enter (FarNode *node);
/* Whom this thread acts for, to be kept with what is called later; NULL: nobody. [any thread] */
FarNode *far_node_entered (void);

/* The part of the node that this thread acts for, made when it is first asked for; where it acts for none, of
 * the only node there is (made then, in a program that made none). Several nodes and none entered is a fault
 * of the program, which ends it. The part lives as long as the node. [any thread] */
gpointer far_node_part (const FarNodePart *part);

G_END_DECLS
