# SPDX-License-Identifier: LGPL-2.1-or-later
"""Profiles of the lab's nodes, as nested dicts a test may change before start(), and their YAML text."""
import json
import re

PLAIN = re.compile(r"^[A-Za-z/@*][A-Za-z0-9_./@*-]*$")
WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n", "~"}


def _scalar(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if PLAIN.match(value) and value.lower() not in WORDS:
        return value
    return json.dumps(value)


def _lines(value, indent):
    pad = "  " * indent
    if isinstance(value, dict):
        for key, inner in value.items():
            if inner is None:
                continue
            if isinstance(inner, dict) and inner or isinstance(inner, list) and inner and isinstance(inner[0], (dict, list)):
                yield f"{pad}{_scalar(key)}:"
                yield from _lines(inner, indent + 1)
            elif isinstance(inner, dict):
                yield f"{pad}{_scalar(key)}: {{}}"
            elif isinstance(inner, list):
                yield f"{pad}{_scalar(key)}: [{', '.join(_scalar(item) for item in inner)}]"
            else:
                yield f"{pad}{_scalar(key)}: {_scalar(inner)}"
    else:
        for item in value:
            first, *rest = list(_lines(item, indent + 1))
            yield f"{pad}- {first.strip()}"
            yield from rest


def text(profile):
    return "\n".join(_lines(profile, 0)) + "\n"


def cloud(node, host, ports, state, control):
    """ports: {"nodes", "people", "ssh"}."""
    return {
        "farwatch": 1,
        "node": {"id": node, "state": state, "control": control},
        "stores": {"main": {"type": "sqlite", "path": "main.db"}},
        "authenticators": {
            "people": {"type": "file", "path": "people.yaml"},
            "tokens": {"type": "token", "store": "main"},
        },
        "transports": {
            "nodes": {"type": "websocket", "listen": f"{host}:{ports['nodes']}"},
            "people": {"type": "https", "listen": f"{host}:{ports['people']}", "login": ["people"]},
            "tunnels": {"type": "ssh", "listen": f"{host}:{ports['ssh']}", "y-listen": host, "login": ["tokens"]},
        },
        "services": {
            "fleet": {"type": "fleet", "store": "main", "nodes": "nodes"},
            "access": {"type": "access", "store": "main", "nodes": "nodes", "tunnels": ["tunnels"], "tokens": "tokens"},
            "intake": {"type": "intake", "store": "main"},
        },
    }


def terminal(node, server, state, control):
    """server: "wss://host:port" of the cloud's listener for nodes."""
    return {
        "farwatch": 1,
        "node": {"id": node, "state": state, "control": control},
        "stores": {"main": {"type": "file", "path": "store"}},
        "authenticators": {
            "people": {"type": "file", "path": "people.yaml"},
            "keys": {"type": "key", "path": "keys.d"},
        },
        "transports": {
            "cloud": {"type": "websocket", "connect": server, "reconnect": "500ms"},
            "tunnel": {"type": "ssh"},
        },
        "endpoints": {
            "lan": {"type": "tcp"},
            "shell": {"type": "shell"},
            "login": {"type": "ssh-login", "login": ["people", "keys"], "shell": "shell"},
        },
        "sensors": {"host": {"type": "system", "interval": "10s"}},
        "devices": {},
        "services": {
            "member": {"type": "member", "link": "cloud"},
            "agent": {"type": "agent", "link": "cloud", "tunnel": "tunnel", "login": "login", "shell": "shell", "in-advance": ["people"]},
            "uplink": {"type": "uplink", "link": "cloud"},
        },
    }
