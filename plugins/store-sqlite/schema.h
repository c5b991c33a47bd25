/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tables, and what becomes of a file that is newer than us or foreign. */
#pragma once
#include "conn.h"

/* Looks at a file without changing it. FAR_ERROR_CONFIG: not ours, or newer. */
gboolean schema_check (Conn *conn, GError **error);
/* Makes the tables of a new file. */
gboolean schema_make (Conn *conn, GError **error);
