/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A node that speaks for a person: how the person stands in the message, who is asked for by one that came
 * in, and what goes on to another node. All of it is the node's word alone, so rights are judged as node and
 * person (auth/right.c), and here is only decided whose word is taken at all. */
#include "config.h"

#include "message/router.h"

#include "auth/right.h"

#include <farwatch/i18n.h>
#include <farwatch/trust.h>

#define NAME "delegated"
#define GROUPS "delegated-groups"
#define GROUPS_MAX 32
#define ID_LENGTH 40

static FarPrincipal *
delegated_refuse (GError **error, FarErrorCode code, const char *why)
{
  g_set_error_literal (error, FAR_ERROR, (int) code, why);
  return NULL;
}

/* NULL: one of them is no name. */
static char **
delegated_groups (const char *text)
{
  char **groups = g_strsplit (text != NULL ? text : "", ",", GROUPS_MAX + 1);
  gboolean good = g_strv_length (groups) <= GROUPS_MAX;

  for (guint i = 0; groups[i] != NULL; i++)
    good = good && far_field_name_ok (groups[i]);
  if (good)
    return groups;
  g_strfreev (groups);
  return NULL;
}

/* From no address: what the listener saw is the node's, and the person's own is not known here, so that a
 * right which asks for one does not hold. */
static FarPrincipal *
delegated_principal (const FarPrincipal *node, const FarMessage *request, GError **error)
{
  const char *name = far_message_header (request, NAME);
  g_auto (GStrv) groups = delegated_groups (far_message_header (request, GROUPS));
  FarPrincipal *person;

  if (!far_field_name_ok (name) || groups == NULL)
    return delegated_refuse (error, FAR_ERROR_INVALID,
                             _ ("headers delegated and delegated-groups must be names"));
  person = far_principal_new (FAR_PRINCIPAL_PERSON, name, (const char *const *) groups, "");
  person->via = g_strdup (node->name);
  return person;
}

FarPrincipal *
far_delegated_asker (const FarPrincipal *sender, const FarMessage *request, GError **error)
{
  if (far_message_header (request, NAME) == NULL && far_message_header (request, GROUPS) == NULL)
    return far_principal_ref (sender);
  if (sender->kind != FAR_PRINCIPAL_NODE)
    return delegated_refuse (error, FAR_ERROR_DENIED,
                             _ ("header delegated: only a node speaks for somebody else"));
  if (!far_right_node_has_any (sender->name))
    return delegated_refuse (error, FAR_ERROR_DENIED,
                             _ ("header delegated: this node has no right here, so it speaks for nobody; "
                                "grant it, as node:NAME, what it may do at most"));
  if (far_message_header (request, NAME) == NULL)
    return delegated_refuse (error, FAR_ERROR_INVALID, _ ("header delegated is missing"));
  return delegated_principal (sender, request, error);
}

/* The next node keeps answers by node, person and id, and two persons' ids may be the same. */
static char *
delegated_id (const FarPrincipal *asker, const char *id)
{
  g_autofree char *text = g_strconcat (asker->name, "\n", id, NULL);
  g_autofree char *hash = far_sha256_text (text);

  return g_strndup (hash, ID_LENGTH);
}

/* Those that can stand in a header; the others give no right there. NULL: none. */
static char *
delegated_groups_text (const FarPrincipal *asker)
{
  g_autoptr (GPtrArray) groups = g_ptr_array_new ();

  for (guint i = 0; asker->groups != NULL && asker->groups[i] != NULL && groups->len < GROUPS_MAX; i++)
    if (far_field_name_ok (asker->groups[i]))
      g_ptr_array_add (groups, asker->groups[i]);
  g_ptr_array_add (groups, NULL);
  return groups->len > 1 ? g_strjoinv (",", (char **) groups->pdata) : NULL;
}

static void
delegated_set_headers (FarMessage *copy, const FarPrincipal *asker, const FarMessage *request)
{
  static const char *const kept[] = { "timeout", "hops", "via" };
  g_autofree char *groups = delegated_groups_text (asker);

  for (guint i = 0; i < G_N_ELEMENTS (kept); i++)
    if (far_message_header (request, kept[i]) != NULL)
      far_message_set_header (copy, kept[i], far_message_header (request, kept[i]));
  far_message_set_header (copy, NAME, asker->name);
  if (groups != NULL)
    far_message_set_header (copy, GROUPS, groups);
}

FarMessage *
far_delegated_request (const FarPrincipal *asker, const FarMessage *request, GError **error)
{
  FarMessage *copy;

  if (asker->kind != FAR_PRINCIPAL_PERSON || asker->via != NULL) {
    delegated_refuse (
        error, FAR_ERROR_DENIED,
        _ ("this is at another node, and this one speaks there for people alone who have logged "
           "in here"));
    return NULL;
  }
  copy = far_message_request (request->method, request->resource, NULL);
  g_free (copy->id);
  copy->id = delegated_id (asker, request->id);
  copy->content_type = g_strdup (request->content_type);
  copy->body = request->body != NULL ? g_bytes_ref (request->body) : NULL;
  delegated_set_headers (copy, asker, request);
  return copy;
}
