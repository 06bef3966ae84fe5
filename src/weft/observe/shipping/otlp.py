"""Lines of the audit log as log records of OpenTelemetry: OTLP's JSON."""

import json
from datetime import datetime
from typing import Any

from weft.kit.clock import Clock
from weft.observe.shipping.collector import Signal

_INFO, _WARN = (9, "INFO"), (13, "WARN")
_FACTS = {
    "verb": "weft.audit.verb",
    "outcome": "weft.audit.outcome",
    "who": "enduser.id",
    "source": "client.address",
    "resource": "weft.audit.resource",
    "namespace": "weft.audit.namespace",
    "name": "weft.audit.name",
}


def audit_signal(clock: Clock) -> Signal:
    """How lines are sent."""
    return Signal(
        name="logs",
        kind="application/json",
        encode=lambda lines: json.dumps(request_of(lines, clock.now())).encode(),
    )


def request_of(lines: tuple[bytes, ...], now: float) -> dict[str, Any]:
    """An ``ExportLogsServiceRequest``."""
    resource = {"attributes": [_attribute("service.name", "weft")]}
    logs = {"scope": {"name": "weft.audit"}, "logRecords": [_record(line, now) for line in lines]}
    return {"resourceLogs": [{"resource": resource, "scopeLogs": [logs]}]}


def _record(line: bytes, now: float) -> dict[str, Any]:
    entry = json.loads(line)
    number, text = _WARN if entry.get("outcome") == "denied" else _INFO
    at = datetime.fromisoformat(entry["time"]).timestamp()
    return {
        "timeUnixNano": str(int(at * 1_000_000_000)),
        "observedTimeUnixNano": str(int(now * 1_000_000_000)),
        "severityNumber": number,
        "severityText": text,
        "body": {"stringValue": line.decode().rstrip("\n")},
        "attributes": [_attribute(name, str(entry[key])) for key, name in _FACTS.items() if entry.get(key)],
    }


def _attribute(name: str, value: str) -> dict[str, Any]:
    return {"key": name, "value": {"stringValue": value}}
