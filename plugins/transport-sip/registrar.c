/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Service `registrar`: registrar and proxy of one SIP domain (spec A1). Life, options, the list for people.
 * The stack begins first; when it runs, the listener takes connections. */
#include "config.h"

#include "registrar.h"

#include <string.h>

#define LIST_MS 5000
#define PAGE 1000

typedef struct {
  FarInstance *at;
  SipStack *stack;
  SipServer *server;
  SipDomain *domain;
  char *host; /* by which it is reached */
  guint port;
  int fd; /* core's */
} Registrar;

static const RegistrarOptions *
registrar_options (Registrar *self)
{
  return far_instance_options (self->at);
}

/* ---- life ---- */

static gboolean
registrar_init (gpointer data, FarInstance *at, GError **error)
{
  ((Registrar *) data)->at = at;
  return TRUE;
}

static gboolean
registrar_options_fit (const RegistrarOptions *options, GError **error)
{
  gboolean digest = options->proof != REGISTRAR_CERTIFICATE;
  if (digest && options->users == NULL)
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_CONFIG, _ ("this proof needs 'users'"));
  else if (!digest && options->users != NULL)
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_CONFIG, _ ("'users' needs a 'proof' by digest"));
  else if (options->min_expires > options->expires)
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_CONFIG, _ ("'min-expires' is longer than 'expires'"));
  else if (strspn (options->domain, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS ".-") !=
               strlen (options->domain) ||
           *options->domain == '\0')
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, _ ("'%s' is no domain: letters, digits, '.' and '-'"),
                 options->domain);
  else
    return TRUE;
  return FALSE;
}

static gboolean
registrar_place (Registrar *self, const char *bound, GError **error)
{
  const RegistrarOptions *options = registrar_options (self);
  g_autofree char *bound_host = NULL, *host = NULL;
  guint16 bound_port, port = 0;
  if (!far_parse_address (bound, &bound_host, &bound_port, error) ||
      (options->advertise != NULL && !far_parse_address (options->advertise, &host, &port, error)))
    return FALSE;
  self->port = port != 0 ? port : bound_port;
  if (host == NULL)
    self->host = g_strdup (options->domain);
  else
    self->host = g_strdup_printf (strchr (host, ':') != NULL ? "[%s]" : "%s", host);
  return TRUE;
}

/* The users' file is wiped as soon as it is read. */
static gboolean
registrar_digest (const RegistrarOptions *options, SipDigest **digest, GError **error)
{
  char *text;
  *digest = NULL;
  if (options->users == NULL)
    return TRUE;
  text = far_secret_read (options->users, error);
  if (text == NULL)
    return FALSE;
  *digest = sip_digest_new (options->domain, text, error);
  far_secret_free (text);
  return *digest != NULL;
}

static void
registrar_end (Registrar *self)
{
  g_clear_pointer (&self->server, sip_server_free);
  g_clear_pointer (&self->stack, sip_stack_free);
  g_clear_pointer (&self->domain, sip_domain_free);
  g_clear_pointer (&self->host, g_free);
}

static void
registrar_begun (const GError *failed, gpointer data)
{
  Registrar *self = data;
  GError *error = failed != NULL ? g_error_copy (failed) : NULL;
  if (error == NULL)
    self->server = sip_server_new (self->at, registrar_options (self), self->fd, self->stack, &error);
  if (error != NULL)
    far_instance_fail (self->at, error);
  else
    far_instance_ready (self->at);
}

static void
registrar_limits (const RegistrarOptions *options, SipStackLimits *limits)
{
  *limits = (SipStackLimits){ .transactions = (guint) options->transactions,
                              .per_flow = (guint) options->per_connection,
                              .message_max = (gsize) options->message_size,
                              .answer_us = options->answer,
                              .ringing_us = options->ringing };
}

static gboolean
registrar_start (gpointer data, GError **error)
{
  Registrar *self = data;
  const RegistrarOptions *options = registrar_options (self);
  g_autofree char *bound = NULL;
  SipStackLimits limits;
  SipDigest *digest;
  registrar_end (self);
  if (!registrar_options_fit (options, error))
    return FALSE;
  self->fd = far_instance_listen (self->at, options->listen, &bound, error);
  if (self->fd < 0 || !registrar_place (self, bound, error) || !registrar_digest (options, &digest, error))
    return FALSE;
  self->domain = sip_domain_new (self->at, options, self->host, self->port, digest);
  registrar_limits (options, &limits);
  const SipStackSpec spec = { .host = self->host,
                              .port = self->port,
                              .realm = options->domain,
                              .request = sip_proxy_request,
                              .flow_came = sip_domain_flow_came,
                              .flow_gone = sip_domain_flow_gone,
                              .second = sip_domain_second,
                              .user = self->domain };
  self->stack = self->domain->stack = sip_stack_new (self->at, &spec, &limits);
  sip_stack_begin (self->stack, registrar_begun, self);
  return TRUE;
}

