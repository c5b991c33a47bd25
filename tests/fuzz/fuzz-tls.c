/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* parses: core/stream/stream-tls.c
 * with: tests/fuzz/memory-stream.c tests/fuzz/tls-peer.c
 * A TLS stream over a memory stream against GnuTLS; the input is what happens to the records that GnuTLS
 * sends. Input: the sort of the pair (PAIR_* of tls-peer.h, 64: the end comes with the last bytes, 128: the
 * user reads only when told so), the bytes that one peek shows (0: all), the bytes that go out in a turn (in
 * fours, more in each; 0: no limit), and the tape: a byte, and what it wants behind it, for each record that
 * the peer has sent (on_wire()), or for what happens next where nothing is on its way (act()). When the tape
 * is over, the rest of a conversation runs undisturbed.
 *
 * However the records were changed, what the stream shows is the beginning of what the peer said; all that
 * came whole before the first change is shown; the stream ends with a cause or works; nothing turns forever;
 * and when the wire is gone, everything is. Accepted: it worked to the end. Keys and random numbers are new
 * in each run, and so are the bytes that a change falls upon. */
#include "config.h"

#include "fuzz/fuzz.h"
#include "fuzz/memory-stream.h"
#include "fuzz/tls-peer.h"

#include <string.h>

#define LOOSE (1024 * 1024)
#define OURS_MAX (256 * 1024) /* what we say in all */
#define HELD_MAX                                                                                             \
  (64 * 1024 + 9 * 16700) /* taken from below while nobody reads: a look below, and the records shown */
#define HEAD 5
#define TURNS 4096

typedef struct {
  const guint8 *tape;
  gsize left;
  MemoryEnd wire;
  FarStream *stream; /* NULL: ours no more */
  TlsPeer peer;
  GByteArray *held;        /* a record that waits for the next */
  GByteArray *seen;        /* the records that have passed, for replays */
  gsize said, shown, sure; /* bytes of content: ours taken, theirs shown, theirs that must be shown */
  gsize paused_at;         /* wire.consumed when the user stopped to read */
  gsize room;              /* of a turn; 0: no limit */
  gboolean changed, reset, paused, open, eof, failed, shut, resumed;
  const char *cause;
} Run;

static guint8
next (Run *run)
{
  if (run->left == 0)
    return 0;
  run->left--;
  return *run->tape++;
}

/* ---- the user of the stream ---- */

/* What else a user may ask, whatever has come by then. */
static void
ask_stream (FarStream *stream)
{
  guint8 bytes[16];

  g_free (far_tls_peer_key (stream));
  if (far_tls_export (stream, "EXPORTER-fuzz", bytes, sizeof bytes))
    g_assert_false (far_tls_refused (stream) && !stream->closed);
  g_assert_true (stream->klass->waiting (stream) <= OURS_MAX + LOOSE);
  far_tls_asked (stream);
}

static void
leave_stream (Run *run)
{
  if (run->stream != NULL)
    ask_stream (run->stream);
  far_stream_free (g_steal_pointer (&run->stream));
}

static void
look_at (Run *run, const FarBurst *batch)
{
  for (guint i = 0; i < batch->n; i++)
    for (gsize at = 0; at < batch->frames[i].size; at++)
      g_assert (batch->frames[i].data[at] == tls_content (run->shown++));
  g_assert (run->shown <= run->peer.said);
}

static void
read_all (Run *run)
{
  FarBurst batch;

  while (!run->paused) {
    run->stream->klass->peek (run->stream, &batch);
    if (batch.n == 0) {
      run->eof = run->eof || batch.eof;
      return;
    }
    look_at (run, &batch);
    run->stream->klass->consume (run->stream, batch.bytes);
  }
}

static void
user_ready (FarStream *stream, guint ready, gpointer user)
{
  Run *run = user;

  if ((ready & FAR_READY_CLOSED) != 0) {
    g_assert (stream->closed && stream->cause != NULL && run->cause == NULL);
    run->cause = stream->cause;
    leave_stream (run);
    return;
  }
  read_all (run);
}

