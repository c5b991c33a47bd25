/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A node is a bag of parts (node-part.h). A part's place is made once, under the node's lock, and read
 * without it ever after: some are asked for with each message and each sample. */
#include "config.h"

#include "base/node-part.h"

struct _FarNode {
  GRecMutex lock;
  const FarNodePart *kinds[FAR_N_PARTS]; /* of the parts that there are; under lock */
  gpointer parts[FAR_N_PARTS];           /* atomic */
};

static __thread FarNode *entered __attribute__ ((tls_model ("initial-exec")));

/* Every node there was, and the only one while there was no other. */
static struct {
  GMutex lock;
  GPtrArray *all;
  FarNode *only; /* atomic */
} nodes;

/* Lock held. */
static FarNode *
node_make (void)
{
  FarNode *node = g_new0 (FarNode, 1);

  g_rec_mutex_init (&node->lock);
  if (nodes.all == NULL)
    nodes.all = g_ptr_array_new ();
  g_ptr_array_add (nodes.all, node);
  g_atomic_pointer_set (&nodes.only, nodes.all->len == 1 ? node : NULL);
  return node;
}

FarNode *
far_node_new (void)
{
  g_autoptr (GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new (&nodes.lock);

  return node_make ();
}

static FarNode *
only_node (void)
{
  g_autoptr (GMutexLocker) locked G_GNUC_UNUSED = NULL;
  FarNode *node = g_atomic_pointer_get (&nodes.only);

  if (node != NULL)
    return node;
  locked = g_mutex_locker_new (&nodes.lock);
  if (nodes.all != NULL && nodes.only == NULL)
    g_error ("a node was asked for while none of several is current (doc/node.md)");
  return nodes.only != NULL ? nodes.only : node_make ();
}

FarNode *
far_node_enter (FarNode *node)
{
  FarNode *before = entered;

  entered = node;
  return before;
}

FarNode *
far_node_entered (void)
{
  return entered;
}

static gpointer
node_part_make (FarNode *node, const FarNodePart *part)
{
  gpointer made;

  g_rec_mutex_lock (&node->lock);
  made = g_atomic_pointer_get (&node->parts[part->id]);
  if (made == NULL) {
    made = g_malloc0 (part->size);
    if (part->init != NULL)
      part->init (made);
    node->kinds[part->id] = part;
    g_atomic_pointer_set (&node->parts[part->id], made);
  }
  g_rec_mutex_unlock (&node->lock);
  return made;
}

gpointer
far_node_part (const FarNodePart *part)
{
  FarNode *node = entered != NULL ? entered : only_node ();
  gpointer made = g_atomic_pointer_get (&node->parts[part->id]);

  return made != NULL ? made : node_part_make (node, part);
}

static void
node_part_clear (FarNode *node, guint id)
{
  gpointer part = g_atomic_pointer_get (&node->parts[id]);

  if (part != NULL && node->kinds[id]->clear != NULL)
    node->kinds[id]->clear (part);
}

void
far_node_free (FarNode *node)
{
  FarNode *before;

  if (node == NULL)
    return;
  before = far_node_enter (node);
  for (guint id = FAR_N_PARTS; id > 0; id--)
    node_part_clear (node, id - 1);
  far_node_enter (before != node ? before : NULL);
}
