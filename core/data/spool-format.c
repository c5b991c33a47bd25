/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Segments and records of a spool as bytes. Each segment has a key of its own, drawn from the spool's key by
 * its salt, and in it each record's number is its nonce; no segment is ever written to by two runs, so that
 * no nonce is used twice. */
#include "config.h"

#include "data/spool-private.h"

#include "base/crc32c.h"
#include <farwatch/store.h>
#include <sodium.h>
#include <string.h>

static const char magic[8] = "FWSPOOL1";
static const char purpose[16] = "farwatch spool 1";

G_STATIC_ASSERT (SPOOL_TAG_SIZE == crypto_aead_xchacha20poly1305_ietf_ABYTES);
G_STATIC_ASSERT (FAR_SPOOL_KEY_SIZE == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);

static void
put32 (guint8 *to, guint32 value)
{
  value = GUINT32_TO_BE (value);
  memcpy (to, &value, 4);
}

static void
put64 (guint8 *to, guint64 value)
{
  value = GUINT64_TO_BE (value);
  memcpy (to, &value, 8);
}

static guint32
get32 (const guint8 *from)
{
  guint32 value;
  memcpy (&value, from, 4);
  return GUINT32_FROM_BE (value);
}

static guint64
get64 (const guint8 *from)
{
  guint64 value;
  memcpy (&value, from, 8);
  return GUINT64_FROM_BE (value);
}

void
far_spool_head_write (const SpoolHead *head, guint8 bytes[SPOOL_HEAD_SIZE])
{
  memset (bytes, 0, SPOOL_HEAD_SIZE);
  memcpy (bytes, magic, sizeof magic);
  put32 (bytes + 8, head->sealed ? 1 : 0);
  put64 (bytes + 16, head->first);
  memcpy (bytes + 24, head->salt, SPOOL_SALT_SIZE);
  put32 (bytes + 60, far_crc32c (0, bytes, 60));
}

gboolean
far_spool_head_read (SpoolHead *head, const guint8 bytes[SPOOL_HEAD_SIZE])
{
  if (memcmp (bytes, magic, sizeof magic) != 0 || get32 (bytes + 8) > 1 || get32 (bytes + 12) != 0 ||
      get32 (bytes + 60) != far_crc32c (0, bytes, 60))
    return FALSE;
  head->sealed = get32 (bytes + 8) == 1;
  head->first = get64 (bytes + 16);
  memcpy (head->salt, bytes + 24, SPOOL_SALT_SIZE);
  return TRUE;
}

void
far_spool_segment_key (const guint8 *key, const SpoolHead *head, guint8 segment_key[FAR_SPOOL_KEY_SIZE])
{
  guint8 text[sizeof purpose + SPOOL_SALT_SIZE];
  memcpy (text, purpose, sizeof purpose);
  memcpy (text + sizeof purpose, head->salt, SPOOL_SALT_SIZE);
  crypto_generichash (segment_key, FAR_SPOOL_KEY_SIZE, text, sizeof text, key, FAR_SPOOL_KEY_SIZE);
}

/* ---- records ---- */

/* What the seal covers besides the bytes: length, number, time. */
static void
record_context (const guint8 *record, guint8 context[20])
{
  memcpy (context, record, 4);
  memcpy (context + 4, record + 8, 16);
}

static void
record_nonce (guint64 sequence, guint8 nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES])
{
  memset (nonce, 0, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
  put64 (nonce, sequence);
}

static guint32
record_crc (const guint8 *record, gsize length)
{
  return far_crc32c (far_crc32c (0, record, 4), record + 8, SPOOL_RECORD_HEAD_SIZE - 8 + length);
}

void
far_spool_record_write (GByteArray *out, guint64 sequence, gint64 time_us, gconstpointer data, gsize size,
                        const guint8 *segment_key)
{
  gsize start = out->len, length = size + (segment_key != NULL ? SPOOL_TAG_SIZE : 0);
  guint8 context[20], nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];

  g_byte_array_set_size (out, (guint) (start + SPOOL_RECORD_HEAD_SIZE + length));
  guint8 *record = out->data + start, *bytes = record + SPOOL_RECORD_HEAD_SIZE;
  put32 (record, (guint32) length);
  put64 (record + 8, sequence);
  put64 (record + 16, (guint64) time_us);
  record_context (record, context);
  record_nonce (sequence, nonce);
  if (segment_key != NULL)
    crypto_aead_xchacha20poly1305_ietf_encrypt (bytes, NULL, data, size, context, sizeof context, NULL, nonce,
                                                segment_key);
  else if (size > 0)
    memcpy (bytes, data, size);
  put32 (record + 4, record_crc (record, length));
}

void
far_spool_record_head_read (SpoolRecordHead *head, const guint8 bytes[SPOOL_RECORD_HEAD_SIZE])
{
  *head = (SpoolRecordHead){ .length = get32 (bytes),
                             .crc = get32 (bytes + 4),
                             .sequence = get64 (bytes + 8),
                             .time_us = (gint64) get64 (bytes + 16) };
}

gboolean
far_spool_record_is_whole (const SpoolRecordHead *head, const guint8 *record)
{
  return head->crc == record_crc (record, head->length);
}

gssize
far_spool_record_open (const SpoolRecordHead *head, guint8 *record, const guint8 *segment_key)
{
  guint8 context[20], nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];
  guint8 *bytes = record + SPOOL_RECORD_HEAD_SIZE;

  record_context (record, context);
  record_nonce (head->sequence, nonce);
  if (head->length < SPOOL_TAG_SIZE ||
      crypto_aead_xchacha20poly1305_ietf_decrypt (bytes, NULL, NULL, bytes, head->length, context,
                                                  sizeof context, nonce, segment_key) != 0)
    return -1;
  return (gssize) head->length - SPOOL_TAG_SIZE;
}
