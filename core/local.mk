# SPDX-License-Identifier: LGPL-2.1-or-later
# One file per line, sorted, so that several people can add to the lists.

EXTRA_DIST += core/README.md
lib_LTLIBRARIES += libfarwatch.la
libfarwatch_la_CPPFLAGS = $(AM_CPPFLAGS)
libfarwatch_la_CFLAGS = $(AM_CFLAGS) $(CORE_CFLAGS)
libfarwatch_la_LDFLAGS = $(AM_LDFLAGS) $(DEFS_LDFLAGS) -version-info 0:0:0 -no-undefined -Wl,--version-script=core/libfarwatch.map
EXTRA_libfarwatch_la_DEPENDENCIES = core/libfarwatch.map
libfarwatch_la_LIBADD = $(CORE_LIBS)

# what a plugin may include, installed
farwatch_include_HEADERS += \
	core/farwatch/acceptor.h \
	core/farwatch/act.h \
	core/farwatch/book.h \
	core/farwatch/carrier.h \
	core/farwatch/clearance.h \
	core/farwatch/clock.h \
	core/farwatch/decoder.h \
	core/farwatch/dial.h \
	core/farwatch/error.h \
	core/farwatch/event.h \
	core/farwatch/gate.h \
	core/farwatch/loop.h \
	core/farwatch/i18n.h \
	core/farwatch/instance.h \
	core/farwatch/leg.h \
	core/farwatch/login.h \
	core/farwatch/message.h \
	core/farwatch/network.h \
	core/farwatch/option.h \
	core/farwatch/picture.h \
	core/farwatch/plugin.h \
	core/farwatch/pump.h \
	core/farwatch/carrier-course.h \
	core/farwatch/cycle.h \
	core/farwatch/offer.h \
	core/farwatch/registry.h \
	core/farwatch/request.h \
	core/farwatch/right.h \
	core/farwatch/sample.h \
	core/farwatch/session.h \
	core/farwatch/spool.h \
	core/farwatch/store.h \
	core/farwatch/stream.h \
	core/farwatch/thread.h \
	core/farwatch/tls.h \
	core/farwatch/trust.h \
	core/farwatch/tunnel.h \
	core/farwatch/version.h

