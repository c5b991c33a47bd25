/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a sensor can be told to do: take a picture now, zero a counter, switch an output. The sensor's type
 * has a table of acts; core lists them (`GET sensors/{s}/acts`), judges who may (action `act`), checks the
 * arguments against the row's fields and lets one at a time through (`POST sensors/{s}/acts/{a}`). */
#pragma once
#include <farwatch/message.h>

G_BEGIN_DECLS

#define FAR_ACT_MS 25000 /* an act has so long */

/* act: borrows args (a JSON object that fits fields) for the call and ends the request, now or later: done
 * with a json_t to be answered, freed by json_decref (NULL: nothing to tell), or fail. A request that has
 * ended (far_request_ended()) ran out of time: the next act may come then, and a sensor whose device is still
 * at the last one refuses it with FAR_ERROR_CONFLICT. */
typedef struct {
  const char *name;       /* NULL: end of table; [a-z0-9-]+ */
  const char *summary;    /* N_() */
  const FarField *fields; /* arguments, ends with FAR_FIELD_END; NULL: none */
  void (*act) (gpointer self, json_t *args, FarRequest *req);
} FarAct;

/* An act of the sensor of that name, for services and core's own handler; rights are the caller's business.
 * who: for the log, "person:alice". args: borrowed; NULL: none. Result: json_t* or NULL. FAR_ERROR_NOT_FOUND:
 * it has no such act; FAR_ERROR_INVALID: the arguments do not fit; FAR_ERROR_CONFLICT: another one is under
 * way; FAR_ERROR_UNAVAILABLE: it does not run, has stopped meanwhile, or gave no answer in time. [main] */
void far_sensor_act (const char *sensor, const char *act, json_t *args, const char *who, FarRequest *req);

G_END_DECLS
