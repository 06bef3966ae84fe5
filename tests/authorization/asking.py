"""The cases' requests as questions to the policies alone, without Envoy."""

import base64
import json
from typing import Any

from tests.authorization.cases import CASES, filled
from tests.authorization.rig import PORTS
from weft.explain.question import Question


def question_of(said: dict[str, Any], port: str, bind: int = 0) -> Question | None:
    """A case's request; ``None`` for one that is made of bytes, or has what only a proxy can judge."""
    asked = CASES["defaults"]["request"] | said
    described = CASES["identities"][asked["from"]]
    if "raw" in said or (described is not None and not isinstance(described["uri"], str)):
        return None
    headers = tuple((name.lower(), filled(value)) for name, value in asked.get("headers", ()))
    return Question(
        caller=described["uri"].removeprefix("spiffe://") if described else "",
        source_ip=asked.get("from_ip", "127.0.0.1"),
        remote_ip=asked.get("from_ip", "127.0.0.1"),
        ports=(PORTS[port], bind),
        bytes_only=port == "tcp",
        method=asked["method"],
        path=asked.get("path", "/"),
        host=asked["host"],
        headers=headers,
        claims=claims_of(dict(headers)),
    )


def claims_of(headers: dict[str, str]) -> dict[str, Any] | None:
    """The claims of a token, whatever it is worth."""
    written = [value.rpartition(" ")[2] for value in headers.values() if value.count(".") == 2 and " " in value]
    if not written:
        return None
    payload = written[0].split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    for name in ("scope", "permission", "custom"):
        if isinstance(claims.get(name), str) and " " in claims[name]:
            claims[name] = claims[name].split(" ")
    return claims