# the library, with the headers that stay inside
libfarwatch_la_SOURCES = \
	core/auth/login-token.c \
	core/auth/login-token.h \
	core/auth/hours.c \
	core/auth/hours.h \
	core/auth/principal.c \
	core/auth/right-alias.c \
	core/auth/right-escalation.c \
	core/auth/right-family.c \
	core/auth/right-row.c \
	core/auth/right-row.h \
	core/auth/right.c \
	core/auth/right.h \
	core/auth/throttle.c \
	core/auth/throttle.h \
	core/auth/ticket.c \
	core/auth/ticket.h \
	core/base/address.c \
	core/base/clock-private.h \
	core/base/clock-text.c \
	core/base/clock.c \
	core/base/crc32c.c \
	core/base/crc32c.h \
	core/base/error.c \
	core/base/kind.c \
	core/base/node-part.c \
	core/base/node-part.h \
	core/base/node-identity.c \
	core/base/node-identity.h \
	core/base/option.c \
	core/base/sanitize.c \
	core/base/sanitize.h \
	core/base/revision.c \
	core/base/small-file.c \
	core/base/small-file.h \
	core/base/speech.c \
	core/base/speech.h \
	core/base/suggest.c \
	core/base/suggest.h \
	core/base/thread-sanitizer.c \
	core/base/version.c \
	core/data/act.c \
	core/data/batch-read.c \
	core/data/batch-write.c \
	core/data/batch.h \
	core/data/damage.c \
	core/data/damage.h \
	core/data/event-private.h \
	core/data/event.c \
	core/data/latest-points.c \
	core/data/listener.c \
	core/data/listener.h \
	core/data/notify.c \
	core/data/picture.c \
	core/data/sample-private.h \
	core/data/sample.c \
	core/data/sensor-private.h \
	core/data/sensor.c \
	core/data/series.c \
	core/data/spool-format.c \
	core/data/spool-private.h \
	core/data/spool-read.c \
	core/data/spool-segment.c \
	core/data/spool.c \
	core/data/store-missing.c \
	core/data/store-row.c \
	core/data/store.c \
	core/data/tap-spool.c \
	core/life/instance-hooks.c \
	core/life/instance-hooks.h \
	core/life/instance-private.h \
	core/life/instance.c \
	core/life/instances.c \
	core/life/listen.c \
	core/life/node.c \
	core/life/node.h \
	core/life/sd-notify.c \
	core/life/sd-notify.h \
	core/life/reload-plan.c \
	core/life/reload-plan.h \
	core/life/reload.c \
	core/life/reload.h \
	core/life/route-verb.c \
	core/life/route.c \
	core/loop/log-limited.c \
	core/loop/count.c \
	core/loop/fd-watch.c \
	core/loop/fd-watch.h \
	core/loop/file-write.c \
	core/loop/loop-external.c \
	core/loop/loop-deferred.c \
	core/loop/loop-main.c \
	core/loop/loop-private.h \
	core/loop/loop-timer.c \
	core/loop/loop-io.c \
	core/loop/loop.c \
	core/loop/instance-head.c \
	core/loop/instance-head.h \
	core/loop/instance-timer.c \
	core/loop/executor.c \
	core/loop/executor.h \
	core/loop/log.c \
	core/loop/log.h \
	core/loop/owned.c \
	core/loop/owned.h \
	core/loop/request-private.h \
	core/loop/request.c \
	core/loop/loop-latency.c \
	core/loop/loop-latency.h \
	core/loop/thread-check.c \
	core/loop/thread.c \
	core/message/call.c \
	core/message/dedup.c \
	core/message/delegated.c \
	core/message/expect.c \
	core/message/frame.c \
	core/message/frame.h \
	core/message/hops.c \
	core/message/message.c \
	core/message/page.c \
	core/message/route-pattern.c \
	core/message/router.h \
	core/message/schema.c \
	core/message/subscription.c \
	core/node/control-link.c \
	core/node/control-who.c \
	core/node/control.c \
	core/node/control.h \
	core/node/doctor.c \
	core/node/doctor.h \
	core/node/api-acts.c \
	core/node/api-backup.c \
	core/node/api-clock.c \
	core/node/api-doctor.c \
	core/node/api-explain.c \
	core/node/api-login.c \
	core/node/api-password.c \
	core/node/api-private.h \
	core/node/api-rights.c \
	core/node/api-start.c \
	core/node/api-users.c \
	core/node/api.c \
	core/node/api.h \
	core/node/handlers-node.c \
	core/node/handlers-node.h \
	core/node/local-name.c \
	core/node/local-name.h \
	core/node/node-hooks.c \
	core/node/whole.c \
	core/node/whole.h \
	core/node/node-hooks.h \
	core/profile/describe.c \
	core/profile/device-option.c \
	core/profile/device-option.h \
	core/profile/fault.c \
	core/profile/fault.h \
	core/profile/option-parse.c \
	core/profile/plugin-validate.c \
	core/profile/plugin-validate.h \
	core/profile/loader.c \
	core/profile/loader.h \
	core/profile/elf-note.c \
	core/profile/elf-note.h \
	core/profile/option-check.c \
	core/profile/option-check.h \
	core/profile/profile-former.c \
	core/profile/profile-instances.c \
	core/profile/profile-node.c \
	core/profile/profile-paths.c \
	core/profile/profile-private.h \
	core/profile/profile-refs.c \
	core/profile/profile-requests.c \
	core/profile/profile-same.c \
	core/profile/profile.c \
	core/profile/profile.h \
	core/profile/secret.c \
	core/profile/tree-read.c \
	core/profile/tree.c \
	core/profile/tree.h \
	core/reach/book-history.c \
	core/reach/book-load.c \
	core/reach/book-private.h \
	core/reach/book-row.c \
	core/reach/book-show.c \
	core/reach/book-time.c \
	core/reach/book-write.c \
	core/reach/book.c \
	core/reach/carrier-part.c \
	core/reach/carrier-part.h \
	core/reach/carrier.c \
	core/reach/decoder.c \
	core/reach/decoder.h \
	core/reach/device-lock.c \
	core/reach/device.c \
	core/reach/device.h \
	core/reach/endpoint.c \
	core/reach/forward.c \
	core/reach/login-private.h \
	core/reach/login-queue.c \
	core/reach/login.c \
	core/reach/peer.c \
	core/reach/peer.h \
	core/reach/users-change.c \
	core/reach/users.c \
	core/reach/users.h \
	core/reach/carrier-course.c \
	core/reach/cycle.c \
	core/reach/offer-login.c \
	core/reach/offer-sealed.c \
	core/reach/offer.c \
	core/reach/registry-device.c \
	core/reach/registry-private.h \
	core/reach/registry-way.c \
	core/reach/registry.c \
	core/reach/right-warnings.c \
	core/reach/session.c \
	core/stream/accept-proxy.c \
	core/stream/accept-rate.c \
	core/stream/acceptor-private.h \
	core/stream/acceptor.c \
	core/stream/dial-error.c \
	core/stream/dial-name.c \
	core/stream/dial-private.h \
	core/stream/dial.c \
	core/stream/gate-known.c \
	core/stream/gate-slots.c \
	core/stream/gate-private.h \
	core/stream/gate.c \
	core/stream/network.c \
	core/stream/pump-half.c \
	core/stream/pump-private.h \
	core/stream/pump.c \
	core/stream/ring.c \
	core/stream/slot-ring.c \
	core/stream/slot-ring.h \
	core/stream/stream-datagram.c \
	core/stream/stream-fd.c \
	core/stream/stream-linger.c \
	core/stream/stream-tls-out.c \
	core/stream/stream-tls-private.h \
	core/stream/stream-tls.c \
	core/stream/stream.c \
	core/stream/tap-port.c \
	core/stream/tap-port.h \
	core/stream/tap.c \
	core/stream/tls-accept.c \
	core/stream/tls-error.c \
	core/stream/tls-private.h \
	core/stream/tls.c \
	core/stream/leg-private.h \
	core/stream/leg.c \
	core/stream/memory-trim-text.c \
	core/stream/memory-trim.c \
	core/stream/memory-trim.h \
	core/stream/unix-socket.c \
	core/stream/unix-socket.h \
	core/trust/clearance.c \
	core/trust/clock-told.c \
	core/trust/random.c \
	core/trust/nonce.c \
	core/trust/seal-private.h \
	core/trust/seal.c \
	core/trust/statement.c \
	core/trust/trust-ca.c \
	core/trust/trust-cert.c \
	core/trust/trust-file.c \
	core/trust/trust-keys.c \
	core/trust/trust-private.h \
	core/trust/trust-revoked.c \
	core/trust/trust-revoked.h \
	core/trust/trust-seen.c \
	core/trust/trust.c

