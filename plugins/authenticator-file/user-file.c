/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file keeps the people of one file in memory and as fresh as the file, checks passwords and keys
 * against them, and changes them. The form of the file is users-file.c. [executor "password"] */
#include "config.h"

#include "user-file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <farwatch/trust.h>

#define BOOK_SIZE_MAX (4 * 1024 * 1024)

UserFile *
user_file_new (const char *path)
{
  UserFile *users = g_new0 (UserFile, 1);

  users->refs = 1;
  users->path = g_strdup (path);
  users->people = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) person_free);
  return users;
}

UserFile *
user_file_ref (UserFile *users)
{
  g_atomic_int_inc (&users->refs);
  return users;
}

void
user_file_unref (UserFile *users)
{
  if (!g_atomic_int_dec_and_test (&users->refs))
    return;
  explicit_bzero (&users->scratch, sizeof users->scratch);
  g_hash_table_unref (users->people);
  g_free (users->nobody);
  g_free (users->path);
  g_free (users);
}

/* ---- the file ---- */

static gboolean
has_hashes (GHashTable *people)
{
  GHashTableIter iter;
  gpointer person;

  g_hash_table_iter_init (&iter, people);
  while (g_hash_table_iter_next (&iter, NULL, &person))
    if (((Person *) person)->hash != NULL)
      return TRUE;
  return FALSE;
}

static gboolean
read_fd (UserFile *users, int fd, const struct stat *stat, GError **error)
{
  g_autofree char *text = g_malloc ((gsize) stat->st_size + 1);
  gssize size = read (fd, text, (gsize) stat->st_size + 1);
  GHashTable *people;

  if (size < 0) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE, _ ("cannot read %s: %s"), users->path,
                 g_strerror (errno));
    return FALSE;
  }
  people = user_file_parse (users->path, text, (gsize) size, error);
  if (people == NULL)
    return FALSE;
  if ((stat->st_mode & 077) != 0 && has_hashes (people)) {
    g_hash_table_unref (people);
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
                 _ ("%s holds password hashes and others may read it; run: chmod 600 %s"), users->path,
                 users->path);
    return FALSE;
  }
  g_hash_table_unref (users->people);
  users->people = people;
  return TRUE;
}

static gboolean
same_file (const struct stat *a, const struct stat *b)
{
  return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
         a->st_mode == b->st_mode && memcmp (&a->st_mtim, &b->st_mtim, sizeof a->st_mtim) == 0 &&
         memcmp (&a->st_ctim, &b->st_ctim, sizeof a->st_ctim) == 0;
}

static gboolean
user_file_gone (UserFile *users)
{
  memset (&users->seen, 0, sizeof users->seen);
  g_hash_table_remove_all (users->people);
  return TRUE;
}

gboolean
user_file_refresh (UserFile *users, GError **error)
{
  int fd = open (users->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat now;
  gboolean good;

  if (fd < 0 && errno == ENOENT)
    return user_file_gone (users);
  if (fd < 0 || fstat (fd, &now) != 0 || !S_ISREG (now.st_mode) || now.st_size > BOOK_SIZE_MAX) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, _ ("cannot read %s: %s"), users->path,
                 fd < 0 ? g_strerror (errno) : _ ("no plain file, or larger than 4 MiB"));
    if (fd >= 0)
      close (fd);
    return FALSE;
  }
  good = same_file (&now, &users->seen) || read_fd (users, fd, &now, error);
  close (fd);
  if (good)
    users->seen = now;
  return good;
}

/* ---- checks ---- */

const Person *
user_file_find (UserFile *users, const char *name)
{
  return g_hash_table_lookup (users->people, name);
}

static const char *
nobody_setting (UserFile *users)
{
  char setting[CRYPT_GENSALT_OUTPUT_SIZE];

  if (users->nobody == NULL && crypt_gensalt_rn ("$y$", 0, NULL, 0, setting, sizeof setting) != NULL)
    users->nobody = g_strdup (setting);
  return users->nobody != NULL ? users->nobody : "$y$j9T$0123456789abcdef";
}

gboolean
user_file_password_is (UserFile *users, const Person *person, const char *password)
{
  gboolean known = person != NULL && person->hash != NULL && person->hash[0] == '$';
  const char *made = crypt_rn (password, known ? person->hash : nobody_setting (users), &users->scratch,
                               sizeof users->scratch);
  gboolean same = known && made != NULL && made[0] != '*' && far_equal_secret (made, person->hash);

  explicit_bzero (&users->scratch, sizeof users->scratch);
  return same;
}

gboolean
user_file_key_is (const Person *person, const char *key)
{
  g_autofree char *plain = user_file_key_plain (key);

  return plain != NULL && person != NULL && person->keys != NULL &&
         g_strv_contains ((const char *const *) person->keys, plain);
}

