/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header declares what core says of the list of what is revoked; who keeps it uses farwatch/trust.h. */
#pragma once
#include <farwatch/loop.h>
#include <farwatch/trust.h>

/* Does a service of the profile in force need the list? [any thread] */
void far_trust_revoked_set_needed (gboolean needed);
/* Who is asked to run when the list has grown, or has become known; NULL: nobody. One at a time. [main] */
void far_trust_revoked_tell (FarDeferred *changed);
