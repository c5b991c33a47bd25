/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header lists core's own tables of handlers, one a file, for interface-start.c. [main] */
#pragma once
#include <farwatch/message.h>

extern const FarHandler far_api_act_handlers[];
extern const FarHandler far_api_backup_handlers[];
/* Takes away the copies that a backup before this start has left. */
void far_api_backup_start (void);
extern const FarHandler far_api_clock_handlers[]; /* only where the test clock runs */
extern const FarHandler far_api_login_handlers[];
extern const FarHandler far_api_user_handlers[];
extern const FarHandler far_api_password_handlers[];
extern const FarHandler far_api_right_handlers[];
extern const FarHandler far_api_explain_handlers[];
extern const FarHandler far_api_doctor_handlers[];
extern const FarHandler far_node_handlers[];

/* Who there is: list of far_users_list(), result of far_local_names_odd(); NULL: not known. */
typedef struct {
  json_t *people, *locals;
} FarOddNames;
/* Takes rights; done is called once, later. */
void
far_api_odd_names (json_t *rights, void (*done) (const FarOddNames *names, gpointer user), gpointer user);

/* A change of the person of part 0. */
typedef struct {
  FarCall *call;
  gboolean began; /* it was judged that it may be made */
  json_t *was;    /* groups before, where these are changed; NULL: they are not */
} FarUserChange;
/* Caller frees. */
FarUserChange *far_api_user_change (FarCall *call, gboolean began);
/* A FarUsersJudge: may the asker give the groups in the call's body, and be that person where it sets a
 * password or key? user: a FarUserChange. */
gboolean far_api_user_judge (json_t *person, gpointer user, GError **error);
/* A new ticket of the principal, as POST login answers it. */
json_t *far_api_login_ticket (const FarPrincipal *principal);
/* Fails a call with a login that a change of the person has ended while the authenticators were asked. */
void far_api_login_ended (FarCall *call);

/* Reads the rights kept in the store called main, as soon as it runs. */
void far_right_rows_start (void);
void far_right_rows_store_up (const char *store);
void far_right_rows_stop (void);
