# SPDX-License-Identifier: LGPL-2.1-or-later
"""Enrolment as an admin does it: the authority at the cloud, a join token for each terminal, `farctl enroll` at the terminal."""
from lab import secrets


def enrol_cloud(fleet):
    """The fleet's authority and the cloud's own certificate; done before the cloud starts."""
    cloud = fleet.cloud
    cloud.write()
    cloud.farctl("ca", "init", "--profile", cloud.profile_path, "--name", fleet.host)


def enrol_terminal(fleet, node):
    """The cloud must run; the terminal need not. The token goes over stdin."""
    node.write()
    answer = fleet.farctl("terminal", "add", node.name, json=True, reveals=True)
    token = answer["token"]
    secrets.remember(token.rpartition(".")[2], f"the join token of {node.name}")
    node.farctl("enroll", "--profile", node.profile_path, "--server", f"{fleet.host}:{fleet.ports['nodes']}", input=token + "\n")
