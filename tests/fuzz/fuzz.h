/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A fuzz target is one function that hands bytes to one parser, in tests/fuzz/fuzz-NAME.c.
 *
 * `make check` replays tests/fuzz/corpus/NAME/ and some thousand mutations of it (main.c). ./configure
 * --enable-fuzzers CC=clang makes the same targets with libFuzzer: tests/fuzz/fuzz-NAME -max_total_time=60
 * CORPUS. Every crash becomes a seed. Seeds called good-* must be accepted, bad-* refused: a parser that
 * refuses everything finds nothing. */
#pragma once

#include <glib.h>

/* Parses `size` bytes at `data` (never NULL, not terminated) and forgets the result. TRUE: the parser
 * accepted them. */
gboolean fuzz_one (const guint8 *data, gsize size);

/* The bytes with a NUL behind them, for parsers of text. Owned by the caller. */
char *fuzz_text (const guint8 *data, gsize size);
