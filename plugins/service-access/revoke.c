/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A node's certificates: the one of its row, and those before it, which are good until they expire. When the node goes or another takes its name,
 * all of them are revoked: a row each in table `revoked`. */
#include "config.h"

#include "access.h"

#define OLDER_MAX 32 /* each lives half as long again as it takes to be replaced: two at most are good */

/* The row's certificate is this one from now on. */
void
access_certificate_set (json_t *row, const char *certificate)
{
  const char *before = access_text (row, "serial");
  g_autofree char *serial = far_trust_serial (certificate, NULL);
  json_t *older = json_object_get (row, "older");
  if (before && !json_is_array (older)) {
    older = json_array ();
    json_object_set_new (row, "older", older);
  }
  if (before)
    json_array_append_new (older, json_string (before));
  if (json_array_size (older) > OLDER_MAX)
    json_array_remove (older, 0);
  json_object_set_new (row, "certificate", json_string (certificate));
  json_object_set_new (row, "serial", json_pack ("s?", serial));
  json_object_set_new (row, "issued_us", json_integer (far_clock_wall_us ()));
}

/* Serial numbers of all certificates that were given to the node of this row. */
GStrv
access_serials (const json_t *row)
{
  g_autoptr (GStrvBuilder) serials = g_strv_builder_new ();
  json_t *older = json_object_get (row, "older"), *item;
  size_t i;
  if (access_text (row, "serial"))
    g_strv_builder_add (serials, access_text (row, "serial"));
  json_array_foreach (older, i, item)
    if (json_is_string (item))
      g_strv_builder_add (serials, json_string_value (item));
  return g_strv_builder_end (serials);
}

/* Rows that revoke them, for one apply(); texts keeps their memory. */
void
access_revoke_parts (GStrv serials, const char *terminal, GArray *parts, GPtrArray *texts)
{
  for (guint i = 0; serials && serials[i]; i++) {
    json_t *row = json_pack ("{s:s, s:s, s:I}", "terminal", terminal, "serial", serials[i], "at_us", (json_int_t) far_clock_wall_us ());
    FarPart part = { .kind = FAR_PART_ROW, .table = "revoked", .key = serials[i], .row = access_json_text (row), .expect = FAR_EXPECT_ANY };
    g_ptr_array_add (texts, (char *) part.row);
    g_array_append_val (parts, part);
    json_decref (row);
  }
}

void
access_revoke_now (GStrv serials)
{
  for (guint i = 0; serials && serials[i]; i++)
    far_trust_revoked_add (serials[i]);
}
