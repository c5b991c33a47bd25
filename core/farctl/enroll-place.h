/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state folder a node enrols into: whether it is this node's, what of it must not be written over. Errors
 * name the reason and the next step. */
#pragma once
#include <farwatch/error.h>

/* node.crt in a keys folder, PEM; NULL: none. Caller frees. */
char *enroll_place_certificate (const char *keys);
/* Refuses a folder with an authority's key, or with another node's certificate unless its keys are put aside.
 */
gboolean
enroll_place_check (const char *state, const char *keys, const char *node, gboolean new_keys, GError **error);
/* Refuses a terminal's certificate in the place of a server's. */
gboolean enroll_place_takes (const char *keys, const char *certificate, GError **error);
/* The folder `fresh` becomes `keys`, and what was there goes aside; *aside: where that is now. Caller frees.
 */
gboolean enroll_place_swap (const char *fresh, const char *keys, char **aside, GError **error);
/* The same for the server an authority makes a certificate for; *names NULL: set to those of the certificate
 * there is, if any. */
gboolean enroll_place_server (const char *state, const char *keys, const char *ca, const char *node,
                              GStrv *names, GError **error);