static void
user_shaken (FarStream *stream, const GError *error, gpointer user)
{
  Run *run = user;

  run->open = error == NULL;
  run->resumed = run->open && far_tls_resumed (stream);
  run->failed = error != NULL;
  if (run->open) {
    far_stream_take (stream, user_ready, run);
    return;
  }
  g_assert (stream->closed && stream->cause != NULL);
  leave_stream (run);
}

static void
say (Run *run, gsize size)
{
  g_autofree guint8 *content = g_malloc (size);
  FarBurst batch = { .n = 1, .bytes = size };
  gsize taken;

  if (run->stream == NULL || !run->open || run->shut || size == 0 || run->said > OURS_MAX)
    return;
  for (gsize i = 0; i < size; i++)
    content[i] = tls_content (run->said + i);
  batch.frames[0] = (FarFrame){ .data = content, .size = size / 2 };
  batch.frames[batch.n++] = (FarFrame){ .data = content + size / 2, .size = size - size / 2 };
  taken = run->stream->klass->write (run->stream, &batch);
  g_assert (taken <= size);
  run->said += taken;
}

static void
shut (Run *run)
{
  if (run->stream == NULL || !run->open)
    return;
  run->shut = TRUE;
  run->stream->klass->shutdown (run->stream, FAR_DIRECTION_WRITE);
}

static void
pause_reading (Run *run, gboolean on)
{
  run->paused = on;
  run->paused_at = run->wire.consumed;
  if (!on && run->stream != NULL && run->open)
    far_stream_tell_soon (run->stream, FAR_READY_READ);
}

static void
settle (Run *run)
{
  memory_settle ();
  g_assert (!run->paused || !run->open || run->wire.consumed - run->paused_at <= HELD_MAX);
}

/* ---- records on the wire ---- */

static void
feed (Run *run, const guint8 *data, gsize size)
{
  memory_feed (&run->wire, data, size);
  settle (run);
}

static void
feed_record (Run *run, guint8 type, const guint8 *content, gsize size)
{
  g_autoptr (GByteArray) record = g_byte_array_new ();
  const guint8 head[HEAD] = { type, 3, 3, (guint8) (size >> 8), (guint8) size };

  g_byte_array_append (record, head, sizeof head);
  if (size > 0)
    g_byte_array_append (record, content, (guint) size);
  feed (run, record->data, record->len);
}

static void
feed_junk (Run *run)
{
  static const guint8 zero[64];
  guint8 type = next (run), content[64];
  gsize size = next (run), from = 0;

  run->changed = TRUE;
  if (size >= 128) { /* one of the types there are, so that not all of them end here */
    type = (guint8) (20 + type % 5);
    size -= 128;
  }
  memcpy (content, zero, sizeof content);
  for (from = 0; from < MIN (size, sizeof content); from++)
    content[from] = next (run);
  feed_record (run, type, content, MIN (size, sizeof content));
}

/* Into so many records of the same type: in the clear that is the same handshake. */
static void
feed_split (Run *run, const GByteArray *record, guint parts)
{
  gsize content = record->len - HEAD, part = content / parts + 1;

  run->changed = TRUE;
  for (gsize at = 0; at < content; at += part)
    feed_record (run, record->data[0], record->data + HEAD + at, MIN (part, content - at));
}

static void
feed_flipped (Run *run, GByteArray *record)
{
  gsize at = (gsize) next (run) * record->len / 256;

  run->changed = TRUE;
  record->data[at] ^= (guint8) (1u << (next (run) & 7));
  feed (run, record->data, record->len);
}

static void
feed_head (Run *run, GByteArray *record)
{
  guint at = next (run) % HEAD;
  guint8 value = next (run);

  run->changed = run->changed || record->data[at] != value;
  record->data[at] = value;
  feed (run, record->data, record->len);
}

static void
feed_again (Run *run, const GByteArray *record, guint times)
{
  run->changed = TRUE;
  for (guint i = 0; i <= times; i++)
    feed (run, record->data, record->len);
}

