"""What happened in a test's mesh: its sidecars' access logs, read as calls."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weft.kit.value import Value
from weft.model.reporting import PEER_VARIABLE, parse_peer

LOG = "calls.jsonl"
MESH_CONFIG = "mesh.yaml"
"""In the state directory: the MeshConfig that the control plane starts with."""
_FORMAT = {
    "peer": f"%ENVIRONMENT({PEER_VARIABLE})%",
    "at": "%START_TIME(%s.%6f)%",
    "method": "%REQ(:METHOD)%",
    "authority": "%REQ(:AUTHORITY)%",
    "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "status": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "cluster": "%UPSTREAM_CLUSTER_RAW%",
    "upstream": "%UPSTREAM_HOST%",
    "caller": "%DOWNSTREAM_PEER_URI_SAN%",
    "from": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%",
    "milliseconds": "%DURATION%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "id": "%REQ(X-REQUEST-ID)%",
}


class Call(Value):
    """A call as one sidecar saw it: the caller's (``side`` is ``client``) or the callee's (``server``).

    ``source`` and ``destination`` are services; ``source`` is empty for a caller without a sidecar. ``identity`` is
    what the caller proved to a callee's sidecar, empty for plaintext. ``flags`` are Envoy's, "" for none; ``status`` 0
    is a call that had no answer, or a connection. ``at`` is seconds since the epoch.
    """

    side: str
    at: float
    source: str
    destination: str
    method: str
    authority: str
    path: str
    status: int
    flags: str = ""
    details: str = ""
    version: str = ""
    workload: str = ""
    identity: str = ""
    milliseconds: int = 0
    attempts: int = 1
    request_id: str = ""


def mesh_config_of(log: Path) -> dict[str, Any]:
    """The MeshConfig with which sidecars write what ``calls_in`` reads."""
    return {
        "accessLogFile": str(log),
        "accessLogEncoding": "JSON",
        "accessLogFormat": json.dumps(_FORMAT),
    }


def calls_in(log: Path) -> Iterator[Call]:
    """The calls of a log, in the order in which they ended; a line that is half written is left for later."""
    try:
        text = log.read_text(errors="replace")
    except FileNotFoundError:
        return
    for line in text.splitlines(keepends=True):
        if line.endswith("\n"):
            yield _call(json.loads(line))


def _call(said: dict[str, Any]) -> Call:
    direction, _, rest = _word(said, "cluster").partition("|")
    peer = parse_peer(_word(said, "peer"))
    inbound = direction.startswith("inbound")
    identity = _word(said, "caller")
    _, version, host = rest.split("|", 2) if rest.count("|") >= 2 else ("", "", "")
    return Call(
        side="server" if inbound else "client",
        at=float(_word(said, "at") or 0),
        source=identity.rpartition("/sa/")[2] if inbound else peer.service,
        destination=peer.service if inbound else host.partition(".")[0] or _host(_word(said, "authority")),
        method=_word(said, "method"),
        authority=_word(said, "authority"),
        path=_word(said, "path"),
        status=_number(said, "status"),
        flags=_word(said, "flags"),
        details=_word(said, "details"),
        version=peer.revision if inbound else version,
        workload=peer.workload,
        identity=identity,
        milliseconds=_number(said, "milliseconds"),
        attempts=_number(said, "attempts"),
        request_id=_word(said, "id"),
    )


def _host(authority: str) -> str:
    return authority.rpartition(":")[0] or authority


def _word(said: dict[str, Any], name: str) -> str:
    value = said.get(name)
    return "" if value in (None, "-") else str(value)


def _number(said: dict[str, Any], name: str) -> int:
    value = said.get(name)
    return int(value) if isinstance(value, int | float) or (isinstance(value, str) and value.isdecimal()) else 0
