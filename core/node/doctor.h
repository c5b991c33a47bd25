/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looks for what will cause trouble. A finding is {level: good | warn | bad, what, text, next}. */
#pragma once
#include <glib.h>
#include <jansson.h>

typedef enum { FAR_DOCTOR_GOOD, FAR_DOCTOR_WARN, FAR_DOCTOR_BAD } FarDoctorLevel;

/* As many as an answer has room for, the worst first, with the number of those that have none. Takes
 * findings. */
json_t *far_doctor_fit (json_t *findings);
void far_doctor_add (json_t *findings, FarDoctorLevel level, const char *what, const char *text,
                     const char *next /* may be NULL */);
/* Clock and limits of this machine and process. [any thread] */
void far_doctor_machine (json_t *findings);
/* Certificates in a keys directory, against the time now. [any thread] */
void far_doctor_certificates (json_t *findings, const char *keys_dir, gint64 now_us);
/* Name, purpose and names of the certificate there, against the node and whether others dial it. [any thread]
 */
void far_doctor_identity (json_t *findings, const char *keys_dir, const char *node, gboolean server);
/* Does a transport of this profile listen? */
gboolean far_doctor_listens (json_t *effective);
/* Folders that plugins come from: what others may put there runs as the daemon. [any thread] */
void far_doctor_plugins (json_t *findings, const char *const *folders);
/* Listening ports of the profile against the range the kernel draws outgoing ports from ("low\thigh"). */
void far_doctor_ports (json_t *findings, json_t *effective, const char *local_range);