static void
feed_replay (Run *run, const GByteArray *record)
{
  gsize which = next (run), at = 0, size = 0;

  run->changed = TRUE;
  for (; at < run->seen->len; at += size, which--) {
    size = HEAD + ((gsize) run->seen->data[at + 3] << 8) + run->seen->data[at + 4];
    if (which == 0)
      feed (run, run->seen->data + at, size);
  }
  feed (run, record->data, record->len);
}

static void
feed_part (Run *run, const GByteArray *record)
{
  run->changed = TRUE;
  feed (run, record->data, (gsize) next (run) * record->len / 256);
}

static void
feed_halves (Run *run, const GByteArray *record)
{
  gsize cut = (gsize) next (run) * record->len / 256;

  feed (run, record->data, cut);
  feed (run, record->data + cut, record->len - cut);
}

static void
end_wire (Run *run, gboolean reset)
{
  run->changed = TRUE;
  run->reset = run->reset || reset;
  if (reset)
    memory_die (&run->wire, "connection reset");
  else
    memory_eof (&run->wire);
  settle (run);
}

static void
on_wire (Run *run, GByteArray *record)
{
  switch (next (run) % 16) {
  case 1: /* lost */
    run->changed = TRUE;
    return;
  case 2:
    feed_again (run, record, 1 + next (run) % 8);
    return;
  case 3: /* behind the next */
    run->changed = TRUE;
    if (run->held == NULL)
      run->held = g_byte_array_ref (record);
    return;
  case 4:
    feed_part (run, record);
    return;
  case 5:
    feed_flipped (run, record);
    return;
  case 6:
    feed_junk (run);
    break;
  case 7:
    feed_split (run, record, 2 + next (run) % 64);
    return;
  case 8:
    feed_part (run, record);
    end_wire (run, FALSE);
    return;
  case 9:
    end_wire (run, TRUE);
    return;
  case 10:
    feed_head (run, record);
    return;
  case 11:
    run->wire.show = next (run);
    break;
  case 12:
    feed_halves (run, record);
    return;
  case 13:
    feed_replay (run, record);
    return;
  case 14: /* an empty one before it */
    run->changed = TRUE;
    feed_record (run, record->data[0], NULL, 0);
    break;
  default:
    break;
  }
  feed (run, record->data, record->len);
}

/* The peer's next record meets the tape. FALSE: there is none. */
static gboolean
carry (Run *run)
{
  GByteArray *out = run->peer.out;
  g_autoptr (GByteArray) record = g_byte_array_new (), held = NULL;
  gsize size;

  if (out->len == 0)
    return FALSE;
  size = HEAD + ((gsize) out->data[3] << 8) + out->data[4];
  g_assert (out->len >= size);
  g_byte_array_append (record, out->data, (guint) size);
  g_byte_array_append (run->seen, out->data, (guint) size);
  g_byte_array_remove_range (out, 0, (guint) size);
  held = g_steal_pointer (&run->held);
  on_wire (run, record);
  if (held != NULL)
    feed (run, held->data, held->len);
  if (out->len == 0 && !run->changed)
    run->sure = run->peer.said;
  return TRUE;
}

/* ---- what happens ---- */

static void
act (Run *run)
{
  switch (next (run) % 16) {
  case 0:
    tls_peer_say (&run->peer, 1 + next (run) * 16u);
    return;
  case 1:
    say (run, 1 + next (run) * 64u);
    return;
  case 2:
    tls_peer_say (&run->peer, 16384);
    return;
  case 3:
    say (run, 70000);
    return;
  case 4:
    tls_peer_renew (&run->peer);
    return;
  case 5:
    tls_peer_warn (&run->peer);
    return;
  case 6:
    feed_junk (run);
    return;
  case 7:
    tls_peer_bye (&run->peer);
    return;
  case 8:
    shut (run);
    return;
  case 9:
    pause_reading (run, !run->paused);
    return;
  case 10:
    run->wire.show = next (run);
    return;
  case 11:
    run->wire.frame = next (run);
    return;
  case 12:
    leave_stream (run);
    return;
  case 13:
    end_wire (run, FALSE);
    return;
  case 14:
    end_wire (run, TRUE);
    return;
  default:
    if (run->stream != NULL)
      run->stream->klass->abort (run->stream, "no more");
    run->reset = TRUE;
    leave_stream (run);
  }
}