/* Of stop and fini: what a start has left that failed half-way goes with the last one. */
static void
registrar_stop (gpointer data)
{
  registrar_end (data);
}

/* ---- reload ---- */

typedef struct {
  SipDomain *domain;
  SipStackLimits stack;
  SipDomainLimits limits;
} RegistrarChange;

static void
change_here (gpointer data)
{
  RegistrarChange *change = data;
  change->domain->limits = change->limits;
  sip_bindings_set_max (change->domain->bindings, change->limits.registrations);
  sip_stack_limit (change->domain->stack, &change->stack);
  g_free (change);
}

static gboolean
registrar_reload (gpointer data, const void *options, GError **error)
{
  Registrar *self = data;
  RegistrarChange *change;
  if (!registrar_options_fit (options, error))
    return FALSE;
  if (self->server == NULL)
    return TRUE;
  change = g_new0 (RegistrarChange, 1);
  change->domain = self->domain;
  registrar_limits (options, &change->stack);
  sip_domain_limits (options, &change->limits);
  sip_server_reload (self->server, options);
  far_loop_post (sip_stack_loop (self->stack), change_here, change);
  return TRUE;
}

/* ---- the list ---- */

typedef struct {
  FarCall *call;
} RegistrarList;

typedef struct {
  SipDomain *domain;
  FarRequest *req;
} RegistrarSnapshot;

/* [the stack's loop] */
static void
snapshot_here (gpointer data)
{
  RegistrarSnapshot *snapshot = data;
  far_request_done (snapshot->req, sip_domain_show (snapshot->domain), (GDestroyNotify) json_decref);
  far_request_unref (snapshot->req);
  g_free (snapshot);
}

static void
list_done (FarRequest *req, gpointer data)
{
  g_autofree RegistrarList *listing = data;
  const json_t *rows = far_request_result (req);
  FarPage page;
  if (far_request_error (req) != NULL) {
    far_call_fail (listing->call, g_error_copy (far_request_error (req)));
    return;
  }
  far_page_begin (&page, listing->call, PAGE, 0);
  for (gsize i = 0; i < json_array_size (rows) && page.next == NULL; i++) {
    json_t *row = json_array_get (rows, i);
    const char *account = json_string_value (json_object_get (row, "account"));
    g_autofree char *object = g_strdup_printf ("registrations/%s", account);
    if (far_authorize_see (listing->call->principal, object) && far_page_wants (&page, account))
      far_page_take (&page, account, json_incref (row));
  }
  far_call_answer (listing->call, 200,
                   json_pack ("{s:o, s:s?}", "registrations", page.list, "next", page.next));
}

static void
registrations_get (gpointer data, FarCall *call)
{
  Registrar *self = data;
  RegistrarList *listing;
  RegistrarSnapshot *snapshot;
  if (self->server == NULL) {
    far_call_fail_new (call, FAR_ERROR_UNAVAILABLE, _ ("the registrar does not run yet"));
    return;
  }
  listing = g_new0 (RegistrarList, 1);
  snapshot = g_new0 (RegistrarSnapshot, 1);
  listing->call = call;
  snapshot->domain = self->domain;
  snapshot->req = far_request_ref (far_request_of (self->at, list_done, listing, g_free, LIST_MS));
  far_loop_post (sip_stack_loop (self->stack), snapshot_here, snapshot);
}

static const FarHandler registrar_handlers[] = {
  { .method = "GET",
    .pattern = "registrations",
    .action = FAR_ACTION_NONE,
    .handle = registrations_get,
    .summary = N_ ("accounts that are registered here, by which connection, until when") },
  { .method = NULL },
};

/* Accounts come and go; whether a right names one that will come nobody can tell. */
static FarKnows
registrar_knows (gpointer self, char **parts)
{
  return strcmp (parts[0], "registrations") == 0 ? FAR_KNOWS_IT : FAR_KNOWS_NOT_MINE;
}

static const FarServiceOps registrar_ops = { .knows = registrar_knows };

static const FarServiceType registrar_type = {
  .type = { .kind = FAR_KIND_SERVICE,
            .name = "registrar",
            .summary = N_ ("registrar and proxy of a SIP domain, on a public address"),
            .instance_size = sizeof (Registrar),
            .options_size = sizeof (RegistrarOptions),
            .options = registrar_option_table,
            .init = registrar_init,
            .start = registrar_start,
            .reload = registrar_reload,
            .stop = registrar_stop,
            .fini = registrar_stop },
  .handlers = registrar_handlers,
  .ops = &registrar_ops,
};

FAR_PLUGIN ("transport-sip", "0.1", "service/registrar", "libsofia-sip-ua.so.0", &registrar_type.type)
