"""What the mesh found about a document, as the condition ``Accepted`` of its status (Kubernetes' meta/v1 Condition).

Pure: the new document from the old one, ``None`` when it says so already. The specification and its generation stay.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from weft.model.document import Document
from weft.model.finding import Finding, Severity, field_path
from weft.model.standing import Standing
from weft.store.standings import status_of

ACCEPTED = "Accepted"
_MAX_SENTENCES = 20
_MAX_MESSAGE = 8_192

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder(order="sorted").encode


def reported(document: Document, findings: Iterable[Finding], now: float) -> Document | None:
    """The document with its condition; one that never had findings is left without, so it is not written.

    A condition whose status stays keeps its time. A document whose content is no object is left alone.
    """
    content = _object(document.content)
    if content is None:
        return None
    status = content.get("status")
    status = status if isinstance(status, dict) else {}
    listed = status.get("conditions")
    conditions = listed if isinstance(listed, list) else []
    old = next((condition for condition in conditions if _is_ours(condition)), None)
    told = [finding for finding in findings if finding.severity is not Severity.NOTE]
    if not told and old is None:
        return None
    new = _condition(told, content["metadata"].get("generation"))
    same = old is not None and old.get("status") == new["status"] and "lastTransitionTime" in old
    new["lastTransitionTime"] = old["lastTransitionTime"] if old is not None and same else _moment(now)
    if new == old:
        return None
    others = [condition for condition in conditions if not _is_ours(condition)]
    content["status"] = status | {"conditions": [*others, new]}
    return msgspec.structs.replace(document, content=_encode(content))


def stood(document: Document, standing: Standing, now: float) -> Document | None:
    """The document with the status that its standing is; ``None`` when it says so already."""
    content = _object(document.content)
    if content is None:
        return None
    status = content.get("status")
    status = status if isinstance(status, dict) else {}
    told = status_of(standing, status, _moment(now))
    if told == status:
        return None
    content["status"] = told
    return msgspec.structs.replace(document, content=_encode(content))


def _object(content: bytes) -> dict[str, Any] | None:
    try:
        decoded = _decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return decoded if isinstance(decoded, dict) and isinstance(decoded.get("metadata"), dict) else None


def _is_ours(condition: object) -> bool:
    return isinstance(condition, dict) and condition.get("type") == ACCEPTED


def _condition(findings: list[Finding], generation: object) -> dict[str, Any]:
    """``False`` when something is wrong, ``Unknown`` when something is doubtful, ``True`` when nothing is."""
    worst = [finding for finding in findings if finding.severity is Severity.ERROR] or findings
    value = "True" if not worst else "False" if worst[0].severity is Severity.ERROR else "Unknown"
    condition: dict[str, Any] = {
        "type": ACCEPTED,
        "status": value,
        "reason": worst[0].code if worst else ACCEPTED,
        "message": _message(findings),
    }
    return condition | ({"observedGeneration": generation} if isinstance(generation, int) else {})


def _message(findings: list[Finding]) -> str:
    """Every finding with its code and place, in one text."""
    said = [_sentence(finding) for finding in findings[:_MAX_SENTENCES]]
    if len(findings) > _MAX_SENTENCES:
        said.append(f"and {len(findings) - _MAX_SENTENCES} more")
    return "; ".join(said)[:_MAX_MESSAGE]


def _sentence(finding: Finding) -> str:
    place = f"{field_path(finding.path)}: " if finding.path else ""
    advice = f" (help: {finding.help})" if finding.help else ""
    return f"[{finding.code}] {place}{finding.message}{advice}"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
