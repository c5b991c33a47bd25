# SPDX-License-Identifier: LGPL-2.1-or-later
# One file per line, sorted, so that several people can add to the lists.

lib_LTLIBRARIES += libfarwatch.la
libfarwatch_la_CPPFLAGS = $(AM_CPPFLAGS)
libfarwatch_la_CFLAGS = $(AM_CFLAGS) $(CORE_CFLAGS)
libfarwatch_la_LDFLAGS = $(AM_LDFLAGS) $(DEFS_LDFLAGS) -version-info 0:0:0 -no-undefined -export-symbols-regex '^far_'
libfarwatch_la_LIBADD = $(CORE_LIBS)

# what a plugin may include, installed
farwatch_include_HEADERS += \
	core/farwatch/acceptor.h \
	core/farwatch/clock.h \
	core/farwatch/dial.h \
	core/farwatch/error.h \
	core/farwatch/gate.h \
	core/farwatch/home.h \
	core/farwatch/i18n.h \
	core/farwatch/instance.h \
	core/farwatch/login.h \
	core/farwatch/message.h \
	core/farwatch/network.h \
	core/farwatch/option.h \
	core/farwatch/plugin.h \
	core/farwatch/pump.h \
	core/farwatch/request.h \
	core/farwatch/right.h \
	core/farwatch/sample.h \
	core/farwatch/session.h \
	core/farwatch/store.h \
	core/farwatch/stream.h \
	core/farwatch/tls.h \
	core/farwatch/trust.h \
	core/farwatch/tunnel.h \
	core/farwatch/version.h

# the library, with the headers that stay inside
libfarwatch_la_SOURCES = \
	core/accept-proxy.c \
	core/accept-rate.c \
	core/acceptor-private.h \
	core/acceptor.c \
	core/address.c \
	core/backup-key.c \
	core/backup-private.h \
	core/backup-read.c \
	core/backup-write.c \
	core/backup.h \
	core/batch-read.c \
	core/batch-write.c \
	core/batch.h \
	core/call.c \
	core/claim.c \
	core/clock-text.c \
	core/clock-private.h \
	core/clock-told.c \
	core/clock.c \
	core/complain.c \
	core/count.c \
	core/control-link.c \
	core/control-who.c \
	core/control.c \
	core/control.h \
	core/crc32c.c \
	core/crc32c.h \
	core/damage.c \
	core/damage.h \
	core/dedup.c \
	core/describe.c \
	core/device-option.c \
	core/device-option.h \
	core/device.c \
	core/device.h \
	core/dial-error.c \
	core/dial-name.c \
	core/dial-private.h \
	core/dial.c \
	core/doctor.c \
	core/doctor.h \
	core/door-backup.c \
	core/door-clock.c \
	core/door-doctor.c \
	core/door-login.c \
	core/door-password.c \
	core/door-private.h \
	core/door-explain.c \
	core/door-rights.c \
	core/door-start.c \
	core/door-users.c \
	core/door.c \
	core/door.h \
	core/endpoint.c \
	core/error.c \
	core/fault.c \
	core/fault.h \
	core/fd-watch.c \
	core/fd-watch.h \
	core/file-write.c \
	core/fill.c \
	core/frame.c \
	core/frame.h \
	core/front-ticket.c \
	core/front-ticket.h \
	core/gate-known.c \
	core/gate-places.c \
	core/gate-private.h \
	core/gate.c \
	core/handlers-node.c \
	core/handlers-node.h \
	core/home-foreign.c \
	core/home-later.c \
	core/home-main.c \
	core/home-private.h \
	core/home-timer.c \
	core/home-worker.c \
	core/home.c \
	core/hours.c \
	core/hours.h \
	core/instance-head.c \
	core/instance-head.h \
	core/instance-hooks.c \
	core/instance-hooks.h \
	core/instance-private.h \
	core/instance.c \
	core/instances.c \
	core/kind.c \
	core/lane.c \
	core/lane.h \
	core/listen.c \
	core/loader-judge.c \
	core/loader-judge.h \
	core/loader.c \
	core/loader.h \
	core/local-name.c \
	core/local-name.h \
	core/log.c \
	core/log.h \
	core/login.c \
	core/login-private.h \
	core/login-queue.c \
	core/message.c \
	core/network.c \
	core/node-hooks.c \
	core/node-hooks.h \
	core/node-place.c \
	core/node-place.h \
	core/node.c \
	core/node.h \
	core/note.c \
	core/note.h \
	core/option-check.c \
	core/option-check.h \
	core/option.c \
	core/peer.c \
	core/peer.h \
	core/people-change.c \
	core/people.c \
	core/people.h \
	core/picker.c \
	core/principal.c \
	core/plain.c \
	core/plain.h \
	core/profile-instances.c \
	core/profile-node.c \
	core/profile-private.h \
	core/profile-refs.c \
	core/profile.c \
	core/profile.h \
	core/pump-joint.c \
	core/pump-private.h \
	core/pump.c \
	core/random.c \
	core/ready.c \
	core/ready.h \
	core/reload-plan.c \
	core/reload-plan.h \
	core/reload.c \
	core/reload.h \
	core/request-private.h \
	core/request.c \
	core/right-also.c \
	core/right-cover.c \
	core/right-family.c \
	core/right-odd.c \
	core/right-row.c \
	core/right-row.h \
	core/right.c \
	core/right.h \
	core/ring.c \
	core/route.c \
	core/router.h \
	core/sample-private.h \
	core/sample.c \
	core/schema.c \
	core/seal-private.h \
	core/seal.c \
	core/secret.c \
	core/sensor-private.h \
	core/sensor.c \
	core/series.c \
	core/session.c \
	core/speech.c \
	core/speech.h \
	core/stall.c \
	core/stall.h \
	core/statement.c \
	core/store-missing.c \
	core/store-row.c \
	core/store.c \
	core/stream-fd.c \
	core/stream-linger.c \
	core/stream-tls-out.c \
	core/stream-tls-private.h \
	core/stream-tls.c \
	core/stream.c \
	core/suggest.c \
	core/suggest.h \
	core/thread.c \
	core/throttle.c \
	core/throttle.h \
	core/ticket.c \
	core/ticket.h \
	core/tls-accept.c \
	core/tls-error.c \
	core/tls-private.h \
	core/tls.c \
	core/tree-read.c \
	core/tree.c \
	core/tree.h \
	core/trim-text.c \
	core/trim.c \
	core/trim.h \
	core/trust-ca.c \
	core/trust-cert.c \
	core/trust-file.c \
	core/trust-keys.c \
	core/trust-private.h \
	core/trust-revoked.c \
	core/trust-seen.c \
	core/trust.c \
	core/tunnel.c \
	core/unix-socket.c \
	core/unix-socket.h \
	core/version.c \
	core/watch.c

