/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a node does as a member of a fleet, apart from the sessions of people (service-agent): it renews its
 * certificate, keeps the devices that were added to it at run time, and tells the fleet's server which
 * devices there are. The two services meet in core alone: devices are core's list, the link is a peer.
 * Everything here runs on the main context.
 *
 * From top to bottom, each calling only what stands below it: service-member (the type, its handlers),
 * devices and terminal (what people ask), added (devices added at run time), tell (the list, to the server),
 * renew (the certificate), device-json. */
#pragma once
#include <farwatch/book.h>
#include <farwatch/plugin.h>
#include <farwatch/trust.h>

G_BEGIN_DECLS

typedef struct {
  char *link, *keys;
} MemberOpts;

typedef struct _Member Member;

struct _Member {
  FarInstance *at;
  /* tell.c */
  FarInstanceTimer *tell_timer; /* of a list that did not arrive, until it is told again */
  gint64 tell_wait_us;          /* how long that takes; 0: the last one arrived */
  /* added.c */
  json_t *added;  /* name → description, as in devices.json; NULL: that could not be read */
  GQueue changes; /* of AddedTurn: changes that wait for the one under way */
  gboolean changing;
  /* renew.c */
  FarInstanceTimer *renew_timer;
  gboolean renewing_expired; /* the certificate has expired already */
  char *renewing_key;   /* the key that a renewal under way asks for, as far_trust_key_hash(); NULL: none */
  gint64 renew_wait_us; /* until a renewal that came to nothing is asked for again; 0: none did */
};

static inline const MemberOpts *
member_opts (const Member *self)
{
  return far_instance_options (self->at);
}

/* ---- device-json.c ---- */
/* As people and the server see it; new reference. */
json_t *member_device_json (const FarDevice *device);

/* ---- renew.c ---- */
/* If it is due, by the link. */
void member_renew (Member *self);
/* Looks from time to time from now on. */
void member_renew_start (Member *self);

/* ---- tell.c ---- */
/* The whole list to the server; again until it has arrived. Without a link nothing happens: each new one
 * begins with it. */
void member_tell (Member *self);

/* ---- added.c ---- */
/* Reads the file, if that was not done yet. FALSE: it is damaged, and is left as it is. */
gboolean member_added_load (Member *self, GError **error);
/* func is called when all changes before it are durable or undone. Refuses the call if too many wait. */
void member_added_turn (Member *self, void (*func) (Member *self, FarCall *call), FarCall *call);
/* In its turn: adds or replaces; the call is answered when that is durable. FALSE: it cannot be done, and the
 * call is still to be answered. */
gboolean member_added_put (Member *self, FarCall *call, GError **error);
/* In its turn: what far_device_remove() has just taken out; the call is answered when that is durable. */
void member_added_delete (Member *self, FarCall *call);
void member_added_forget (Member *self);

/* ---- devices.c, terminal.c: handlers ---- */
FarKnows member_knows (gpointer self, char **parts);
/* Is it about this node? Else the call is refused. */
gboolean member_own (FarCall *call);
void member_devices_get (gpointer self, FarCall *call);
void member_device_put (gpointer self, FarCall *call);
void member_device_delete (gpointer self, FarCall *call);
void member_terminals_get (gpointer self, FarCall *call);
void member_terminal_get (gpointer self, FarCall *call);

G_END_DECLS
