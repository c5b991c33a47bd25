/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A backup that anybody may have made. What begins with 'F' is a file as it is; anything else is what a file
 * holds: the first byte says how many bytes go into a chunk (0: as many as fit), the rest is sealed into such
 * chunks, so that changed bytes come as far as the entries. parses: core/ctl-support/backup-read.c
 * core/ctl-support/backup-key.c functions: bad take take_front far_backup_mode far_backup_open at_end pull
 * more exactly far_backup_read pass_over parse_head far_backup_next far_backup_path_ok stretch needs
 * get_from_passphrase backup_key_get */
#include "config.h"

#include "fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ctl-support/backup-private.h"
#include "trust/seal-private.h"

#define ABYTES crypto_secretstream_xchacha20poly1305_ABYTES
#define HEADER crypto_secretstream_xchacha20poly1305_HEADERBYTES

/* Never more than a moment's work: what a file may ask for beyond is for test-backup. */
static gboolean
is_cheap (const guint8 *data, gsize size)
{
  const guint8 *tail = data + BACKUP_MAGIC_SIZE + 1 + BACKUP_SALT;
  guint32 rounds, memory_kib;

  if (size < BACKUP_MAGIC_SIZE + 1 + BACKUP_SALT + 8)
    return TRUE;
  rounds = backup_get_u32 (tail);
  memory_kib = backup_get_u32 (tail + 4);
  return (rounds <= 2 && memory_kib <= 256) || rounds > BACKUP_ROUNDS_MAX ||
         memory_kib > BACKUP_MEMORY_KIB_MAX;
}

/* ---- what a file holds, made one ---- */

static void
seal_chunk (crypto_secretstream_xchacha20poly1305_state *state, GByteArray *file, const guint8 *data,
            gsize size, gboolean first, gboolean last)
{
  guint8 length[4];
  g_autofree guint8 *sealed = g_malloc (size + ABYTES);
  gsize front = BACKUP_MAGIC_SIZE + 1 + FAR_BACKUP_KEY;

  crypto_secretstream_xchacha20poly1305_push (state, sealed, NULL, data, size, first ? file->data : NULL,
                                              first ? front : 0,
                                              last ? crypto_secretstream_xchacha20poly1305_TAG_FINAL : 0);
  backup_put_u32 (length, (guint32) (size + ABYTES));
  g_byte_array_append (file, length, sizeof length);
  g_byte_array_append (file, sealed, (guint) (size + ABYTES));
}

static GByteArray *
sealed (const guint8 *data, gsize size, gsize chunk)
{
  static const guint8 front[BACKUP_MAGIC_SIZE + 1 + FAR_BACKUP_KEY] = BACKUP_MAGIC;
  crypto_secretstream_xchacha20poly1305_state state;
  GByteArray *file = g_byte_array_new ();
  guint8 header[HEADER];
  gboolean first = TRUE;

  crypto_secretstream_xchacha20poly1305_init_push (&state, header, front + BACKUP_MAGIC_SIZE + 1);
  g_byte_array_append (file, front, sizeof front);
  g_byte_array_append (file, header, sizeof header);
  do {
    gsize n = MIN (size, chunk);

    seal_chunk (&state, file, data, n, first, n == size);
    first = FALSE;
    data += n;
    size -= n;
  } while (size > 0);
  return file;
}

/* ---- reading ---- */

/* Every second entry is passed over, the others are read in odd pieces; never more than was said. */
static void
read_entry (FarBackupIn *in, guint64 n, guint at)
{
  guint8 some[1000];
  guint64 sum = 0;
  gsize got;

  while (at % 2 == 0 && (got = far_backup_read (in, some, 1 + at % sizeof some, NULL)) > 0)
    sum += got;
  g_assert_cmpuint (sum, <=, n);
}

static gboolean
read_all (int fd, const FarBackupLock *lock)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (FarBackupIn) in = NULL;
  FarBackupMode mode;
  guint64 n = 0;
  json_t *head;

  if (!far_backup_mode (fd, &mode, &error)) {
    g_assert_nonnull (error);
    return FALSE;
  }
  in = far_backup_open (fd, lock, &error);
  g_assert_true ((in == NULL) == (error != NULL));
  for (guint at = 0; in != NULL && (head = far_backup_next (in, &n, &error)) != NULL; at++) {
    const char *path = json_string_value (json_object_get (head, "path"));

    g_assert_no_error (error);
    if (path != NULL && far_backup_path_ok (path))
      g_assert_true (path[0] != '/' && strcmp (path, "..") != 0 && strstr (path, "/../") == NULL &&
                     !g_str_has_prefix (path, "../") && !g_str_has_suffix (path, "/.."));
    json_decref (head);
    read_entry (in, n, at);
  }
  return in != NULL && error == NULL;
}

gboolean
fuzz_one (const guint8 *data, gsize size)
{
  guint8 secret[FAR_BACKUP_KEY], open[FAR_BACKUP_KEY];
  FarBackupLock lock = { .passphrase = is_cheap (data, size) ? "four words are a passphrase" : NULL,
                         .open = open,
                         .secret = secret };
  g_autoptr (GByteArray) file = NULL;
  int fd = memfd_create ("backup", MFD_CLOEXEC);
  gboolean accepted;

  g_assert_true (far_seal_ready (NULL));
  for (guint i = 0; i < sizeof secret; i++)
    secret[i] = (guint8) (i + 1);
  crypto_scalarmult_base (open, secret);
  file = size > 0 && data[0] != 'F' ? sealed (data + 1, size - 1, data[0] > 0 ? data[0] : BACKUP_CHUNK)
                                    : NULL;
  if (file != NULL) {
    data = file->data;
    size = file->len;
  }
  g_assert_cmpint (write (fd, data, size), ==, (gssize) size);
  accepted = read_all (fd, &lock);
  close (fd);
  return accepted;
}
