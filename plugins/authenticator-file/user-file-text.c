/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* people.yaml: {people: {NAME: {password: "$y$…", groups: [..], keys: [..]}}} to people and back. */
#include "config.h"

#include "user-file.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

Person *
person_new (const char *name)
{
  Person *person = g_new0 (Person, 1);

  person->name = g_strdup (name);
  return person;
}

void
person_free (Person *person)
{
  far_secret_free (person->hash);
  g_free (person->name);
  g_strfreev (person->groups);
  g_strfreev (person->keys);
  g_free (person);
}

/* The name of a key's type goes into the file as it is. */
static gboolean
auth_file_is_word (const char *text)
{
  return strspn (text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@.-") == strlen (text);
}

char *
user_file_key_plain (const char *text)
{
  g_auto (GStrv) parts = g_strsplit_set (text, " \t", 3);

  if (parts[0] == NULL || !auth_file_is_word (parts[0]) || parts[1] == NULL || parts[1][0] == '\0' ||
      (!g_str_has_prefix (parts[0], "ssh-") && !g_str_has_prefix (parts[0], "ecdsa-") &&
       !g_str_has_prefix (parts[0], "sk-")))
    return NULL;
  return strspn (parts[1], "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") ==
                 strlen (parts[1])
             ? g_strconcat (parts[0], " ", parts[1], NULL)
             : NULL;
}

/* ---- reading ---- */

typedef struct {
  const char *path;
  yaml_document_t document;
  GError **error;
} Reading;

static gboolean
fault (Reading *reading, const yaml_node_t *node, const char *what)
{
  g_set_error (reading->error, FAR_ERROR, FAR_ERROR_CONFIG, "%s:%zu: %s", reading->path,
               node->start_mark.line + 1, what);
  return FALSE;
}

static const char *
scalar (const yaml_node_t *node)
{
  return node->type == YAML_SCALAR_NODE ? (const char *) node->data.scalar.value : NULL;
}

static yaml_node_t *
node_at (Reading *reading, int index)
{
  return yaml_document_get_node (&reading->document, index);
}

static GStrv
read_list (Reading *reading, const yaml_node_t *node, gboolean keys)
{
  g_autoptr (GPtrArray) list = g_ptr_array_new_with_free_func (g_free);

  if (node->type != YAML_SEQUENCE_NODE) {
    fault (reading, node, _ ("wants a list: [a, b]"));
    return NULL;
  }
  for (const yaml_node_item_t *item = node->data.sequence.items.start; item < node->data.sequence.items.top;
       item++) {
    const yaml_node_t *entry = node_at (reading, *item);
    const char *text = scalar (entry);
    char *value = text == NULL ? NULL : keys ? user_file_key_plain (text) : g_strdup (text);

    if (value == NULL) {
      fault (reading, entry, keys ? _ ("not a public key: wants \"ssh-ed25519 AAAA…\"") : _ ("wants a word"));
      return NULL;
    }
    g_ptr_array_add (list, value);
  }
  g_ptr_array_add (list, NULL);
  return (GStrv) g_ptr_array_steal (list, NULL);
}

static gboolean
read_field (Reading *reading, Person *person, const yaml_node_t *key, const yaml_node_t *value)
{
  const char *name = scalar (key);

  if (g_strcmp0 (name, "password") == 0) {
    person->hash = g_strdup (scalar (value));
    return person->hash != NULL || fault (reading, value, _ ("password: wants the text of crypt(5)"));
  }
  if (g_strcmp0 (name, "groups") == 0)
    return (person->groups = read_list (reading, value, FALSE)) != NULL;
  if (g_strcmp0 (name, "keys") == 0)
    return (person->keys = read_list (reading, value, TRUE)) != NULL;
  return fault (reading, key, _ ("unknown key: a person has password, groups and keys"));
}

static gboolean
read_person (Reading *reading, GHashTable *people, const yaml_node_t *key, const yaml_node_t *value)
{
  const char *name = scalar (key);
  Person *person;

  if (name == NULL || *name == '\0' || strlen (name) > 64)
    return fault (reading, key, _ ("name of a person: 1 to 64 bytes"));
  if (g_hash_table_contains (people, name))
    return fault (reading, key, _ ("the same person twice"));
  if (g_hash_table_size (people) >= BOOK_PEOPLE_MAX)
    return fault (reading, key, _ ("more than 10000 people"));
  if (value->type != YAML_MAPPING_NODE)
    return fault (reading, value, _ ("a person is {password: …, groups: […], keys: […]}"));
  person = person_new (name);
  g_hash_table_insert (people, person->name, person);
  for (const yaml_node_pair_t *pair = value->data.mapping.pairs.start; pair < value->data.mapping.pairs.top;
       pair++)
    if (!read_field (reading, person, node_at (reading, pair->key), node_at (reading, pair->value)))
      return FALSE;
  return TRUE;
}

static gboolean
read_people (Reading *reading, GHashTable *people)
{
  const yaml_node_t *root = yaml_document_get_root_node (&reading->document);
  const yaml_node_t *map;

  if (root == NULL)
    return TRUE; /* nothing but comments */
  if (root->type != YAML_MAPPING_NODE || root->data.mapping.pairs.top - root->data.mapping.pairs.start != 1)
    return fault (reading, root, _ ("wants one key: people"));
  if (g_strcmp0 (scalar (node_at (reading, root->data.mapping.pairs.start->key)), "people") != 0)
    return fault (reading, root, _ ("wants one key: people"));
  map = node_at (reading, root->data.mapping.pairs.start->value);
  if (map->type == YAML_SCALAR_NODE && *scalar (map) == '\0')
    return TRUE;
  if (map->type != YAML_MAPPING_NODE)
    return fault (reading, map, _ ("people: wants NAME: {…} lines"));
  for (const yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top;
       pair++)
    if (!read_person (reading, people, node_at (reading, pair->key), node_at (reading, pair->value)))
      return FALSE;
  return TRUE;
}

GHashTable *
user_file_parse (const char *path, const char *text, gsize size, GError **error)
{
  g_autoptr (GHashTable)
      people = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) person_free);
  Reading reading = { .path = path, .error = error };
  yaml_parser_t parser;
  gboolean good = FALSE;

  if (!yaml_parser_initialize (&parser)) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE, "%s: %s", path, _ ("no memory for reading"));
    return NULL;
  }
  yaml_parser_set_input_string (&parser, (const unsigned char *) text, size);
  if (yaml_parser_load (&parser, &reading.document)) {
    good = read_people (&reading, people);
    yaml_document_delete (&reading.document);
  } else
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, "%s:%zu: %s", path, parser.problem_mark.line + 1,
                 parser.problem ? parser.problem : "not YAML");
  yaml_parser_delete (&parser);
  return good ? g_steal_pointer (&people) : NULL;
}