/* ---- changes ---- */

static char *
hash_password (UserFile *users, const char *password, GError **error)
{
  char setting[CRYPT_GENSALT_OUTPUT_SIZE];
  const char *made = NULL;
  char *hash = NULL;

  if (*password == '\0' || strlen (password) > 500) {
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("password: 1 to 500 bytes"));
    return NULL;
  }
  if (crypt_gensalt_rn ("$y$", 0, NULL, 0, setting, sizeof setting) != NULL)
    /* Not crypt_r: the sanitizers take that one over, wrongly in a module. */
    made = crypt_rn (password, setting, &users->scratch, sizeof users->scratch);
  if (made != NULL && made[0] != '*')
    hash = g_strdup (made);
  else
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INTERNAL, _ ("password: cannot be hashed"));
  explicit_bzero (&users->scratch, sizeof users->scratch);
  return hash;
}

static Person *
person_copy (const Person *from, const char *name)
{
  Person *person = person_new (name);

  if (from == NULL)
    return person;
  person->hash = g_strdup (from->hash);
  person->groups = g_strdupv (from->groups);
  person->keys = g_strdupv (from->keys);
  return person;
}

static gboolean
person_add_key (Person *person, const char *key, GError **error)
{
  g_autofree char *plain = user_file_key_plain (key);
  GStrvBuilder *keys;

  if (plain == NULL) {
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID,
                         _ ("not a public key: wants \"ssh-ed25519 AAAA…\""));
    return FALSE;
  }
  if (person->keys != NULL && g_strv_contains ((const char *const *) person->keys, plain))
    return TRUE;
  keys = g_strv_builder_new ();
  if (person->keys != NULL)
    g_strv_builder_addv (keys, (const char **) person->keys);
  g_strv_builder_add (keys, plain);
  g_strfreev (person->keys);
  person->keys = g_strv_builder_end (keys);
  g_strv_builder_unref (keys);
  return TRUE;
}

/* The file first; what the memory holds follows from it. */
static gboolean
user_file_save (UserFile *users, GError **error)
{
  if (!user_file_write (users->path, users->people, error)) {
    memset (&users->seen, 0, sizeof users->seen); /* read again what is really there */
    return FALSE;
  }
  return stat (users->path, &users->seen) == 0 || user_file_refresh (users, error);
}

static gboolean
auth_file_users_name_fits (const char *name)
{
  gboolean good = name != NULL && *name != '\0' && strlen (name) <= 64 && g_utf8_validate (name, -1, NULL) &&
                  strpbrk (name, "/ ") == NULL;

  for (const char *at = name; good && *at != '\0'; at = g_utf8_next_char (at))
    good = !g_unichar_iscntrl (g_utf8_get_char (at));
  return good;
}

gboolean
user_file_put (UserFile *users, const char *name, const char *password, const char *const *groups,
               const char *key, GError **error)
{
  Person *person;

  if (!auth_file_users_name_fits (name)) {
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID,
                         _ ("name of a person: 1 to 64 bytes without spaces and /"));
    return FALSE;
  }
  person = person_copy (user_file_find (users, name), name);
  if (groups != NULL) {
    g_strfreev (person->groups);
    person->groups = g_strdupv ((char **) groups);
  }
  if (password != NULL) {
    far_secret_free (person->hash);
    person->hash = hash_password (users, password, error);
  }
  if ((password != NULL && person->hash == NULL) || (key != NULL && !person_add_key (person, key, error))) {
    person_free (person);
    return FALSE;
  }
  g_hash_table_replace (users->people, person->name, person);
  return user_file_save (users, error);
}

gboolean
user_file_remove (UserFile *users, const char *name, GError **error)
{
  if (!g_hash_table_remove (users->people, name)) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_NOT_FOUND, _ ("no person '%s' in %s"), name, users->path);
    return FALSE;
  }
  return user_file_save (users, error);
}

static json_t *
list_json (GStrv list)
{
  json_t *json = json_array ();

  for (guint i = 0; list != NULL && list[i] != NULL; i++)
    json_array_append_new (json, json_string (list[i]));
  return json;
}

json_t *
user_file_list (UserFile *users)
{
  json_t *list = json_array ();
  g_autoptr (GList) names = g_list_sort (g_hash_table_get_keys (users->people), (GCompareFunc) strcmp);

  for (GList *name = names; name != NULL; name = name->next) {
    const Person *person = g_hash_table_lookup (users->people, name->data);

    json_array_append_new (list, json_pack ("{s:s, s:o, s:b, s:o}", "name", person->name, "groups",
                                            list_json (person->groups), "has_password", person->hash != NULL,
                                            "keys", list_json (person->keys)));
  }
  return list;
}
