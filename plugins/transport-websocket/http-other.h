/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What http-parser makes of a head, compared with what the second reader made of it. [any thread] */
#pragma once
#include "http-form.h"

/* Whether both find the same method, target, version, status and fields in these bytes, and nothing else. */
gboolean ws_other_agrees (const guint8 *data, gsize size, const WsForm *form);
