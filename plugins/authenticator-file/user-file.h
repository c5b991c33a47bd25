/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The people of one file. Everything here runs on the executor "password" (one thread), so nothing is locked.
 */
#pragma once
#include <crypt.h>
#include <sys/stat.h>

#include <farwatch/plugin.h>

#define BOOK_PEOPLE_MAX 10000

typedef struct {
  char *name;
  char *hash;   /* crypt(5); NULL: no password */
  GStrv groups; /* may be NULL */
  GStrv keys;   /* "type base64"; may be NULL */
} Person;

typedef struct {
  gint refs;
  char *path;
  GHashTable *people;        /* name → Person */
  struct stat seen;          /* the file as it was read; st_ino 0: none */
  char *nobody;              /* setting an unknown name is hashed with */
  struct crypt_data scratch; /* 32 KiB of crypt_r() */
} UserFile;

UserFile *user_file_new (const char *path);
UserFile *user_file_ref (UserFile *users); /* [any thread] */
void user_file_unref (UserFile *users);    /* [any thread] */

/* Reads the file again if it changed. A file that is not there is an empty one. On failure the people stay as
 * they were. */
gboolean user_file_refresh (UserFile *users, GError **error);
const Person *user_file_find (UserFile *users, const char *name);
/* TRUE: the password is right. person NULL or without a password: the same work, FALSE. */
gboolean user_file_password_is (UserFile *users, const Person *person, const char *password);
gboolean user_file_key_is (const Person *person, const char *key);
/* NULL keeps what is there; FAR_ERROR_INVALID, FAR_ERROR_FULL. */
gboolean user_file_put (UserFile *users, const char *name, const char *password, const char *const *groups,
                        const char *key, GError **error);
gboolean user_file_remove (UserFile *users, const char *name, GError **error);
json_t *user_file_list (UserFile *users);

/* users-file.c */
/* People of a file's text. FAR_ERROR_CONFIG with line. */
GHashTable *user_file_parse (const char *path, const char *text, gsize size, GError **error);
gboolean user_file_write (const char *path, GHashTable *people, GError **error);
Person *person_new (const char *name);
void person_free (Person *person);
/* "ssh-ed25519 AAAA… comment" → "ssh-ed25519 AAAA…"; NULL: no key. */
char *user_file_key_plain (const char *text);
