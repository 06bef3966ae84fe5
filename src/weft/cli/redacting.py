"""Blots out what nobody else may read: tokens, keys, passwords, wherever in a text they stand."""

import re
from collections.abc import Mapping
from typing import Any

from weft.kit.redaction import HIDDEN

_PATTERNS = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    re.compile(r"weft_[a-z]+_[A-Za-z0-9_-]{16,}"),
    re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),
    re.compile(r"(?i)(?<=bearer )[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(r"(?i)(?<=basic )[A-Za-z0-9+/=]{8,}"),
    re.compile(r"(?<=://)[^/\s:@\"']+:[^/\s@\"']+(?=@)"),
)
_NAMED = re.compile(
    r"""(?ix)(["']?[\w.-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|private[_-]?key|credential)["']?
    \s*[:=]\s*)("(?:[^"\\]|\\.)*"|'[^']*'|[^\s,;}\]"']+)"""
)
_KEPT = frozenset({"", '""', "''", "null", "true", "false", "{}", "[]", "{", "[", "|", ">"})
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def redacted(text: str) -> str:
    """A text without secrets."""
    for pattern in _PATTERNS:
        text = pattern.sub(HIDDEN, text)
    return _NAMED.sub(_blotted, text)


def redacted_document(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document without what managers keep of it, and without the contents of a secret."""
    metadata = {key: value for key, value in document.get("metadata", {}).items() if key != "managedFields"}
    if annotations := metadata.get("annotations"):
        metadata["annotations"] = {key: value for key, value in annotations.items() if key != _LAST_APPLIED}
    found = {**document, "metadata": metadata}
    for part in ("data", "stringData") if document.get("kind") == "Secret" else ():
        if part in found:
            found[part] = dict.fromkeys(found[part], HIDDEN)
    return found


def _blotted(found: re.Match[str]) -> str:
    return found[0] if found[2] in _KEPT or found[2].strip("\"'") == HIDDEN else f"{found[1]}{HIDDEN}"
