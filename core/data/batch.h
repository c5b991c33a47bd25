/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Letters of the sample batch (doc/formats.md), shared by its writer and its reader. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

#define BATCH_HEAD "FB\1"
#define BATCH_HEAD_SIZE 3

enum { BATCH_RECORD_SERIES = 1, BATCH_RECORD_GROUP = 2 };

#define BATCH_NAME_MAX 256
#define BATCH_UNIT_MAX 32
#define BATCH_REASON_MAX 64
#define BATCH_TEXT_MAX 4096
#define BATCH_SERIES_MAX 4096
#define BATCH_SAMPLES_MAX 4096 /* of one group */

G_END_DECLS