/* ---- writing ---- */

static void
write_text (GString *out, const char *text)
{
  json_t *json = json_string (text);
  char *quoted = json_dumps (json, JSON_ENCODE_ANY);

  g_string_append (out, quoted);
  free (quoted);
  json_decref (json);
}

static void
write_list (GString *out, const char *name, GStrv list)
{
  if (list == NULL || list[0] == NULL)
    return;
  g_string_append_printf (out, "    %s:\n", name);
  for (guint i = 0; list[i] != NULL; i++) {
    g_string_append (out, "      - ");
    write_text (out, list[i]);
    g_string_append_c (out, '\n');
  }
}

static void
write_person (GString *out, const Person *person)
{
  g_string_append (out, "  ");
  write_text (out, person->name);
  if (person->hash == NULL && (person->groups == NULL || person->groups[0] == NULL) &&
      (person->keys == NULL || person->keys[0] == NULL)) {
    g_string_append (out, ": {}\n");
    return;
  }
  g_string_append (out, ":\n");
  if (person->hash != NULL) {
    g_string_append (out, "    password: ");
    write_text (out, person->hash);
    g_string_append_c (out, '\n');
  }
  write_list (out, "groups", person->groups);
  write_list (out, "keys", person->keys);
}

static char *
people_text (GHashTable *people)
{
  GString *out = g_string_new (
      "# Written by farwatchd; edit it while nobody adds people, it is read again by itself.\n");
  g_autoptr (GList) names = g_list_sort (g_hash_table_get_keys (people), (GCompareFunc) strcmp);

  g_string_append (out, names != NULL ? "people:\n" : "people: {}\n");
  for (GList *name = names; name != NULL; name = name->next)
    write_person (out, g_hash_table_lookup (people, name->data));
  return g_string_free (out, FALSE);
}

static gboolean
write_all (int fd, const char *text, gsize size)
{
  while (size > 0) {
    gssize n = write (fd, text, size);

    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return FALSE;
    text += n;
    size -= (gsize) n;
  }
  return fsync (fd) == 0;
}

static gboolean
sync_dir (const char *path)
{
  g_autofree char *dir = g_path_get_dirname (path);
  int fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  gboolean good = fd >= 0 && fsync (fd) == 0;

  if (fd >= 0)
    close (fd);
  return good;
}

gboolean
user_file_write (const char *path, GHashTable *people, GError **error)
{
  g_autofree char *fresh = g_strconcat (path, ".new", NULL);
  g_autofree char *text = people_text (people);
  int fd = (g_unlink (fresh), open (fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  gboolean good = fd >= 0 && write_all (fd, text, strlen (text));
  int saved = errno;

  if (fd >= 0 && close (fd) != 0 && good) {
    saved = errno;
    good = FALSE;
  }
  if (good && (g_rename (fresh, path) != 0 || !sync_dir (path))) {
    saved = errno;
    good = FALSE;
  }
  if (good)
    return TRUE;
  g_unlink (fresh);
  g_set_error (error, FAR_ERROR, FAR_ERROR_FULL, _ ("cannot write %s: %s"), path, g_strerror (saved));
  return FALSE;
}
