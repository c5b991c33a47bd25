# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is to be reached, and what the values of results.json say to it. No measuring here."""
import statistics

OURS, STREAM, LOCAL, IN_BAND = "Farwatch, port Y", "Farwatch, stream", "Farwatch, local stream", "Farwatch, in band"
FARWATCH, SSHD = "Farwatch", "OpenSSH sshd"
NGINX, HAPROXY = "nginx", "haproxy"
LWS_KIB = 28.9  # a terminal at the cloud while libwebsockets and OpenSSL did its work: row terminals at commit 374d242
AGAIN = ", after a session"
GCM, DEFAULT = "ssh -R, aes128-gcm", "ssh -R, default cipher"
TLS_GCM = "TLS, then ssh -R, aes128-gcm"
PLAIN, PLAIN_THREE = "plain two hops", "plain three hops"


def clean(values):
    return [value for value in values if value is not None]


def ratios(row, metric, ours, peer):
    """Per round: ours / peer, both of that round."""
    pairs = zip(row.get(ours, {}).get(metric, []), row.get(peer, {}).get(metric, []))
    return [a / b for a, b in pairs if a is not None and b]


class Reach:
    """One thing to be reached. pick(values of the row) → list of numbers, judged by their median (or `by`)."""

    def __init__(self, row, work, compared, pick, limit, at_least=False, unit="", by=statistics.median, aim=None):
        self.row, self.work, self.compared, self.pick, self.limit = row, work, compared, pick, limit
        self.at_least, self.unit, self.by, self.aim = at_least, unit, by, aim

    def wanted(self):
        text = f"{'≥' if self.at_least else '≤'} {number(self.limit)}{self.unit}"
        return text + (f" (aim {number(self.aim)})" if self.aim else "")

    def judge(self, rows):
        """(text of what was measured, True | False | None when it was not measured)"""
        if self.row not in rows:
            return "not measured", None
        values = clean(self.pick(rows[self.row]["values"]))
        if not values:
            return "not measured", None
        value = self.by(values)
        spread = f" ({number(min(values))}–{number(max(values))})" if len(values) > 1 else ""
        return f"{number(value)}{self.unit}{spread}", value >= self.limit if self.at_least else value <= self.limit


def number(value):
    if value is None:
        return "–"
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"


def versus(metric, peer, ours=OURS):
    return lambda values: ratios(values, metric, ours, peer)


def field(*path):
    def pick(values):
        for key in path:
            values = values.get(key, {}) if isinstance(values, dict) else {}
        return values if isinstance(values, list) else [values] if isinstance(values, (int, float)) else []
    return pick


def quotient(path, other):
    def pick(values):
        return [a / b for a, b in zip(field(*path)(values), field(*other)(values)) if b]
    return pick


def _bulk():
    for metric, work in (("up1", "bulk to the device, 1 stream"), ("down1", "bulk from the device, 1 stream"),
                         ("up8", "bulk to the device, 8 streams"), ("down8", "bulk from the device, 8 streams")):
        yield Reach("bytes", work, GCM, versus(metric, GCM), 0.65, True, " ×", aim=0.8)
        yield Reach("bytes", work, DEFAULT, versus(metric, DEFAULT), 1.2, True, " ×")
        for way, name in ((STREAM, "by stream"), (LOCAL, "by local stream")):
            yield Reach("bytes", f"{work}, {name}", GCM, versus(metric, GCM, way), 0.85, True, " ×")
            yield Reach("bytes", f"{work}, {name}", "port Y", versus(metric, OURS, way), 0.95, True, " ×")
        yield Reach("bytes", f"{work}, by stream", TLS_GCM, versus(metric, TLS_GCM, STREAM), 1.0, True, " ×")


def _front():
    for mode, work, limit in (("full", "full handshake and one request, per CPU second", 0.9), ("resume", "resumed handshake and one request, per CPU second", 0.9),
                              ("keep", "requests over open connections, per CPU second", 1.0)):
        for peer in (NGINX, HAPROXY):
            yield Reach("front", work, peer, versus(mode, peer, FARWATCH), limit, True, " ×")


