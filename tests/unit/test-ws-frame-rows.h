/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows of test-ws-frame: bytes, and what a decoder makes of them. The words of a row's bytes are
 *   hex pair    that byte; 78*300: 300 times
 *   'a_b'       text, a low line stands for a space
 *   mHEX        the second byte of a head; for a server with its mask bit
 *   k           the key, for a server; what follows is payload and gets masked
 *   .           the payload ends here, a head follows
 * so that most rows are read by both sides. What is told: "text 2+3 <Hello>" is a message of two frames,
 * "open 3" one that is not whole; a payload over 300 bytes is told as "x*301". */
#pragma once
#include <glib.h>

typedef enum { BOTH, CLIENT, SERVER } Side;
typedef struct {
  const char *name;
  Side side;
  const char *bytes, *told;
  gsize frame_max;
} Row;

static const Row rows[] = {
  /* The examples of RFC 6455 section 5.7, byte by byte as they stand there. */
  { "5.7 a single-frame unmasked text message", CLIENT, "81 05 48 65 6c 6c 6f", "text <Hello>", 0 },
  { "5.7 a single-frame masked text message", SERVER, "81 85 37 fa 21 3d 7f 9f 4d 51 58", "text <Hello>", 0 },
  { "5.7 a fragmented unmasked text message", CLIENT, "01 03 48 65 6c 80 02 6c 6f", "text 3+2 <Hello>", 0 },
  { "5.7 an unmasked ping", CLIENT, "89 05 48 65 6c 6c 6f", "ping <Hello>", 0 },
  { "5.7 a masked pong", SERVER, "8a 85 37 fa 21 3d 7f 9f 4d 51 58", "pong <Hello>", 0 },
  { "5.7 256 bytes of binary data", CLIENT, "82 7e 01 00 78*256",
    "binary "
    "<xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "xxxxxxxxx"
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "xxxxxxxxxxxxxxxx"
    "xxxxxxxxxxxxxxxxxxxxxxxx>",
    0 },
  { "5.7 64 KiB of binary data", CLIENT, "82 7f 00 00 00 00 00 01 00 00 78*65536", "binary <x*65536>", 0 },

  /* Lengths, sections 5.2 and 5.3. */
  { "binary of 0", BOTH, "82 m00 k", "binary <>", 0 },
  { "binary of 1", BOTH, "82 m01 k 78*1", "binary <x>", 0 },
  { "binary of 2", BOTH, "82 m02 k 78*2", "binary <xx>", 0 },
  { "binary of 3", BOTH, "82 m03 k 78*3", "binary <xxx>", 0 },
  { "binary of 4", BOTH, "82 m04 k 78*4", "binary <xxxx>", 0 },
  { "binary of 5", BOTH, "82 m05 k 78*5", "binary <xxxxx>", 0 },
  { "binary of 7", BOTH, "82 m07 k 78*7", "binary <xxxxxxx>", 0 },
  { "binary of 8", BOTH, "82 m08 k 78*8", "binary <xxxxxxxx>", 0 },
  { "binary of 9", BOTH, "82 m09 k 78*9", "binary <xxxxxxxxx>", 0 },
  { "binary of 124", BOTH, "82 m7c k 78*124",
    "binary "
    "<xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "xxxxxxxxx"
    "xxxxxxxxxxxx>",
    0 },
  { "binary of 125", BOTH, "82 m7d k 78*125",
    "binary "
    "<xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "xxxxxxxxx"
    "xxxxxxxxxxxxx>",
    0 },
  { "binary of 126", BOTH, "82 m7e 00 7e k 78*126",
    "binary "
    "<xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "xxxxxxxxx"
    "xxxxxxxxxxxxxx>",
    0 },
  { "binary of 127", BOTH, "82 m7e 00 7f k 78*127",
    "binary "
    "<xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "xxxxxxxxx"
    "xxxxxxxxxxxxxxx>",
    0 },
  { "binary of 128", BOTH, "82 m7e 00 80 k 78*128",
    "binary "
    "<xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "xxxxxxxxx"
    "xxxxxxxxxxxxxxxx>",
    0 },
  { "binary of 129", BOTH, "82 m7e 00 81 k 78*129",
    "binary "
    "<xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "xxxxxxxxx"
    "xxxxxxxxxxxxxxxxx>",
    0 },
  { "binary of 255", BOTH, "82 m7e 00 ff k 78*255",
    "binary "
    "<xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "xxxxxxxxx"
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "xxxxxxxxxxxxxxxx"
    "xxxxxxxxxxxxxxxxxxxxxxx>",
    0 },
  { "binary of 256", BOTH, "82 m7e 01 00 k 78*256",
    "binary "
    "<xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "xxxxxxxxx"
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "xxxxxxxxxxxxxxxx"
    "xxxxxxxxxxxxxxxxxxxxxxxx>",
    0 },
  { "binary of 257", BOTH, "82 m7e 01 01 k 78*257",
    "binary "
    "<xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "xxxxxxxxx"
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "xxxxxxxxxxxxxxxx"
    "xxxxxxxxxxxxxxxxxxxxxxxxx>",
    0 },
  { "binary of 300", BOTH, "82 m7e 01 2c k 78*300",
    "binary "
    "<xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "xxxxxxxxx"
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "xxxxxxxxxxxxxxxx"
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx>",
    0 },
  { "binary of 301", BOTH, "82 m7e 01 2d k 78*301", "binary <x*301>", 0 },
  { "binary of 1000", BOTH, "82 m7e 03 e8 k 78*1000", "binary <x*1000>", 0 },
  { "binary of 32767", BOTH, "82 m7e 7f ff k 78*32767", "binary <x*32767>", 0 },
  { "binary of 32768", BOTH, "82 m7e 80 00 k 78*32768", "binary <x*32768>", 0 },
  { "binary of 65535", BOTH, "82 m7e ff ff k 78*65535", "binary <x*65535>", 0 },
  { "binary of 65536", BOTH, "82 m7f 00 00 00 00 00 01 00 00 k 78*65536", "binary <x*65536>", 0 },
  { "binary of 65537", BOTH, "82 m7f 00 00 00 00 00 01 00 01 k 78*65537", "binary <x*65537>", 0 },
  { "binary of 70000", BOTH, "82 m7f 00 00 00 00 00 01 11 70 k 78*70000", "binary <x*70000>", 0 },
  { "text of 0", BOTH, "81 m00 k", "text <>", 0 },
  { "text of 125", BOTH, "81 m7d k 78*125",
    "text "
    "<xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "xxxxxxxxxxx"
    "xxxxxxxxxxx>",
    0 },
  { "text of 126", BOTH, "81 m7e 00 7e k 78*126",
    "text "
    "<xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "xxxxxxxxxxx"
    "xxxxxxxxxxxx>",
    0 },
  { "text of 65535", BOTH, "81 m7e ff ff k 78*65535", "text <x*65535>", 0 },
  { "text of 65536", BOTH, "81 m7f 00 00 00 00 00 01 00 00 k 78*65536", "text <x*65536>", 0 },
  { "16 bits for 0", BOTH, "82 m7e 00 00 k 78*3", "bad 1002", 0 },
  { "16 bits for 1", BOTH, "82 m7e 00 01 k 78*3", "bad 1002", 0 },
  { "16 bits for 125", BOTH, "82 m7e 00 7d k 78*3", "bad 1002", 0 },
  { "64 bits for 0", BOTH, "82 m7f 00 00 00 00 00 00 00 00 k 78*3", "bad 1002", 0 },
  { "64 bits for 125", BOTH, "82 m7f 00 00 00 00 00 00 00 7d k 78*3", "bad 1002", 0 },
  { "64 bits for 126", BOTH, "82 m7f 00 00 00 00 00 00 00 7e k 78*3", "bad 1002", 0 },
  { "64 bits for 65535", BOTH, "82 m7f 00 00 00 00 00 00 ff ff k 78*3", "bad 1002", 0 },
  { "top bit of the length", BOTH, "82 m7f 80 00 00 00 00 00 00 00 k 78", "bad 1002", 0 },
  { "all bits of the length", BOTH, "82 m7f ff ff ff ff ff ff ff ff k 78", "bad 1002", 0 },
  { "the longest length there is", BOTH, "82 m7f 7f ff ff ff ff ff ff ff k 78*9", "open 9", 0 },
  { "a short length in 16 bits is known before the key", BOTH, "82 m7e 00 7d", "bad 1002", 0 },
  { "a top bit is known before the key", BOTH, "82 m7f 80 00 00 00 00 00 00 00", "bad 1002", 0 },
  { "no byte", BOTH, "", "", 0 },
  { "half of a head", BOTH, "82", "", 0 },
  { "a head without its length", BOTH, "82 m7e 01", "", 0 },
  { "a head without payload", BOTH, "82 m05 k", "", 0 },
  { "a long head that lacks a byte", BOTH, "82 m7f 00 00 00 00 00 01 00", "", 0 },
  { "a key that lacks a byte", SERVER, "82 85 01 02 03", "", 0 },
  { "half of a payload", BOTH, "82 m05 k 78*3", "open 3", 0 },
  { "half of a ping", BOTH, "89 m05 k 78*3", "", 0 },

  /* One frame's size: frame_max, data frames only. */
  { "as large as it may be", BOTH, "82 m0a k 78*10", "binary <xxxxxxxxxx>", 10 },
  { "one byte too large", BOTH, "82 m0b k 78*11", "bad 1009", 10 },
  { "too large in 64 bits", BOTH, "82 m7f 7f ff ff ff ff ff ff ff k", "bad 1009", 1048576 },
  { "too large is known before the key", BOTH, "82 m0b", "bad 1009", 10 },
  { "each frame may be as large", BOTH, "02 m0a k 78*10 . 80 m0a k 78*10",
    "binary 10+10 <xxxxxxxxxxxxxxxxxxxx>", 10 },
  { "a continuation too large", BOTH, "02 m0a k 78*10 . 80 m0b k 78*11", "bad 1009", 10 },
  { "text too large", BOTH, "81 m0b k 78*11", "bad 1009", 10 },
  { "control frames have their own limit", BOTH, "89 m0b k 78*11 . 88 m0b k 03 e8 78*9",
    "ping <xxxxxxxxxxx> close 1000 <xxxxxxxxx>", 10 },
  { "not in its shortest form comes first", BOTH, "82 m7e 00 7d k", "bad 1002", 10 },

  /* Reserved bits, section 5.2: no extension is negotiated. Nothing behind the bad byte is waited for. */
  { "reserved bits 1", BOTH, "91 m00 k", "bad 1002", 0 },
  { "reserved bits 2", BOTH, "a1 m00 k", "bad 1002", 0 },
  { "reserved bits 3", BOTH, "b1 m00 k", "bad 1002", 0 },
  { "reserved bits 4", BOTH, "c1 m00 k", "bad 1002", 0 },
  { "reserved bits 5", BOTH, "d1 m00 k", "bad 1002", 0 },
  { "reserved bits 6", BOTH, "e1 m00 k", "bad 1002", 0 },
  { "reserved bits 7", BOTH, "f1 m00 k", "bad 1002", 0 },
  { "reserved bits of a continuation", BOTH, "01 m01 k 78 . c0 m01 k 78", "bad 1002", 0 },
  { "reserved bits of a ping", BOTH, "c9 m00 k", "bad 1002", 0 },
  { "reserved bits of a close frame", BOTH, "a8 m00 k", "bad 1002", 0 },
  { "the first byte is enough", BOTH, "f1", "bad 1002", 0 },
  { "after a good message", BOTH, "81 m02 k 'ok' . 91 m00 k", "text <ok> bad 1002", 0 },
  { "after a ping", BOTH, "89 m02 k 'ok' . 91 m00 k", "ping <ok> bad 1002", 0 },

  /* Opcodes, section 5.2. */
  { "opcode 3", BOTH, "83 m00 k", "bad 1002", 0 },
  { "opcode 4", BOTH, "84 m00 k", "bad 1002", 0 },
  { "opcode 5", BOTH, "85 m00 k", "bad 1002", 0 },
  { "opcode 6", BOTH, "86 m00 k", "bad 1002", 0 },
  { "opcode 7", BOTH, "87 m00 k", "bad 1002", 0 },
  { "opcode 11", BOTH, "8b m00 k", "bad 1002", 0 },
  { "opcode 12", BOTH, "8c m00 k", "bad 1002", 0 },
  { "opcode 13", BOTH, "8d m00 k", "bad 1002", 0 },
  { "opcode 14", BOTH, "8e m00 k", "bad 1002", 0 },
  { "opcode 15", BOTH, "8f m00 k", "bad 1002", 0 },
  { "opcode 3 unfinished", BOTH, "03 m00 k", "bad 1002", 0 },
  { "opcode 5 inside a message", BOTH, "01 m01 k 78 . 85 m00 k", "bad 1002", 0 },
  { "opcode 11 inside a message", BOTH, "01 m01 k 78 . 8b m00 k", "bad 1002", 0 },
  { "opcode 7 after a message", BOTH, "81 m02 k 'ok' . 87 m05 k 'Hello'", "text <ok> bad 1002", 0 },

  /* Masks, sections 5.1 and 5.3. */
  { "unmasked from a client", SERVER, "81 05 48 65 6c 6c 6f", "bad 1002", 0 },
  { "unmasked and empty from a client", SERVER, "81 00", "bad 1002", 0 },
  { "unmasked ping from a client", SERVER, "89 00", "bad 1002", 0 },
  { "unmasked close from a client", SERVER, "88 00", "bad 1002", 0 },
  { "unmasked continuation from a client", SERVER, "01 81 00 00 00 00 78 80 01 78", "bad 1002", 0 },
  { "masked from a server", CLIENT, "81 85 37 fa 21 3d 7f 9f 4d 51 58", "bad 1002", 0 },
  { "masked and empty from a server", CLIENT, "81 80 37 fa 21 3d", "bad 1002", 0 },
  { "masked pong from a server", CLIENT, "8a 80 37 fa 21 3d", "bad 1002", 0 },
  { "masked close from a server", CLIENT, "88 80 37 fa 21 3d", "bad 1002", 0 },
  { "masked by nothing", SERVER, "81 85 00 00 00 00 48 65 6c 6c 6f", "text <Hello>", 0 },
  { "each frame has its own key", SERVER, "01 82 20 20 20 20 68 45 80 83 01 02 03 04 6d 6e 6c",
    "text 2+3 <Hello>", 0 },
  { "the key begins anew in each frame", BOTH, "02 m03 k 'abc' . 00 m02 k 'de' . 80 m05 k 'fghij'",
    "binary 3+2+5 <abcdefghij>", 0 },

  /* Control frames, section 5.5. */
  { "ping without payload", BOTH, "89 m00 k", "ping <>", 0 },
  { "ping with payload", BOTH, "89 m05 k 'Hello'", "ping <Hello>", 0 },
  { "ping of bytes that are no text", BOTH, "89 m05 k 00 ff fe fd fc", "ping <\\00\\ff\\fe\\fd\\fc>", 0 },
  { "ping of 125", BOTH, "89 m7d k 78*125",
    "ping "
    "<xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "xxxxxxxxxxx"
    "xxxxxxxxxxx>",
    0 },
  { "ping of 126", BOTH, "89 m7e 00 7e k 78*126", "bad 1002", 0 },
  { "ping of 64 bits", BOTH, "89 m7f 00 00 00 00 00 01 00 00 k", "bad 1002", 0 },
  { "fragmented ping", BOTH, "09 m00 k", "bad 1002", 0 },
  { "pong without payload", BOTH, "8a m00 k", "pong <>", 0 },
  { "pong with payload", BOTH, "8a m05 k 'Hello'", "pong <Hello>", 0 },
  { "pong of bytes that are no text", BOTH, "8a m05 k 00 ff fe fd fc", "pong <\\00\\ff\\fe\\fd\\fc>", 0 },
  { "pong of 125", BOTH, "8a m7d k 78*125",
    "pong "
    "<xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "xxxxxxxxxxx"
    "xxxxxxxxxxx>",
    0 },
  { "pong of 126", BOTH, "8a m7e 00 7e k 78*126", "bad 1002", 0 },
  { "pong of 64 bits", BOTH, "8a m7f 00 00 00 00 00 01 00 00 k", "bad 1002", 0 },
  { "fragmented pong", BOTH, "0a m00 k", "bad 1002", 0 },
  { "fragmented close", BOTH, "08 m02 k 03 e8", "bad 1002", 0 },
  { "close of 126", BOTH, "88 m7e 00 7e k 03 e8 78*124", "bad 1002", 0 },
  { "a continuation behind a fragmented ping", BOTH, "09 m01 k 78 . 80 m01 k 78", "bad 1002", 0 },
  { "ten pings", BOTH,
    "89 m00 k . 89 m00 k . 89 m00 k . 89 m00 k . 89 m00 k . 89 m00 k . 89 m00 k . 89 m00 k . 89 m00 k . 89 "
    "m01 k 'z'",
    "ping <> ping <> ping <> ping <> ping <> ping <> ping <> ping <> ping <> ping <z>", 0 },
  { "pong that nobody asked for, then ping", BOTH, "8a m03 k 'un_' . 89 m01 k 'p'", "pong <un > ping <p>",
    0 },

  /* Fragments, section 5.4. */
  { "text of two", BOTH, "01 m03 k 'Hel' . 80 m02 k 'lo'", "text 3+2 <Hello>", 0 },
  { "binary of three", BOTH, "02 m01 k 'a' . 00 m01 k 'b' . 80 m01 k 'c'", "binary 1+1+1 <abc>", 0 },
  { "empty fragments", BOTH, "01 m00 k . 00 m00 k . 80 m00 k", "text 0+0+0 <>", 0 },
  { "empty around something", BOTH, "02 m00 k . 00 m02 k 'ab' . 80 m00 k", "binary 0+2+0 <ab>", 0 },
  { "ping between fragments", BOTH, "01 m03 k 'Hel' . 89 m01 k 'p' . 80 m02 k 'lo'",
    "ping <p> text 3+2 <Hello>", 0 },
  { "pong between fragments", BOTH, "01 m03 k 'Hel' . 8a m01 k 'p' . 80 m02 k 'lo'",
    "pong <p> text 3+2 <Hello>", 0 },
  { "pings between all fragments", BOTH,
    "01 m01 k 'a' . 89 m01 k '1' . 00 m01 k 'b' . 89 m01 k '2' . 80 m01 k 'c' . 89 m00 k",
    "ping <1> ping <2> text 1+1+1 <abc> ping <>", 0 },
  { "a message follows a fragmented one", BOTH, "01 m01 k 'a' . 80 m01 k 'b' . 82 m01 k 'c'",
    "text 1+1 <ab> binary <c>", 0 },
  { "a message without an end", BOTH, "01 m03 k 'Hel' . 00 m02 k 'lo'", "open 5", 0 },
  { "continuation of nothing", BOTH, "80 m05 k 'Hello'", "bad 1002", 0 },
  { "continuation of nothing, unfinished", BOTH, "00 m05 k 'Hello'", "bad 1002", 0 },
  { "continuation of nothing, empty", BOTH, "80 m00 k", "bad 1002", 0 },
  { "continuation of a whole message", BOTH, "81 m02 k 'ok' . 80 m02 k 'no'", "text <ok> bad 1002", 0 },
  { "continuation of a fragmented message that ended", BOTH, "01 m01 k 'a' . 80 m01 k 'b' . 80 m01 k 'c'",
    "text 1+1 <ab> bad 1002", 0 },
  { "continuation of a ping", BOTH, "89 m01 k 'p' . 80 m01 k 'c'", "ping <p> bad 1002", 0 },
  { "text inside text", BOTH, "01 m01 k 'a' . 81 m01 k 'b'", "bad 1002", 0 },
  { "text inside binary", BOTH, "02 m01 k 'a' . 01 m01 k 'b'", "bad 1002", 0 },
  { "binary inside text", BOTH, "01 m01 k 'a' . 82 m01 k 'b'", "bad 1002", 0 },
  { "binary inside binary, after a ping", BOTH, "02 m00 k . 89 m00 k . 82 m00 k", "ping <> bad 1002", 0 },

  /* Close frames, sections 5.5.1, 7.1.5, 7.1.6 and 7.4. */
  { "close without a code", BOTH, "88 m00 k", "close 1005 <>", 0 },
  { "close of one byte", BOTH, "88 m01 k 03", "bad 1002", 0 },
  { "close of one byte is known by its head", BOTH, "88 m01", "bad 1002", 0 },
  { "close 1000", BOTH, "88 m02 k 03 e8", "close 1000 <>", 0 },
  { "close 1001", BOTH, "88 m02 k 03 e9", "close 1001 <>", 0 },
  { "close 1002", BOTH, "88 m02 k 03 ea", "close 1002 <>", 0 },
  { "close 1003", BOTH, "88 m02 k 03 eb", "close 1003 <>", 0 },
  { "close 1007", BOTH, "88 m02 k 03 ef", "close 1007 <>", 0 },
  { "close 1008", BOTH, "88 m02 k 03 f0", "close 1008 <>", 0 },
  { "close 1009", BOTH, "88 m02 k 03 f1", "close 1009 <>", 0 },
  { "close 1010", BOTH, "88 m02 k 03 f2", "close 1010 <>", 0 },
  { "close 1011", BOTH, "88 m02 k 03 f3", "close 1011 <>", 0 },
  { "close 1012", BOTH, "88 m02 k 03 f4", "close 1012 <>", 0 },
  { "close 1013", BOTH, "88 m02 k 03 f5", "close 1013 <>", 0 },
  { "close 1014", BOTH, "88 m02 k 03 f6", "close 1014 <>", 0 },
  { "close 3000", BOTH, "88 m02 k 0b b8", "close 3000 <>", 0 },
  { "close 3999", BOTH, "88 m02 k 0f 9f", "close 3999 <>", 0 },
  { "close 4000", BOTH, "88 m02 k 0f a0", "close 4000 <>", 0 },
  { "close 4999", BOTH, "88 m02 k 13 87", "close 4999 <>", 0 },
  { "close 0", BOTH, "88 m02 k 00 00", "bad 1002", 0 },
  { "close 999", BOTH, "88 m02 k 03 e7", "bad 1002", 0 },
  { "close 1004", BOTH, "88 m02 k 03 ec", "bad 1002", 0 },
  { "close 1005", BOTH, "88 m02 k 03 ed", "bad 1002", 0 },
  { "close 1006", BOTH, "88 m02 k 03 ee", "bad 1002", 0 },
  { "close 1015", BOTH, "88 m02 k 03 f7", "bad 1002", 0 },
  { "close 1016", BOTH, "88 m02 k 03 f8", "bad 1002", 0 },
  { "close 1100", BOTH, "88 m02 k 04 4c", "bad 1002", 0 },
  { "close 2000", BOTH, "88 m02 k 07 d0", "bad 1002", 0 },
  { "close 2999", BOTH, "88 m02 k 0b b7", "bad 1002", 0 },
  { "close 5000", BOTH, "88 m02 k 13 88", "bad 1002", 0 },
  { "close 65535", BOTH, "88 m02 k ff ff", "bad 1002", 0 },
  { "close with a reason", BOTH, "88 m07 k 03 e8 'Hello'", "close 1000 <Hello>", 0 },
  { "close with the longest reason", BOTH, "88 m7d k 03 e8 78*123",
    "close 1000 "
    "<xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "xxxxx"
    "xxxxxxxxxxxxxxx>",
    0 },
  { "close with a reason in many scripts", BOTH, "88 m0c k 03 e8 ce ba e1 bd b9 f0 9f 98 80 'z'",
    "close 1000 <\\ce\\ba\\e1\\bd\\b9\\f0\\9f\\98\\80z>", 0 },
  { "close with a reason that is no text", BOTH, "88 m04 k 03 e8 ff fe", "bad 1007", 0 },
  { "close with a reason cut in a character", BOTH, "88 m04 k 03 e8 e2 82", "bad 1007", 0 },
  { "close with a surrogate in its reason", BOTH, "88 m05 k 03 e8 ed a0 80", "bad 1007", 0 },
  { "the code is judged before the reason", BOTH, "88 m04 k 03 ec ff fe", "bad 1002", 0 },
  { "nothing is read behind a close frame", BOTH, "88 m02 k 03 e8 . 81 m05 k 'Hello' . 89 m00 k",
    "close 1000 <>", 0 },
  { "bad bytes behind a close frame", BOTH, "88 m00 k . ff ff ff", "close 1005 <>", 0 },
  { "close after a message", BOTH, "81 m02 k 'ok' . 88 m02 k 03 e9", "text <ok> close 1001 <>", 0 },
  { "close inside a message", BOTH, "01 m03 k 'Hel' . 88 m02 k 03 e8", "close 1000 <>", 0 },
  { "close inside a character", BOTH, "01 m01 k c3 . 88 m05 k 03 e8 'bye'", "close 1000 <bye>", 0 },
  { "close before its payload is whole", BOTH, "88 m05 k 03 e8 'b'", "", 0 },

  /* Text, sections 5.6 and 8.1. */
  { "kosme", BOTH, "81 m0b k ce ba e1 bd b9 cf 83 ce bc ce b5",
    "text <\\ce\\ba\\e1\\bd\\b9\\cf\\83\\ce\\bc\\ce\\b5>", 0 },
  { "NUL is text", BOTH, "81 m01 k 00", "text <\\00>", 0 },
  { "DEL is text", BOTH, "81 m01 k 7f", "text <\\7f>", 0 },
  { "the first of two bytes", BOTH, "81 m02 k c2 80", "text <\\c2\\80>", 0 },
  { "the last of two bytes", BOTH, "81 m02 k df bf", "text <\\df\\bf>", 0 },
  { "the first of three bytes", BOTH, "81 m03 k e0 a0 80", "text <\\e0\\a0\\80>", 0 },
  { "the last before the surrogates", BOTH, "81 m03 k ed 9f bf", "text <\\ed\\9f\\bf>", 0 },
  { "the first after the surrogates", BOTH, "81 m03 k ee 80 80", "text <\\ee\\80\\80>", 0 },
  { "U+FFFD", BOTH, "81 m03 k ef bf bd", "text <\\ef\\bf\\bd>", 0 },
  { "U+FFFE", BOTH, "81 m03 k ef bf be", "text <\\ef\\bf\\be>", 0 },
  { "U+FFFF", BOTH, "81 m03 k ef bf bf", "text <\\ef\\bf\\bf>", 0 },
  { "the first of four bytes", BOTH, "81 m04 k f0 90 80 80", "text <\\f0\\90\\80\\80>", 0 },
  { "the last character", BOTH, "81 m04 k f4 8f bf bf", "text <\\f4\\8f\\bf\\bf>", 0 },
  { "a byte order mark", BOTH, "81 m04 k ef bb bf 61", "text <\\ef\\bb\\bfa>", 0 },
  { "nearly a word behind ASCII", BOTH,
    "81 m15 k 61 61 61 61 61 61 61 c3 a4 61 61 61 61 61 61 61 61 e2 82 ac 61",
    "text <aaaaaaa\\c3\\a4aaaaaaaa\\e2\\82\\aca>", 0 },
  { "a lone continuation byte", BOTH, "81 m01 k 80", "bad 1007", 0 },
  { "the last continuation byte", BOTH, "81 m01 k bf", "bad 1007", 0 },
  { "continuation bytes", BOTH, "81 m03 k 80 bf 80", "bad 1007", 0 },
  { "c0, of two bytes", BOTH, "81 m02 k c0 80", "bad 1007", 0 },
  { "c0 af, a slash", BOTH, "81 m02 k c0 af", "bad 1007", 0 },
  { "c1 bf", BOTH, "81 m02 k c1 bf", "bad 1007", 0 },
  { "e0 80 af, a slash", BOTH, "81 m03 k e0 80 af", "bad 1007", 0 },
  { "e0 9f bf", BOTH, "81 m03 k e0 9f bf", "bad 1007", 0 },
  { "f0 80 80 af, a slash", BOTH, "81 m04 k f0 80 80 af", "bad 1007", 0 },
  { "f0 8f bf bf", BOTH, "81 m04 k f0 8f bf bf", "bad 1007", 0 },
  { "the first surrogate", BOTH, "81 m03 k ed a0 80", "bad 1007", 0 },
  { "the last surrogate", BOTH, "81 m03 k ed bf bf", "bad 1007", 0 },
  { "a pair of surrogates", BOTH, "81 m06 k ed a0 80 ed b0 80", "bad 1007", 0 },
  { "above the last character", BOTH, "81 m04 k f4 90 80 80", "bad 1007", 0 },
  { "f5", BOTH, "81 m04 k f5 80 80 80", "bad 1007", 0 },
  { "five bytes", BOTH, "81 m05 k f8 88 80 80 80", "bad 1007", 0 },
  { "six bytes", BOTH, "81 m06 k fc 84 80 80 80 80", "bad 1007", 0 },
  { "fe", BOTH, "81 m01 k fe", "bad 1007", 0 },
  { "ff", BOTH, "81 m01 k ff", "bad 1007", 0 },
  { "a lead byte alone", BOTH, "81 m01 k c3", "bad 1007", 0 },
  { "a lead byte and a letter", BOTH, "81 m02 k c3 61", "bad 1007", 0 },
  { "two of three bytes", BOTH, "81 m02 k e2 82", "bad 1007", 0 },
  { "three of four bytes", BOTH, "81 m03 k f0 9f 98", "bad 1007", 0 },
  { "two of three, then a letter", BOTH, "81 m03 k e2 82 61", "bad 1007", 0 },
  { "two lead bytes", BOTH, "81 m03 k c3 c3 a4", "bad 1007", 0 },
  { "kosme, a surrogate, edited", BOTH,
    "81 m14 k ce ba e1 bd b9 cf 83 ce bc ce b5 ed a0 80 65 64 69 74 65 64", "bad 1007", 0 },
  { "bad behind a word of ASCII", BOTH, "81 m0a k 61 61 61 61 61 61 61 61 61 ff", "bad 1007", 0 },
  { "a character over two frames", BOTH, "01 m01 k c3 . 80 m01 k a4", "text 1+1 <\\c3\\a4>", 0 },
  { "a character over four frames", BOTH, "01 m01 k f0 . 00 m01 k 9f . 00 m01 k 98 . 80 m01 k 80",
    "text 1+1+1+1 <\\f0\\9f\\98\\80>", 0 },
  { "a character over frames with nothing and a ping between", BOTH,
    "01 m01 k e2 . 00 m00 k . 89 m02 k c3 28 . 00 m01 k 82 . 80 m01 k ac",
    "ping <\\c3(> text 1+0+1+1 <\\e2\\82\\ac>", 0 },
  { "a character that the next frame does not end", BOTH, "01 m01 k c3 . 80 m01 k 61", "bad 1007", 0 },
  { "a character that never ends", BOTH, "01 m01 k c3 . 80 m00 k", "bad 1007", 0 },
  { "bad text is known before its frame is whole", BOTH, "81 m7d k 61 ff", "bad 1007", 0 },
  { "bad text is known before its message is whole", BOTH, "01 m02 k 61 ff", "bad 1007", 0 },
  { "a surrogate is known by its second byte", BOTH, "81 m7d k ed a0", "bad 1007", 0 },
  { "above the last character is known by its second byte", BOTH, "01 m02 k f4 90", "bad 1007", 0 },
  { "a character may still end", BOTH, "01 m02 k f4 8f", "open 2", 0 },
  { "good text, then bad", BOTH, "81 m02 k 'ok' . 81 m01 k ff", "text <ok> bad 1007", 0 },
  { "a new text begins afresh", BOTH, "01 m01 k c3 . 80 m01 k a4 . 81 m01 k a4",
    "text 1+1 <\\c3\\a4> bad 1007", 0 },
  { "binary is not judged", BOTH, "82 m04 k ff fe c0 80", "binary <\\ff\\fe\\c0\\80>", 0 },
  { "binary fragments are not judged", BOTH, "02 m01 k ff . 80 m01 k fe", "binary 1+1 <\\ff\\fe>", 0 },
  { "text behind binary is", BOTH, "82 m01 k ff . 81 m01 k ff", "binary <\\ff> bad 1007", 0 },

  /* What the case list of the Autobahn test suite has besides: sections 3 to 7 of it, named by its numbers.
   */
  { "3.2 reserved bits in the second of three frames", BOTH, "81 m02 k 'ok' . a1 m02 k 'no' . 89 m00 k",
    "text <ok> bad 1002", 0 },
  { "4.1.3 an unknown opcode, then a ping", BOTH, "81 m02 k 'ok' . 85 m00 k . 89 m00 k", "text <ok> bad 1002",
    0 },
  { "4.2.5 an unknown control frame with payload, then a ping", BOTH,
    "81 m02 k 'ok' . 8f m02 k 'no' . 89 m00 k", "text <ok> bad 1002", 0 },
  { "5.1 a ping in two fragments", BOTH, "09 m02 k 'pi' . 80 m02 k 'ng'", "bad 1002", 0 },
  { "5.2 a pong in two fragments", BOTH, "0a m02 k 'po' . 80 m02 k 'ng'", "bad 1002", 0 },
  { "5.9 text behind a continuation of nothing", BOTH, "80 m02 k 'no' . 81 m02 k 'ok'", "bad 1002", 0 },
  { "5.12 text behind an unfinished continuation of nothing", BOTH, "00 m02 k 'no' . 81 m02 k 'ok'",
    "bad 1002", 0 },
  { "5.15 a fragmented message, then an unfinished continuation of nothing, then text", BOTH,
    "01 m02 k 'fr' . 80 m02 k 'ag' . 00 m02 k 'no' . 81 m02 k 'ok'", "text 2+2 <frag> bad 1002", 0 },
  { "5.18 two messages that both begin", BOTH, "01 m02 k 'fr' . 01 m02 k 'ag'", "bad 1002", 0 },
  { "5.19 five fragments with two pings", BOTH,
    "01 m02 k 'ab' . 00 m02 k 'cd' . 89 m02 k 'p1' . 00 m02 k 'ef' . 00 m02 k 'gh' . 89 m02 k 'p2' . 80 m02 "
    "k 'ij'",
    "ping <p1> ping <p2> text 2+2+2+2+2 <abcdefghij>", 0 },
  { "6.1.3 two empty fragments around one", BOTH, "01 m00 k . 00 m02 k 'ab' . 80 m00 k", "text 0+2+0 <ab>",
    0 },
  { "6.2.4 a text in fragments of one byte", BOTH,
    "01 m01 k ce . 00 m01 k ba . 00 m01 k e1 . 00 m01 k bd . 00 m01 k b9 . 80 m00 k",
    "text 1+1+1+1+1+0 <\\ce\\ba\\e1\\bd\\b9>", 0 },
  { "6.3.2 a bad text in fragments of one byte", BOTH,
    "01 m01 k ce . 00 m01 k ba . 00 m01 k ed . 00 m01 k a0 . 00 m01 k 80 . 80 m01 k 65", "bad 1007", 0 },
  { "6.4.1 the second of three fragments is above the last character", BOTH,
    "01 m02 k ce ba . 00 m04 k f4 90 80 80 . 80 m02 k 'ed'", "bad 1007", 0 },
  { "6.4.2 it is known before its second half", BOTH, "01 m02 k ce ba . 00 m02 k f4 90", "bad 1007", 0 },
  { "6.5 two bytes inside ASCII", BOTH, "81 m0c k 68 65 6c 6c 6f c2 a2 77 6f 72 6c 64",
    "text <hello\\c2\\a2world>", 0 },
  { "6.5 four bytes inside ASCII", BOTH, "81 m0e k 68 65 6c 6c 6f f0 a4 ad a2 77 6f 72 6c 64",
    "text <hello\\f0\\a4\\ad\\a2world>", 0 },
  { "6.6.1 the first 1 of eleven bytes", BOTH, "81 m01 k ce", "bad 1007", 0 },
  { "6.6.2 the first 2 of eleven bytes", BOTH, "81 m02 k ce ba", "text <\\ce\\ba>", 0 },
  { "6.6.3 the first 3 of eleven bytes", BOTH, "81 m03 k ce ba e1", "bad 1007", 0 },
  { "6.6.4 the first 4 of eleven bytes", BOTH, "81 m04 k ce ba e1 bd", "bad 1007", 0 },
  { "6.6.5 the first 5 of eleven bytes", BOTH, "81 m05 k ce ba e1 bd b9", "text <\\ce\\ba\\e1\\bd\\b9>", 0 },
  { "6.6.6 the first 6 of eleven bytes", BOTH, "81 m06 k ce ba e1 bd b9 cf", "bad 1007", 0 },
  { "6.6.7 the first 7 of eleven bytes", BOTH, "81 m07 k ce ba e1 bd b9 cf 83",
    "text <\\ce\\ba\\e1\\bd\\b9\\cf\\83>", 0 },
  { "6.6.8 the first 8 of eleven bytes", BOTH, "81 m08 k ce ba e1 bd b9 cf 83 ce", "bad 1007", 0 },
  { "6.6.9 the first 9 of eleven bytes", BOTH, "81 m09 k ce ba e1 bd b9 cf 83 ce bc",
    "text <\\ce\\ba\\e1\\bd\\b9\\cf\\83\\ce\\bc>", 0 },
  { "6.6.10 the first 10 of eleven bytes", BOTH, "81 m0a k ce ba e1 bd b9 cf 83 ce bc ce", "bad 1007", 0 },
  { "6.10.1 f7", BOTH, "81 m04 k f7 bf bf bf", "bad 1007", 0 },
  { "6.10.2 fb", BOTH, "81 m05 k fb bf bf bf bf", "bad 1007", 0 },
  { "6.10.3 fd", BOTH, "81 m06 k fd bf bf bf bf bf", "bad 1007", 0 },
  { "6.12.8 all continuation bytes", BOTH,
    "81 m40 k 80 81 82 83 84 85 86 87 88 89 8a 8b 8c 8d 8e 8f 90 91 92 93 94 95 96 97 98 99 9a 9b 9c 9d 9e "
    "9f a0 a1 a2 a3 a4 a5 a6 a7 a8 a9 aa ab ac ad ae af b0 b1 b2 b3 b4 b5 b6 b7 b8 b9 ba bb bc bd be bf",
    "bad 1007", 0 },
  { "6.13.1 lone lead bytes c0 to df", BOTH,
    "81 m40 k c0 20 c1 20 c2 20 c3 20 c4 20 c5 20 c6 20 c7 20 c8 20 c9 20 ca 20 cb 20 cc 20 cd 20 ce 20 cf "
    "20 d0 20 d1 20 d2 20 d3 20 d4 20 d5 20 d6 20 d7 20 d8 20 d9 20 da 20 db 20 dc 20 dd 20 de 20 df 20",
    "bad 1007", 0 },
  { "6.13.2 lone lead bytes e0 to ef", BOTH,
    "81 m20 k e0 20 e1 20 e2 20 e3 20 e4 20 e5 20 e6 20 e7 20 e8 20 e9 20 ea 20 eb 20 ec 20 ed 20 ee 20 ef "
    "20",
    "bad 1007", 0 },
  { "6.13.3 lone lead bytes f0 to f7", BOTH, "81 m10 k f0 20 f1 20 f2 20 f3 20 f4 20 f5 20 f6 20 f7 20",
    "bad 1007", 0 },
  { "6.13.4 lone lead bytes f8 to fb", BOTH, "81 m08 k f8 20 f9 20 fa 20 fb 20", "bad 1007", 0 },
  { "6.13.5 lone lead bytes fc to fd", BOTH, "81 m04 k fc 20 fd 20", "bad 1007", 0 },
  { "6.14.1 the last byte is missing: c0", BOTH, "81 m01 k c0", "bad 1007", 0 },
  { "6.14.2 the last byte is missing: e0 80", BOTH, "81 m02 k e0 80", "bad 1007", 0 },
  { "6.14.3 the last byte is missing: f0 80 80", BOTH, "81 m03 k f0 80 80", "bad 1007", 0 },
  { "6.14.4 the last byte is missing: f8 80 80 80", BOTH, "81 m04 k f8 80 80 80", "bad 1007", 0 },
  { "6.14.5 the last byte is missing: fc 80 80 80 80", BOTH, "81 m05 k fc 80 80 80 80", "bad 1007", 0 },
  { "6.14.6 the last byte is missing: df", BOTH, "81 m01 k df", "bad 1007", 0 },
  { "6.14.7 the last byte is missing: ef bf", BOTH, "81 m02 k ef bf", "bad 1007", 0 },
  { "6.14.8 the last byte is missing: f7 bf bf", BOTH, "81 m03 k f7 bf bf", "bad 1007", 0 },
  { "6.14.9 the last byte is missing: fb bf bf bf", BOTH, "81 m04 k fb bf bf bf", "bad 1007", 0 },
  { "6.14.10 the last byte is missing: fd bf bf bf bf", BOTH, "81 m05 k fd bf bf bf bf", "bad 1007", 0 },
  { "6.15 all of these in a row", BOTH,
    "81 m1e k c0 e0 80 f0 80 80 f8 80 80 80 fc 80 80 80 80 df ef bf f7 bf bf fb bf bf bf fd bf bf bf bf",
    "bad 1007", 0 },
  { "6.17 a slash of five bytes", BOTH, "81 m05 k f8 80 80 80 af", "bad 1007", 0 },
  { "6.17 a slash of six bytes", BOTH, "81 m06 k fc 80 80 80 80 af", "bad 1007", 0 },
  { "6.19 NUL of three bytes", BOTH, "81 m03 k e0 80 80", "bad 1007", 0 },
  { "6.19 NUL of four bytes", BOTH, "81 m04 k f0 80 80 80", "bad 1007", 0 },
  { "6.20 a surrogate, ed ad bf", BOTH, "81 m03 k ed ad bf", "bad 1007", 0 },
  { "6.20 a surrogate, ed ae 80", BOTH, "81 m03 k ed ae 80", "bad 1007", 0 },
  { "6.20 a surrogate, ed af bf", BOTH, "81 m03 k ed af bf", "bad 1007", 0 },
  { "6.20 a surrogate, ed b0 80", BOTH, "81 m03 k ed b0 80", "bad 1007", 0 },
  { "6.20 a surrogate, ed be 80", BOTH, "81 m03 k ed be 80", "bad 1007", 0 },
  { "6.21 a pair of surrogates, the last", BOTH, "81 m06 k ed af bf ed bf bf", "bad 1007", 0 },
  { "6.22 no character, but text: f0 9f bf be", BOTH, "81 m04 k f0 9f bf be", "text <\\f0\\9f\\bf\\be>", 0 },
  { "6.22 no character, but text: f0 af bf bf", BOTH, "81 m04 k f0 af bf bf", "text <\\f0\\af\\bf\\bf>", 0 },
  { "6.22 no character, but text: f0 bf bf be", BOTH, "81 m04 k f0 bf bf be", "text <\\f0\\bf\\bf\\be>", 0 },
  { "6.22 no character, but text: f1 8f bf bf", BOTH, "81 m04 k f1 8f bf bf", "text <\\f1\\8f\\bf\\bf>", 0 },
  { "6.22 no character, but text: f2 9f bf be", BOTH, "81 m04 k f2 9f bf be", "text <\\f2\\9f\\bf\\be>", 0 },
  { "6.22 no character, but text: f3 bf bf bf", BOTH, "81 m04 k f3 bf bf bf", "text <\\f3\\bf\\bf\\bf>", 0 },
  { "6.22 no character, but text: f4 8f bf be", BOTH, "81 m04 k f4 8f bf be", "text <\\f4\\8f\\bf\\be>", 0 },
  { "6.23 a special, ef bf b9", BOTH, "81 m03 k ef bf b9", "text <\\ef\\bf\\b9>", 0 },
  { "6.23 a special, ef bf bc", BOTH, "81 m03 k ef bf bc", "text <\\ef\\bf\\bc>", 0 },
  { "7.1.3 two close frames", BOTH, "88 m02 k 03 e8 . 88 m02 k 03 e8", "close 1000 <>", 0 },
  { "7.1.5 a fragment, a close frame, the other fragment", BOTH,
    "01 m02 k 'fr' . 88 m02 k 03 e8 . 80 m02 k 'ag'", "close 1000 <>", 0 },
  { "7.3.5 a reason of 123 bytes in characters of three", BOTH,
    "88 m7d k 03 e8 e2 82 ac e2 82 ac e2 82 ac e2 82 ac e2 82 ac e2 82 ac e2 82 ac e2 82 ac e2 82 ac e2 82 "
    "ac e2 82 ac e2 82 ac e2 82 ac e2 "
    "82 ac e2 82 ac e2 82 ac e2 82 ac e2 82 ac e2 82 ac e2 82 ac e2 82 ac e2 82 ac e2 82 ac e2 82 ac e2 82 "
    "ac e2 82 ac e2 82 ac e2 82 ac e2 "
    "82 ac e2 82 ac e2 82 ac e2 82 ac e2 82 ac e2 82 ac e2 82 ac e2 82 ac e2 82 ac e2 82 ac e2 82 ac e2 82 "
    "ac e2 82 ac",
    "close 1000 "
    "<\\e2\\82\\ac\\e2\\82\\ac\\e2\\82\\ac\\e2\\82\\ac\\e2\\82\\ac\\e2\\82\\ac\\e2\\82\\ac\\e2\\82\\ac\\e2\\8"
    "2\\ac"
    "\\e2\\82\\ac\\e2\\82\\ac\\e2\\82\\ac\\e2\\82\\ac\\e2\\82\\ac\\e2\\82\\ac\\e2\\82\\ac\\e2\\82\\ac\\e2\\82"
    "\\ac\\e2\\82\\ac"
    "\\e2\\82\\ac\\e2\\82\\ac\\e2\\82\\ac\\e2\\82\\ac\\e2\\82\\ac\\e2\\82\\ac\\e2\\82\\ac\\e2\\82\\ac\\e2\\82"
    "\\ac\\e2\\82\\ac"
    "\\e2\\82\\ac\\e2\\82\\ac\\e2\\82\\ac\\e2\\82\\ac\\e2\\82\\ac\\e2\\82\\ac\\e2\\82\\ac\\e2\\82\\ac\\e2\\82"
    "\\ac\\e2\\82\\ac"
    "\\e2\\82\\ac\\e2\\82\\ac>",
    0 },
  { "7.5.1 a reason that is no text", BOTH,
    "88 m16 k 03 e8 ce ba e1 bd b9 cf 83 ce bc ce b5 ed a0 80 'edited'", "bad 1007", 0 },
};
