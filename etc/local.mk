# SPDX-License-Identifier: LGPL-2.1-or-later
# Profiles: one per line, sorted.
dist_profile_DATA = \
	etc/profiles/cloud-server.yaml \
	etc/profiles/demo-cloud.yaml \
	etc/profiles/demo-terminal.yaml \
	etc/profiles/external-server.yaml \
	etc/profiles/terminal.yaml

etc_made = etc/farwatchd@.service etc/sysusers/farwatch.conf etc/tmpfiles/farwatch.conf etc/completion/farctl etc/completion/_farctl etc/completion/farctl.fish
noinst_DATA += $(etc_made)
CLEANFILES += $(etc_made)
EXTRA_DIST += \
	etc/channels.yaml \
	etc/demo/run \
	etc/farctl.bash \
	etc/farctl.fish \
	etc/farctl.zsh \
	etc/farwatch.sysusers \
	etc/farwatch.tmpfiles.in \
	etc/farwatchd.service.in

fill_in = $(AM_V_GEN)$(MKDIR_P) $(@D) && sed \
	-e 's|[@]bindir@|$(bindir)|g' -e 's|[@]sbindir@|$(sbindir)|g' \
	-e 's|[@]sysconfdir@|$(sysconfdir)|g' -e 's|[@]localstatedir@|$(localstatedir)|g'

etc/farwatchd@.service: $(srcdir)/etc/farwatchd.service.in Makefile
	$(fill_in) $(srcdir)/etc/farwatchd.service.in >$@
etc/sysusers/farwatch.conf: $(srcdir)/etc/farwatch.sysusers
	$(fill_in) $(srcdir)/etc/farwatch.sysusers >$@
etc/tmpfiles/farwatch.conf: $(srcdir)/etc/farwatch.tmpfiles.in Makefile
	$(fill_in) $(srcdir)/etc/farwatch.tmpfiles.in >$@
etc/completion/farctl: $(srcdir)/etc/farctl.bash
	$(fill_in) $(srcdir)/etc/farctl.bash >$@
etc/completion/_farctl: $(srcdir)/etc/farctl.zsh
	$(fill_in) $(srcdir)/etc/farctl.zsh >$@
etc/completion/farctl.fish: $(srcdir)/etc/farctl.fish
	$(fill_in) $(srcdir)/etc/farctl.fish >$@

# empty where configure was told --with-…dir=no
if WITH_SYSTEMD
systemdsystemunit_DATA = etc/farwatchd@.service
endif
if WITH_SYSUSERS
sysusers_DATA = etc/sysusers/farwatch.conf
endif
if WITH_TMPFILES
tmpfiles_DATA = etc/tmpfiles/farwatch.conf
endif
if WITH_COMPLETION
bashcompletion_DATA = etc/completion/farctl
endif
if WITH_ZSH_COMPLETION
zshcompletion_DATA = etc/completion/_farctl
endif
if WITH_FISH_COMPLETION
fishcompletion_DATA = etc/completion/farctl.fish
endif
