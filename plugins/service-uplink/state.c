/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What all parts of the uplink ask about it, and what each of them may have to say: that groups are lost. */
#include "config.h"

#include "uplink.h"

const UplinkOptions *
uplink_options (Uplink *self)
{
  return far_instance_options (self->at);
}

gboolean
uplink_is_idle (Uplink *self)
{
  return self->head == NULL && !self->more && !self->busy && self->writing == 0 &&
         far_peer_connected (uplink_options (self)->link, "");
}

void
uplink_lose (Uplink *self, guint64 groups, const char *why)
{
  if (groups == 0)
    return;
  self->lost += groups;
  far_count ("groups of samples dropped", (guint) MIN (groups, G_MAXUINT));
  far_log_limited (self->at, "lost",
                   "%s: %" G_GUINT64_FORMAT " groups of samples dropped, %" G_GUINT64_FORMAT
                   " since the last batch that went up",
                   why, groups, self->lost);
}