# the daemon
sbin_PROGRAMS += farwatchd
farwatchd_CFLAGS = $(AM_CFLAGS) $(CORE_CFLAGS)
farwatchd_LDADD = libfarwatch.la $(CORE_LIBS)
farwatchd_SOURCES = \
	core/farwatchd.c

# the command
bin_PROGRAMS += farctl
farctl_CFLAGS = $(AM_CFLAGS) $(CORE_CFLAGS)
farctl_LDADD = libfarwatch.la $(CORE_LIBS)
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
	core/farctl/path.c \
	core/farctl/plot.c \
	core/farctl/plot.h \
	core/farctl/print.c \
	core/farctl/restore-journal.c \
	core/farctl/restore-journal.h \
	core/farctl/secret.c \
	core/farctl/table.c \
	core/farctl/tickets.c \
	core/farctl/times.c \
	core/farctl/words.c \
	core/farctl/words.h
nodist_farctl_SOURCES = core/farctl/shells.c
CLEANFILES += core/farctl/shells.c

# `farctl completion SHELL` prints the file that is installed
shells = $(srcdir)/etc/farctl.bash $(srcdir)/etc/farctl.zsh $(srcdir)/etc/farctl.fish
core/farctl/shells.c: $(shells)
	$(AM_V_GEN)$(MKDIR_P) $(@D) && { echo '#include "config.h"' && echo '#include "farctl/ctl.h"' && \
	  for shell in bash zsh fish; do echo "const char ctl_shell_$$shell[] =" && \
	    sed 's/[\\"]/\\&/g; s/.*/  "&\\n"/' "$(srcdir)/etc/farctl.$$shell" && echo '  ;'; done; } >$@

pkgconfig_DATA += core/farwatch.pc
