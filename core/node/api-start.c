/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file adds all tables of core's own handlers at the start of the daemon and takes them away at its
 * end. A new table is added to the list here. */
#include "config.h"

#include "node/api.h"

#include "node/api-private.h"
#include "auth/login-token.h"
#include "reach/login-private.h"
#include "reach/users.h"
#include "auth/right.h"
#include "message/router.h"
#include "auth/ticket.h"

#include <farwatch/clock.h>

static const FarHandler *const api_tables[] = { far_api_login_handlers,    far_api_user_handlers,
                                                far_api_password_handlers, far_api_right_handlers,
                                                far_api_explain_handlers,  far_api_doctor_handlers,
                                                far_api_backup_handlers,   far_api_act_handlers };

/* The test clock's too: a profile must not be good on one machine and bad on another. */
static const FarHandler *const reserved_tables[] = { far_api_login_handlers,
                                                     far_api_user_handlers,
                                                     far_api_password_handlers,
                                                     far_api_right_handlers,
                                                     far_api_explain_handlers,
                                                     far_api_doctor_handlers,
                                                     far_api_backup_handlers,
                                                     far_api_clock_handlers,
                                                     far_api_act_handlers,
                                                     far_node_handlers,
                                                     NULL };

const FarHandler *const *
far_api_tables (void)
{
  return reserved_tables;
}

void
far_api_start (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (api_tables); i++)
    far_handlers_add (api_tables[i], NULL, NULL);
  if (far_clock_is_test ())
    far_handlers_add (far_api_clock_handlers, NULL, NULL);
  far_right_rows_start ();
  far_api_backup_start ();
}

void
far_api_stop (void)
{
  far_right_rows_stop ();
  for (guint i = 0; i < G_N_ELEMENTS (api_tables); i++)
    far_handlers_remove (api_tables[i], NULL);
  if (far_clock_is_test ())
    far_handlers_remove (far_api_clock_handlers, NULL);
  far_login_ticket_clear ();
  far_users_change_clear ();
  far_ticket_clear ();
  far_login_queue_clear ();
  far_throttle_clear ();
  far_dedup_clear ();
  far_right_clear ();
}
