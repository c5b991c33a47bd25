/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Certificates as a liar or a careless authority would make them. */
#pragma once
#include <gnutls/x509.h>

#include <glib.h>

typedef struct {
  const char *cn;
  gsize cn_size;           /* 0: strlen */
  const char *dns;         /* NULL: none */
  gsize dns_size;          /* 0: strlen; given: at most 64, may hold a NUL */
  const char *address;     /* IPv4, NULL: none */
  int from, until;         /* seconds from now */
  const char *purposes[3]; /* OIDs */
  gboolean authority;      /* CA bit */
  gboolean self;           /* signed by itself */
  const char *serial;      /* hex of one byte, NULL: "42" */
} FixtureCert;

/* Fresh directory below the temporary one; fixture_remove() deletes it with its files. */
char *fixture_dir (void);
void fixture_remove (char *dir);
/* PEM signed by ca_dir's authority (or by itself). */
char *fixture_cert (const char *ca_dir, const FixtureCert *spec);
/* A node with keys and certificate in DIR/NAME; DIR holds the authority. Returns the certificate. */
char *fixture_node (const char *ca_dir, const char *name, const char *const *names, gboolean server);
