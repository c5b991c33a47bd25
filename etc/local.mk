# SPDX-License-Identifier: LGPL-2.1-or-later
# Profiles: one per line, sorted.
dist_profile_DATA =
