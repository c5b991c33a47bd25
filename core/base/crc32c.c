/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file computes the checksum of message batches and store records (CRC-32C), with the processor's
 * instruction where there is one and by table elsewhere. */
#include "config.h"

#include "base/crc32c.h"

#include <string.h>

/* Castagnoli, reflected 0x82f63b78, one nibble at a time: small, and fast enough for bodies of 256 KiB. */
static const guint32 crc32c_nibble[16] = {
  0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
  0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

static guint32
crc32c_table (guint32 crc, const guint8 *data, gsize size)
{
  for (gsize i = 0; i < size; i++) {
    crc ^= data[i];
    crc = (crc >> 4) ^ crc32c_nibble[crc & 15];
    crc = (crc >> 4) ^ crc32c_nibble[crc & 15];
  }
  return crc;
}

#if defined(__x86_64__)
__attribute__ ((target ("sse4.2"))) static guint32
crc32c_sse (guint32 crc, const guint8 *data, gsize size)
{
  guint64 wide = crc;

  for (; size >= 8; data += 8, size -= 8) {
    guint64 word;

    memcpy (&word, data, 8);
    wide = __builtin_ia32_crc32di (wide, word);
  }
  for (crc = (guint32) wide; size > 0; data++, size--)
    crc = __builtin_ia32_crc32qi (crc, *data);
  return crc;
}
#endif

guint32
far_crc32c (guint32 crc, gconstpointer data, gsize size)
{
#if defined(__x86_64__)
  if (__builtin_cpu_supports ("sse4.2"))
    return ~crc32c_sse (~crc, data, size);
#endif
  return ~crc32c_table (~crc, data, size);
}

guint32
far_crc32c_plain (guint32 crc, gconstpointer data, gsize size)
{
  return ~crc32c_table (~crc, data, size);
}
