/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the terminal says to the tunnel end before the tunnel is up (S109–S113): check its host key, prove the node key, spend the token,
 * ask for what reaches X. Each step is tried again at every turn until libssh has an answer. */
#include "config.h"

#include "dial.h"

#include <string.h>

static gboolean
give_up (Wire *wire, Dial *dial, FarErrorCode code, const char *cause)
{
  dial->code = code;
  wire_cut (wire, cause);
  return FALSE;
}

/* TRUE: this step is done. */
static gboolean
step_connect (Wire *wire, Dial *dial)
{
  int r = ssh_connect (wire->session);

  if (r == SSH_ERROR)
    return give_up (wire, dial, FAR_ERROR_PROTOCOL, "key exchange failed");
  dial->step += r == SSH_OK;
  return r == SSH_OK;
}

static gboolean
host_key_same (Wire *wire, const char *wanted)
{
  const char *base64 = strchr (wanted, ' ') + 1;
  gsize size = strcspn (base64, " \n");
  char *seen = NULL;
  ssh_key key = NULL;
  gboolean same;

  if (ssh_get_server_publickey (wire->session, &key) != SSH_OK)
    return FALSE;
  same = ssh_pki_export_pubkey_base64 (key, &seen) == SSH_OK && strlen (seen) == size && strncmp (seen, base64, size) == 0;
  ssh_string_free_char (seen);
  ssh_key_free (key);
  return same;
}

static gboolean
step_host_key (Wire *wire, Dial *dial)
{
  if (!host_key_same (wire, dial->host_key))
    return give_up (wire, dial, FAR_ERROR_DENIED, "its host key is not the one that was promised");
  dial->step = dial->node_key ? DIAL_NODE_KEY : DIAL_TOKEN;
  return TRUE;
}

static gboolean
step_node_key (Wire *wire, Dial *dial)
{
  ssh_key key = NULL;
  int r;

  if (ssh_pki_import_privkey_file (dial->key_path, NULL, NULL, NULL, &key) != SSH_OK)
    return give_up (wire, dial, FAR_ERROR_CONFIG, "the own key keys/ssh.key cannot be read");
  r = ssh_userauth_publickey (wire->session, NULL, key);
  ssh_key_free (key);
  if (r == SSH_AUTH_AGAIN)
    return FALSE;
  if (r == SSH_AUTH_ERROR)
    return give_up (wire, dial, FAR_ERROR_PROTOCOL, "login failed");
  dial->step = r == SSH_AUTH_SUCCESS ? DIAL_FORWARD : DIAL_TOKEN;
  return TRUE;
}

static gboolean
step_token (Wire *wire, Dial *dial)
{
  int r = ssh_userauth_password (wire->session, NULL, dial->token != NULL ? dial->token : "");

  if (r == SSH_AUTH_AGAIN)
    return FALSE;
  g_clear_pointer (&dial->token, far_secret_free);
  if (r != SSH_AUTH_SUCCESS)
    return give_up (wire, dial, FAR_ERROR_DENIED, "it refused the credential");
  dial->step = DIAL_FORWARD;
  return TRUE;
}

static void
report_up (gpointer data)
{
  Dial *dial = data;

  tunnel_up (dial);
  dial_unref (dial);
}

/* The acknowledgement: from here the time counts (S114, S115). */
static gboolean
step_forward (Wire *wire, Dial *dial)
{
  int r = ssh_channel_listen_forward (wire->session, "localhost", dial->x, NULL);

  if (r == SSH_AGAIN)
    return FALSE;
  if (r != SSH_OK)
    return give_up (wire, dial, FAR_ERROR_DENIED, "it refused the tunnel");
  g_clear_pointer (&dial->token, far_secret_free);
  dial->step = DIAL_UP;
  dial->deadline_us = far_clock_boottime_us () + dial->length_us;
  far_home_timer_set (dial->timer, dial->deadline_us);
  far_home_post (far_home_main (), report_up, dial_ref (dial));
  return TRUE;
}

gboolean
dial_advance (Wire *wire, gpointer user)
{
  static gboolean (*const steps[]) (Wire *, Dial *) = { step_connect, step_host_key, step_node_key, step_token, step_forward };
  Dial *dial = user;

  while (dial->step < DIAL_UP)
    if (!steps[dial->step](wire, dial))
      return FALSE;
  return TRUE;
}