# the daemon
sbin_PROGRAMS += farwatchd
farwatchd_CFLAGS = $(AM_CFLAGS) $(CORE_CFLAGS)
farwatchd_LDADD = libfarwatch.la $(CORE_LIBS)
farwatchd_SOURCES = \
	core/farwatchd.c

# what farctl and its tests have beside the library, and nobody else
noinst_LTLIBRARIES += libctl-support.la
libctl_support_la_CFLAGS = $(AM_CFLAGS) $(CORE_CFLAGS)
libctl_support_la_SOURCES = \
	core/ctl-support/backup-key.c \
	core/ctl-support/backup-private.h \
	core/ctl-support/backup-read.c \
	core/ctl-support/backup-write.c \
	core/ctl-support/backup.h \
	core/ctl-support/shared.h
EXTRA_DIST += core/ctl-support/symbols

# the command
bin_PROGRAMS += farctl
farctl_CFLAGS = $(AM_CFLAGS) $(CORE_CFLAGS)
farctl_LDADD = libctl-support.la libfarwatch.la $(CORE_LIBS)
farctl_SOURCES = \
	core/farctl/args.c \
	core/farctl/become.c \
	core/farctl/catalogue.c \
	core/farctl/cmd-backup.c \
	core/farctl/cmd-credential.c \
	core/farctl/cmd-doctor.c \
	core/farctl/cmd-enroll.c \
	core/farctl/cmd-node.c \
	core/farctl/cmd-people.c \
	core/farctl/cmd-registrations.c \
	core/farctl/cmd-restore.c \
	core/farctl/cmd-samples.c \
	core/farctl/cmd-sessions.c \
	core/farctl/cmd-terminals.c \
	core/farctl/commands.c \
	core/farctl/complete-names.c \
	core/farctl/complete.c \
	core/farctl/complete.h \
	core/farctl/connect-ask.c \
	core/farctl/connect-join.c \
	core/farctl/peer-uid.c \
	core/farctl/connect-keys.c \
	core/farctl/connect-run.c \
	core/farctl/connect.c \
	core/farctl/connect.h \
	core/farctl/ctl.h \
	core/farctl/dial.c \
	core/farctl/enroll-place.c \
	core/farctl/enroll-place.h \
	core/farctl/link.c \
	core/farctl/main.c \
	core/farctl/other-node.c \
	core/farctl/other-node.h \
	core/farctl/pages.c \
	core/farctl/path.c \
	core/farctl/plot.c \
	core/farctl/plot.h \
	core/farctl/print.c \
	core/farctl/restore-empty.c \
	core/farctl/restore-empty.h \
	core/farctl/restore-journal.c \
	core/farctl/restore-journal.h \
	core/farctl/secret.c \
	core/farctl/table.c \
	core/farctl/tickets.c \
	core/farctl/times.c \
	core/farctl/translate.c \
	core/farctl/translate.h
nodist_farctl_SOURCES = core/farctl/shells.c
CLEANFILES += core/farctl/shells.c

# `farctl completion SHELL` prints the file that is installed
shells = $(srcdir)/etc/farctl.bash $(srcdir)/etc/farctl.zsh $(srcdir)/etc/farctl.fish
core/farctl/shells.c: $(shells)
	$(AM_V_GEN)$(MKDIR_P) $(@D) && { echo '#include "config.h"' && echo '#include "farctl/ctl.h"' && \
	  for shell in bash zsh fish; do echo "const char ctl_shell_$$shell[] =" && \
	    sed 's/[\\"]/\\&/g; s/.*/  "&\\n"/' "$(srcdir)/etc/farctl.$$shell" && echo '  ;'; done; } >$@

# which symbols the library shows, and under which version
CLEANFILES += core/libfarwatch.map
core/libfarwatch.map: $(farwatch_include_HEADERS) build-aux/symbol-map
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(SHELL) $(srcdir)/build-aux/symbol-map $(farwatch_include_HEADERS:%=$(srcdir)/%) >$@.new && mv $@.new $@

pkgconfig_DATA += core/farwatch.pc
