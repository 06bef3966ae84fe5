"""What becomes of a field: documents with it and without it are checked and translated, and compared."""

import copy
import json
import typing
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from build_tools.compat.fields import LIST, MAPPING, Field, bare, message, path_of
from build_tools.compat.notes import Notes, told
from weft.dialects.kinds import Kind
from weft.dialects.translate import check, fragment_of
from weft.model.document import Document, Key
from weft.model.finding import Finding, Severity
from weft.model.settings import Settings

_TEXTS = (
    "sample", "10s", "10.0.0.1", "sample.example.com", "/sample", "HTTP", "us/west/one", "127.0.0.1:8080",
    "shop/sample", "10.0.0.0/8", "*.example.com", "GET", "5xx",
)  # fmt: skip
_NUMBERS = (1, 80, 301, 503, 1024)


class Probed(NamedTuple):
    """What trying a field has shown."""

    accepted: int = 0
    effect: bool = False
    """Whether the model differs with the value, or there is none without the field."""
    refused: tuple[str, ...] = ()
    """Values (or ``""`` for all) that are refused as not served."""
    warned: str = ""
    """The warning that the field has no effect, or is deprecated."""
    wrong: str = ""
    """Why no value was accepted, for whoever writes the notes."""


def probed(kind: Kind, field: Field, notes: Notes) -> Probed:
    """Try values of a field in the place that the notes say."""
    base = notes.context(field.path)
    without = _removed(planted(base, field, next(_values(field, notes)), notes), field.steps)
    fragments, refused, warnings, wrong = [_fragment(kind, without)], [], [], ""
    for value in _values(field, notes):
        content = planted(base, field, value, notes)
        findings = check(kind, document(kind, content))
        unserved = [finding for finding in findings if finding.code == "W0110" and _concerns(finding, field)]
        errors = [finding for finding in findings if finding.severity is Severity.ERROR]
        if unserved:
            refused.append(str(value) if _options(field) else "")
        elif errors:
            wrong = wrong or f"{'.'.join(map(str, errors[0].path))}: {errors[0].message}"
        else:
            warnings.append(_warned(findings, field))
            fragments.append(_fragment(kind, content))
    accepted = len(fragments) - 1
    warned = warnings[0] if all(warnings[:1]) and len(set(warnings)) == 1 else ""
    differ = len(set(fragments)) > 1
    return Probed(accepted, differ, tuple(refused), warned, wrong)


def document(kind: Kind, spec: dict[str, Any]) -> dict[str, Any]:
    """A whole document."""
    metadata = {"name": "sample"} | ({"namespace": "shop"} if kind.namespaced else {})
    content = {"apiVersion": kind.api_version(kind.versions[0]), "kind": kind.kind, "metadata": metadata}
    return content | (spec if kind.flat else {"spec": spec})


def planted(base: dict[str, Any], field: Field, tried: Any, notes: Notes) -> dict[str, Any]:
    """A specification with the field set, and on the way one entry of each list and what the notes want beside it."""
    content = copy.deepcopy(base)
    node: Any = content
    for index, step in enumerate(field.steps):
        last = index == len(field.steps) - 1
        beside = notes.neighbours(path_of(field.steps[: index + 1]))
        if isinstance(node, dict) and step != MAPPING:
            node.update({name: value for name, value in beside.items() if name not in node})
        key = _key(node, step)
        below = tried if last else [] if field.steps[index + 1] == LIST else {}
        if last:
            _put(node, key, tried)
        elif isinstance(node, list):
            node.extend([] if node else [below])
        else:
            node.setdefault(key, below)
        node = node[key]
        if isinstance(node, dict) and step in (LIST, MAPPING):
            node.update({name: value for name, value in beside.items() if name not in node})
    return content


def _key(node: Any, step: str) -> Any:
    if step == LIST:
        return 0
    return next(iter(node), "80") if step == MAPPING else step


def _put(node: Any, key: Any, value: Any) -> None:
    if isinstance(node, list):
        node[:1] = [value]
    else:
        node[key] = value


def _removed(base: dict[str, Any], steps: tuple[str, ...]) -> dict[str, Any]:
    """The specification without the field, which is the whole list for an entry of one."""
    content = copy.deepcopy(base)
    while steps[-1] in (LIST, MAPPING):
        steps = steps[:-1]
    node: Any = content
    for step in steps[:-1]:
        key = _key(node, step)
        if not (node if isinstance(node, list) else key in node):
            return content
        node = node[key]
    if isinstance(node, dict):
        node.pop(steps[-1], None)
    return content


def _values(field: Field, notes: Notes) -> Iterator[Any]:
    """Values to try; entries of lists are tried as entries."""
    given = told(notes.values, field.path)
    if given is None:
        yield from _samples(field.annotation)
    else:
        yield from given if isinstance(given, list) else [given]


def _samples(annotation: Any) -> Iterator[Any]:
    annotation = bare(annotation)
    model = message(annotation)
    if model is not None:
        yield _least(model)
    elif typing.get_origin(annotation) is typing.Literal:
        yield from typing.get_args(annotation)
    elif typing.get_origin(annotation) is dict:
        yield {"sample": "one"}
        yield {"80": 8080}
    else:
        yield from {bool: (True, False), int: _NUMBERS, float: (50.0, 1.0)}.get(annotation, _TEXTS)


def _least(model: Any) -> dict[str, Any]:
    """A message with the fields that it must have."""
    needed = {name: info for name, info in model.model_fields.items() if info.is_required()}
    return {info.alias or name: next(_samples(info.annotation)) for name, info in needed.items()}


def _options(field: Field) -> bool:
    return typing.get_origin(field.annotation) is typing.Literal


def _steps(finding: Finding, flat: bool = False) -> tuple[Any, ...]:
    return finding.path if flat or finding.path[:1] != ("spec",) else finding.path[1:]


def _concerns(finding: Finding, field: Field) -> bool:
    """Whether a finding is at the field, at an entry of it, or at what it is a part of."""
    mine = field.steps
    theirs = _steps(finding)
    return all(_same(one, other) for one, other in zip(mine, theirs, strict=False)) and (
        len(theirs) <= len(mine) or field.model is None
    )


def _same(step: str, other: Any) -> bool:
    return isinstance(other, int) if step == LIST else step in (MAPPING, other)


def _warned(findings: tuple[Finding, ...], field: Field) -> str:
    said = [one for one in findings if one.code in ("W0119", "W0128") and len(_steps(one)) == len(field.steps)]
    return next((one.message for one in said if _concerns(one, field)), "")


def _fragment(kind: Kind, spec: dict[str, Any]) -> Any:
    """What the document means; ``None`` if it is refused."""
    key = Key(group=kind.group, kind=kind.kind, namespace="shop" if kind.namespaced else "", name="sample")
    content = json.dumps(document(kind, spec)).encode()
    made = fragment_of(Document(key=key, content=content, created="2026-01-01T00:00:00Z"), Settings())
    if any(finding.severity is Severity.ERROR for finding in made.findings):
        return None
    return msgspec.structs.replace(made, findings=())
