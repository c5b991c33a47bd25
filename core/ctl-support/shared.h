/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What farctl shares with the daemon beyond the public headers, so that both say and do the same: it reads
 * the profile and the plugins of its machine, looks at the node's state directory, asks the machine's doctor,
 * and checks what it sends by the rules of who takes it. No file of farctl includes a header of core's rooms
 * itself; which of these functions it may call stands in the file `symbols` beside this. */
#pragma once

/* words that are checked before they are sent, and the names of rights */
#include "auth/right.h"
#include "message/frame.h"
#include "message/router.h"
#include "profile/option-check.h"

/* text for people */
#include "base/sanitize.h"
#include "base/speech.h"
#include "base/suggest.h"

/* the profile, the plugins and the state directory of this machine */
#include "base/node-identity.h"
#include "base/small-file.h"
#include "data/damage.h"
#include "life/node.h"
#include "node/api.h"
#include "node/doctor.h"
#include "profile/loader.h"
#include "profile/profile.h"
#include "trust/seal-private.h"

/* its own clock and the end of its streams */
#include "base/clock-private.h"
#include "loop/loop-private.h"
