"""An alert in the words of those who take it: a document of ours, a message of Slack's, an alert of Alertmanager's."""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from weft.model.alert import Alert

_COLOURS = {"page": "#d32f2f", "ticket": "#f9a825"}
_CALM, _OVER = "#1976d2", "#388e3c"
_AGAIN = 300.0
"""Seconds for which Alertmanager believes an alert that is told again within them."""
LIMIT = 200
"""Characters of a label's value."""


class Message(NamedTuple):
    """What is posted, where under the target's address, and with which headers."""

    body: bytes
    path: str = ""
    headers: tuple[tuple[str, str], ...] = ()


def message_of(kind: str, alerts: Sequence[Alert], now: float, key: bytes = b"") -> Message:
    """The request for a kind of target; Alertmanager alone takes several. ``key`` signs what goes to webhooks."""
    match kind:
        case "slack":
            return Message(msgspec.json.encode(_slack(*alerts)))
        case "alertmanager":
            return Message(msgspec.json.encode([_alertmanager(one, now) for one in alerts]), path="/api/v2/alerts")
        case _:
            return _signed(msgspec.json.encode(document_of(*alerts)), now, key)


def document_of(alert: Alert) -> dict[str, Any]:
    """An alert as webhooks and the API have it."""
    return {
        "version": "1",
        "id": alert.id,
        "status": "firing" if alert.firing else "resolved",
        "kind": alert.kind,
        "name": alert.name,
        "severity": alert.severity,
        "namespace": alert.namespace,
        "service": alert.service,
        "summary": alert.summary,
        "startsAt": _time(alert.since),
        "endsAt": None if alert.ended is None else _time(alert.ended),
        "labels": dict(alert.labels),
        "evidence": dict(alert.evidence),
    }


def _signed(body: bytes, now: float, key: bytes) -> Message:
    """The time is signed too, so that an old request can be told from a new one."""
    if not key:
        return Message(body)
    stamp = str(int(now))
    digest = hmac.new(key, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return Message(body, headers=(("x-weft-timestamp", stamp), ("x-weft-signature", f"sha256={digest}")))


def _slack(alert: Alert) -> dict[str, Any]:
    word = "FIRING" if alert.firing else "RESOLVED"
    title = f"[{word}] {_plain(alert.summary)}"
    where = "/".join(part for part in (alert.namespace, alert.service) if part)
    fields = [{"title": _plain(name), "value": _plain(value), "short": True} for name, value in alert.evidence]
    return {
        "text": title,
        "attachments": [
            {
                "color": _COLOURS.get(alert.severity, _CALM) if alert.firing else _OVER,
                "fallback": title,
                "title": f"{alert.name} {_plain(where)}".strip(),
                "fields": fields,
                "footer": f"weft, {alert.severity}",
                "ts": int(alert.since),
            }
        ],
    }


def _alertmanager(alert: Alert, now: float) -> dict[str, Any]:
    labels = {
        **{_label(name): value for name, value in alert.labels},
        "alertname": alert.name,
        "severity": alert.severity,
        "namespace": alert.namespace,
        "service": alert.service,
        "source": "weft",
    }
    annotations = {"summary": alert.summary, **{_label(name): value for name, value in alert.evidence}}
    return {
        "labels": {name: value[:LIMIT] for name, value in labels.items() if value},
        "annotations": {name: value for name, value in annotations.items() if value},
        "startsAt": _time(alert.since),
        "endsAt": _time(now + _AGAIN if alert.ended is None else alert.ended),
    }


def _label(name: str) -> str:
    """A name that Prometheus takes."""
    kept = "".join(one if one.isascii() and (one.isalnum() or one == "_") else "_" for one in name)
    return f"_{kept}" if kept[:1].isdigit() else kept


def _plain(text: str) -> str:
    """Text of others that Slack must not read as its own marks."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
