"""Texts in which a proxy puts what it knows of a request: ``%REQ(x-user)%``.

Only what belongs to the request and its connection: the proxy's own files and environment do not.
"""

import re

from weft.dialects.findings import Findings, Here

_PERCENT = re.compile(r"%%|%([A-Z_0-9]+)(?:\(([^()%]*)\))?(?::[0-9]{1,6})?%|%")
COMMANDS = frozenset(
    {
        "REQ",
        "RESP",
        "PROTOCOL",
        "RESPONSE_CODE",
        "START_TIME",
        "ROUTE_NAME",
        "STREAM_ID",
        "UPSTREAM_CLUSTER",
        "DOWNSTREAM_REMOTE_ADDRESS",
        "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
        "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT",
        "DOWNSTREAM_LOCAL_ADDRESS",
        "DOWNSTREAM_LOCAL_PORT",
        "DOWNSTREAM_PEER_URI_SAN",
        "DOWNSTREAM_PEER_SUBJECT",
        "DOWNSTREAM_TLS_VERSION",
        "REQUESTED_SERVER_NAME",
    }
)
_ARGUED = frozenset({"REQ", "RESP"})


def check_substitutions(here: Here, text: str) -> Findings:
    """Every percent sign begins or ends a substitution that is allowed, or is doubled."""
    for found in _PERCENT.finditer(text):
        if found[0] == "%%":
            continue
        command = found[1]
        if command is None:
            yield here.error("W0102", "a percent sign alone begins no substitution", "write %% for a percent sign")
        elif command not in COMMANDS:
            known = ", ".join(sorted(COMMANDS))
            yield here.error("W0102", f"there is no substitution {command[:80]}", f"use one of {known}")
        elif (command in _ARGUED) is not bool(found[2]) and command != "START_TIME":
            want = f"%{command}(name)%" if command in _ARGUED else f"%{command}%"
            yield here.error("W0102", f"{command} is not written so", f"write {want}")
