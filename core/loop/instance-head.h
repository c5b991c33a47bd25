/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The head of every instance: what logging, TLS and listeners need of one without knowing what an instance
 * is. */
#pragma once
#include <farwatch/instance.h>

#include "base/node-part.h"

/* The first member of struct _FarInstance. */
typedef struct {
  gint refs;
  FarNode *node;                  /* whose instance it is */
  char *path;                     /* "sensors.boiler"; owned */
  void (*free) (FarInstance *at); /* with the last reference; frees the path, too */
  /* of FarRequest, by request.c: those that are its to be told of, and its to end */
  GQueue asked, served;
  GQueue owned; /* of FarOwned, by owned.c */
} FarInstanceHead;

/* Takes the path. One reference is the caller's. The instance is the current node's. */
void far_instance_head_init (FarInstanceHead *head, char *path, void (*free) (FarInstance *at));
FarInstanceHead *far_instance_head (FarInstance *at);
FarInstance *far_instance_ref (FarInstance *at);
void far_instance_unref (FarInstance *at); /* NULL is allowed */
