/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys, certificates, sealed boxes, signatures. Constructions of GnuTLS and libsodium only.
 *
 * A node has three keys below STATE/keys (0600): node.key (ECDSA P-256, PKCS#8 PEM: TLS and signatures),
 * ssh.key (Ed25519, PKCS#8 PEM: SSH host and client key), box.key (X25519, for crypto_box_seal). node.crt is
 * its certificate from the fleet's authority (ca.crt). CN = node id; extended key usage clientAuth +
 * serverAuth as its role needs. One far_trust_check() behind every TLS stack's hook. (security.md; spec B6)
 * Functions are [any thread] unless their comment says otherwise.
 */
#pragma once
#include <farwatch/error.h>
#include <jansson.h>

G_BEGIN_DECLS

typedef enum { FAR_PURPOSE_NODE_CLIENT, FAR_PURPOSE_NODE_SERVER, FAR_PURPOSE_PEOPLE_SERVER } FarPurpose;

/* Paths inside a keys directory; caller frees. */
char *far_trust_path (const char *keys_dir, const char *file);
/* Makes the three keys where missing. Blocks (milliseconds). */
gboolean far_trust_keys_create (const char *keys_dir, GError **error);
/* ca.key + ca.crt of a new fleet authority in dir. */
gboolean far_trust_ca_create (const char *dir, const char *fleet, GError **error);
/* PKCS#10 request for this node, PEM. */
char *far_trust_csr (const char *keys_dir, const char *node, GError **error);
/* Signs a request: certificate PEM. names: extra DNS names / IP addresses (server), NULL ok. days 1…3650.
 * Name in the CSR must equal node. */
char *far_trust_sign (const char *ca_dir, const char *csr_pem, const char *node, const char *const *names,
                      gboolean server, guint days, GError **error);
/* Checks a chain (PEM, leaf first) against ca_file for a purpose; name NULL: any, else a DNS name or address
 * that must stand in the certificate's alternative names, letter by letter (no wildcards, CN does not count).
 * ca_file: PEM authorities, or "sha256:HEX" of an authority that came with the chain. Unsynchronised clock:
 * time used = max (clock, build date). *node (may be NULL) = CN, "" when a people's server has none; caller
 * frees. FAR_ERROR_DENIED naming what is wrong. revoked: serials, hex, NULL ok; far_trust_revoked() is always
 * asked as well. [any thread] */
gboolean far_trust_check (const char *chain_pem, const char *ca_file, FarPurpose purpose, const char *name,
                          const char *const *revoked, char **node, GError **error);
/* The same for what a TLS stack has in hand: n certificates in DER, leaf first. [any thread] */
gboolean far_trust_check_der (GBytes *const *chain, guint n, const char *ca_file, FarPurpose purpose,
                              const char *name, char **node, GError **error);

/* What the fleet has revoked, as this process knows it: fed by who keeps the list, asked in every
 * check of a node's certificate, and again, when it changes, for all that is up (farwatch/clearance.h). An
 * entry is a serial in lower-case hex, "sha256:HEX" of a public key for every certificate of that key, or
 * "node:NAME" for every certificate of that node. set replaces the list. [any thread] */
void far_trust_revoked_set (const char *const *entries);
void far_trust_revoked_add (const char *entry);
void far_trust_revoked_remove (const char *entry);
gboolean far_trust_revoked (const char *serial, const char *node);
gboolean far_trust_revoked_key (const char *hash); /* as far_trust_key_hash() gives it */
/* FALSE: a service of this node needs the list (FarServiceType.needs_revoked), and who keeps it has not read
 * it yet, or cannot (its store does not run): no node is let in meanwhile. TRUE where nobody needs it. Once
 * it was read it stays known, and in force, whoever cannot read it again. */
gboolean far_trust_revoked_known (void);
void far_trust_revoked_set_known (void);
/* "sha256:HEX" of the SubjectPublicKeyInfo of a PEM certificate or CSR; caller frees. */
char *far_trust_key_hash (const char *pem, GError **error);
char *far_trust_serial (const char *cert_pem, GError **error);
/* From when until when a PEM certificate is good, wall time in us. */
gboolean far_trust_life (const char *cert_pem, gint64 *from_us, gint64 *until_us, GError **error);
/* What a PEM certificate says of itself; neither who signed it nor its time is looked at. The common name,
 * caller frees; and whether a purpose is named. */
char *far_trust_node (const char *cert_pem, GError **error);
gboolean far_trust_is_for (const char *cert_pem, FarPurpose purpose);
/* The DNS names and addresses a PEM certificate is for, as far_trust_sign() takes them; none: an empty list.
 * Caller frees. */
GStrv far_trust_names (const char *cert_pem, GError **error);
/* "sha256:HEX" of the DER of the first certificate in a PEM file: the fleet root's hash. */
char *far_trust_file_sha256 (const char *path, GError **error);

/* OpenSSH public key line of ssh.key; box public key as base64. */
char *far_trust_ssh_public (const char *keys_dir, GError **error);
/* ssh.key as text in OpenSSH's own format, for libraries that do not read PKCS#8; free with
 * far_secret_free(). [any thread] */
char *far_trust_ssh_private (const char *keys_dir, GError **error);
char *far_trust_box_public (const char *keys_dir, GError **error);

/* Sealed box (crypto_box_seal) over compact JSON. Base64 text. open: FAR_ERROR_DENIED "not sealed to this
 * node, or changed". */
char *far_seal (const char *box_public_b64, json_t *plain, GError **error);
json_t *far_seal_open (const char *keys_dir, const char *sealed_b64, GError **error);

/* Nonces of this node, which a sealed message must name so that it cannot be replayed. A nonce goes out once
 * and serves all who seal: each hangs a word of its own on it. Bounded. [main] */
typedef struct _FarNonces FarNonces;
FarNonces *far_nonces_new (void);
void far_nonces_free (FarNonces *nonces /* NULL ok */);
/* Another one, the newest from now on; those before it stay good for an hour. Caller frees. */
char *far_nonces_give (FarNonces *nonces);
/* Has the newest one uses left, and is it young enough to be given to more? FALSE: give another. */
gboolean far_nonces_fresh (FarNonces *nonces);
/* "NONCE.WORD": good once, and only if this node gave NONCE within the last hour. NULL is not. */
gboolean far_nonces_spend (FarNonces *nonces, const char *text);

/* Node statement: {node, box, ssh, spki, authority: admin|cloud, issued} + signature by the authority's key
 * (ECDSA P-256/SHA-256 over the canonical JSON text without "signature", keys sorted, compact). check:
 * against ca.crt. */
json_t *far_statement_sign (const char *ca_dir, json_t *statement /* takes */, GError **error);
gboolean far_statement_check (json_t *statement, const char *ca_file, GError **error);

/* Random text of n characters [A-Za-z0-9], n <= 128; from the kernel. [any thread] */
char *far_random_text (guint n);
guint32 far_random_u32 (guint32 bound);
/* Hex SHA-256 of text; fixed-time comparison of two texts. */
char *far_sha256_text (const char *text);
gboolean far_equal_secret (const char *a, const char *b);

/* Can this name of a host, or address, stand in a certificate? FAR_ERROR_INVALID. */
gboolean far_trust_host_ok (const char *name, GError **error);

G_END_DECLS
