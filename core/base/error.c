/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file gives each code of FAR_ERROR its word in messages and its status there, one row a code, so
 * that no interface translates errors by itself. */
#include "config.h"

#include <farwatch/error.h>

/* G_DEFINE_QUARK() reads and writes without order, and threads of stores ask as well as main. */
GQuark
far_error_quark (void)
{
  static gsize quark;

  if (g_once_init_enter (&quark))
    g_once_init_leave (&quark, g_quark_from_static_string ("farwatch-error"));
  return (GQuark) quark;
}

/* One row a code: the word that crosses interfaces and the status it has there. */
static const struct {
  const char *word;
  guint status;
} far_error_rows[] = {
  [FAR_ERROR_CONFIG] = { "config", 500 },     [FAR_ERROR_UNAVAILABLE] = { "unavailable", 503 },
  [FAR_ERROR_DENIED] = { "denied", 403 },     [FAR_ERROR_PROTOCOL] = { "protocol", 400 },
  [FAR_ERROR_INTERNAL] = { "internal", 500 }, [FAR_ERROR_NOT_FOUND] = { "not-found", 404 },
  [FAR_ERROR_INVALID] = { "invalid", 400 },   [FAR_ERROR_CONFLICT] = { "conflict", 409 },
  [FAR_ERROR_LIMIT] = { "limit", 429 },       [FAR_ERROR_FULL] = { "full", 507 },
};

static FarErrorCode
error_code (const GError *error)
{
  if (error == NULL || error->domain != FAR_ERROR || error->code < 0 ||
      error->code >= (int) G_N_ELEMENTS (far_error_rows))
    return FAR_ERROR_UNAVAILABLE;
  return (FarErrorCode) error->code;
}

const char *
far_error_word (const GError *error)
{
  return far_error_rows[error_code (error)].word;
}

guint
far_error_status (const GError *error)
{
  return far_error_rows[error_code (error)].status;
}

FarErrorCode
far_error_code (const char *word)
{
  for (guint i = 0; word != NULL && i < G_N_ELEMENTS (far_error_rows); i++)
    if (g_str_equal (word, far_error_rows[i].word))
      return (FarErrorCode) i;
  return FAR_ERROR_UNAVAILABLE;
}