/* Until nothing is on its way in either direction. */
static void
exchange (Run *run)
{
  guint turns = 0;
  gsize room = run->room;
  gboolean more = TRUE;

  while (more) {
    g_assert (turns++ < TURNS);
    memory_give_room (&run->wire, room);
    room = MIN (room + room / 4, LOOSE);
    settle (run);
    more = tls_peer_turn (&run->peer);
    more = carry (run) || more || run->wire.wants_write;
    more = more && run->wire.stream != NULL;
  }
}

/* A last word of both sides and their ends, then that of the wire. */
static void
finish (Run *run)
{
  pause_reading (run, FALSE);
  run->room = LOOSE;
  exchange (run);
  if (run->held != NULL)
    feed (run, run->held->data, run->held->len);
  g_clear_pointer (&run->held, g_byte_array_unref);
  exchange (run);
  say (run, 100);
  tls_peer_say (&run->peer, 100);
  exchange (run);
  shut (run);
  exchange (run);
  tls_peer_bye (&run->peer);
  exchange (run);
  memory_eof (&run->wire);
  settle (run);
}

static gboolean
judge (Run *run)
{
  gboolean ends = run->cause != NULL || run->failed || run->eof || run->stream == NULL;

  g_assert (ends);
  g_assert (!run->open || run->reset || run->stream == NULL || run->shown >= run->sure);
  g_assert (run->peer.got <= run->said);
  return run->open && run->cause == NULL && run->stream != NULL && run->shown == run->peer.said &&
         run->peer.got == run->said && run->peer.ended;
}

static void
begin (Run *run, guint sort)
{
  FarStream *below = memory_stream_new (&run->wire);

  tls_peer_init (&run->peer, sort, run->wire.written);
  run->held = NULL;
  run->seen = g_byte_array_new ();
  run->stream = far_stream_tls_new (tls_pair_ours (sort), below, "192.0.2.1");
  far_tls_shake (run->stream, user_shaken, run);
}

/* Everything goes with the wire; what still wants to be said when its stream is left may be. */
static void
end (Run *run)
{
  leave_stream (run);
  memory_give_room (&run->wire, LOOSE);
  memory_settle ();
  memory_eof (&run->wire);
  memory_settle ();
  g_assert (run->wire.stream == NULL);
  memory_end_clear (&run->wire);
  tls_peer_clear (&run->peer);
  g_byte_array_unref (run->seen);
  g_clear_pointer (&run->held, g_byte_array_unref);
}

static gboolean
converse (Run *run, guint sort)
{
  gboolean good;

  begin (run, sort);
  exchange (run);
  while (run->left > 0 && run->wire.stream != NULL) {
    act (run);
    exchange (run);
  }
  finish (run);
  good = judge (run);
  end (run);
  return good;
}

/* The ticket that is resumed with. FALSE: a pair of this sort gets none. */
static gboolean
warm_up (guint sort)
{
  static gboolean done[PAIR_SORTS], good[PAIR_SORTS];
  Run run = { .room = LOOSE };

  if ((sort & PAIR_RESUMED) == 0)
    return FALSE;
  if (!done[sort])
    good[sort] = converse (&run, sort);
  done[sort] = TRUE;
  return good[sort];
}

gboolean
fuzz_one (const guint8 *data, gsize size)
{
  Run run = { 0 };
  guint sort;
  gboolean warm, good;

  if (size < 3)
    return FALSE;
  sort = data[0] % PAIR_SORTS;
  run.wire.early_eof = (data[0] & 64) != 0;
  run.paused = (data[0] & 128) != 0;
  run.wire.show = data[1];
  run.room = data[2] > 0 ? data[2] * 4u : LOOSE;
  run.tape = data + 3;
  run.left = size - 3;
  warm = warm_up (sort);
  good = converse (&run, sort);
  g_assert (!good || run.resumed == warm);
  return good;
}
