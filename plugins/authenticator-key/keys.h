/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines of authorized_keys (sshd(8)). A line is used only if all its options are understood: none, restrict
 * and what it implies (no-…), expiry-time="…", from="…" with addresses and nets. */
#pragma once
#include <farwatch/plugin.h>

typedef enum {
  KEYS_NO, /* the key is not there                                   */
  KEYS_YES,
  KEYS_EXPIRED,   /* it is there, but too late                              */
  KEYS_ELSEWHERE, /* it is there, but not for this address                  */
  KEYS_OPTION     /* it is there with an option we do not carry out         */
} KeysAnswer;

/* key: "type base64". until_us: wall time at which the key expires, 0: never. option: the word for
 * KEYS_OPTION, caller frees. */
KeysAnswer keys_find (const char *text, const char *key, const char *from, gint64 now_wall_us,
                      gint64 *until_us, char **option);