def _storm():
    for phase, work in (("first", "10,000 terminals at once"), ("restart", "the cloud restarted"), ("cut", "all of them cut")):
        yield Reach("storm", f"{work}: terminals lost", "–", field(phase, "lost"), 0, False, "")
        yield Reach("storm", f"{work}: until all have joined", "–", field(phase, "seconds"), 60, False, " s")
    for phase, work in (("restart", "resident memory of the cloud, restarted and all joined again"), ("cut", "resident memory of the cloud, all cut and joined again")):
        yield Reach("storm", work, "before", quotient((phase, "rss_kib"), ("first" if phase == "restart" else "restart", "rss_kib")), 1.1, False, " ×")


REACHES = [
    *_bulk(),
    Reach("bytes", "connections a second, one at a time", GCM, versus("rate1", GCM), 10, True, " ×"),
    Reach("bytes", "connections a second, 4 at once", GCM, versus("rate4", GCM), 10, True, " ×"),
    Reach("bytes", "64-byte ping-pong, p50", GCM, versus("p50_us", GCM), 1.0, False, " ×"),
    Reach("bytes", "64-byte ping-pong, p99", GCM, versus("p99_us", GCM), 0.8, False, " ×"),
    Reach("bytes", "64-byte ping-pong, p50, by stream", "port Y", versus("p50_us", OURS, STREAM), 1.25, False, " ×"),
    Reach("bytes", "64-byte ping-pong, p50, by stream", TLS_GCM, versus("p50_us", TLS_GCM, STREAM), 1.0, False, " ×"),
    Reach("bytes", "64-byte ping-pong, p50, by local stream", "port Y", versus("p50_us", OURS, LOCAL), 1.25, False, " ×"),
    *_front(),
    Reach("tunnels", "memory of one idle tunnel at the cloud (private dirty)", "–", field(FARWATCH, "kib_each"), 160, False, " KiB"),
    Reach("access", "access request → first byte of the device, by push", "–", field("ms"), 300, False, " ms",
          by=lambda values: sorted(values)[len(values) * 95 // 100]),
    Reach("start", "farctl: from its start to the first byte of the device", "–", field("ms"), 60, False, " ms"),
    Reach("sessions", "terminal after 400 sessions, one after the other: private memory (dirty)", "–", lambda values: values["private_dirty_kib"][-1:], 3072,
          False, " KiB"),
    Reach("sessions", "of that, added by the second half of them", "–", field("growth_kib"), 64, False, " KiB"),
    Reach("terminals", "idle terminals on one cloud node, TLS", "–", field("terminals"), 3000, True, ""),
    Reach("terminals", "memory of each of them at the cloud (private dirty)", f"libwebsockets: {LWS_KIB} KiB", field("kib_each"), 14, False, " KiB"),
    *_storm(),
    Reach("rest", "terminal at rest, 6 sensors: private memory (dirty)", "–", field("terminal", "private_dirty_kib"), 2048, False, " KiB"),
    Reach("rest", "terminal at rest, 6 sensors: resident memory", "–", field("terminal", "rss_kib"), 10240, False, " KiB"),
    Reach("rest", "terminal at rest, 6 sensors: CPU", "collectd", quotient(("terminal", "cpu_ms_per_min"), ("collectd", "cpu_ms_per_min")), 1.0, False, " ×"),
    Reach("rest", "60 s after a session: private memory (dirty)", "–", field("terminal" + AGAIN, "private_dirty_kib"), 3072, False, " KiB"),
    Reach("rest", "60 s after a session: resident memory", "–", field("terminal" + AGAIN, "rss_kib"), 10240, False, " KiB"),
    Reach("rest", "60 s after a session: CPU", "collectd",
          quotient(("terminal" + AGAIN, "cpu_ms_per_min"), ("collectd" + AGAIN, "cpu_ms_per_min")), 1.0, False, " ×"),
    Reach("wire", "idle terminal on the wire, cycle 120 s", "–", field("mb_per_day"), 0.5, False, " MB/day"),
]
