/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The Record-Route of an INVITE names its two accounts, under a MAC of this process. Who shows it in a Route
 * header of a later request of the dialog is one of the two, and is led to the other one: without memory of
 * the dialog, wherever that account is registered by then, and to nobody else.
 * Functions are [one thread]. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

#define SIP_ROUTE_KEY 32

/* User part of the URI; caller frees. */
char *sip_route_word (const guint8 key[SIP_ROUTE_KEY], const char *caller, const char *callee);
/* The other one of the two: caller frees. NULL: the word is none of ours, or asker is none of them. */
char *sip_route_other (const guint8 key[SIP_ROUTE_KEY], const char *word, const char *asker);

G_END_DECLS
