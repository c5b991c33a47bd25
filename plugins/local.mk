# SPDX-License-Identifier: LGPL-2.1-or-later
# One line per plugin folder, sorted.
include plugins/authenticator-file/local.mk
include plugins/authenticator-key/local.mk
include plugins/authenticator-token/local.mk
include plugins/endpoint-shell/local.mk
include plugins/endpoint-tcp/local.mk
include plugins/sensor-exec/local.mk
include plugins/sensor-system/local.mk
include plugins/service-access/local.mk
include plugins/service-agent/local.mk
include plugins/service-fleet/local.mk
include plugins/service-intake/local.mk
include plugins/service-member/local.mk
include plugins/service-uplink/local.mk
include plugins/store-file/local.mk
include plugins/store-sqlite/local.mk
include plugins/transport-sip/local.mk
include plugins/transport-ssh/local.mk
include plugins/transport-tls/local.mk
include plugins/transport-websocket/local.mk
