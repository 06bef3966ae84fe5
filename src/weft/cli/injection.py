"""Manifests with sidecars: every pod of a text of documents, whatever kind it is in.

What was there before goes into an annotation as it was, letter by letter: a manifest that nobody changed since is given
back so, one that was changed loses the sidecar and nothing else.
"""

import base64
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

from weft.cli.pods import Pod, Refused, Settings, put_in, refusal, take_out
from weft.cli.ported import served_by
from weft.cli.rounds import Document, documents_of
from weft.kit.value import Value

ORIGINAL = "weft.dev/original"
_LARGEST = 128 * 1024
_ANNOTATIONS = 256 * 1024 - 4096
"""What Kubernetes takes of all of an object's together, less what others may want."""
_TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "Pod": (),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    **dict.fromkeys(
        ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job"), ("spec", "template")
    ),
}


class Told(Value):
    """What is said of one object; ``outcome`` is injected, skipped, refused or removed."""

    name: str
    outcome: str
    why: str = ""
    notes: tuple[str, ...] = ()


Say = Callable[[Told], None]


def injected(text: str, name: str, settings: Settings, namespace: str, say: Say) -> str:
    """A text of manifests with sidecars. Raises ``UserError``."""
    services = [one for one in _objects_in(text, name) if one.get("kind") == "Service"]

    def change(document: Document, before: str) -> bool:
        changed = False
        for thing, pod in _pods(document.content):
            changed |= _inject(thing, pod, settings, namespace, services, say)
        if changed:
            _remember(document, before)
        return changed

    return _each(_each_removed(text, name), name, change)


def removed(text: str, name: str, say: Say) -> str:
    """A text of manifests without sidecars. Raises ``UserError``."""

    def tell(document: Document) -> None:
        for thing, pod in _pods(document.content):
            if _has(pod):
                say(Told(name=_name(thing), outcome="removed"))

    return _each_removed(text, name, tell)


def _each_removed(text: str, name: str, tell: Callable[[Document], None] = lambda _: None) -> str:
    pieces = []
    for marker, part in documents_of(text):
        document = _read(part, name)
        if document is None or not any(_has(pod) for _, pod in _pods(document.content)):
            pieces.append(marker + part)
            continue
        tell(document)
        pieces.append(_original(document, marker))
    return "".join(pieces)


def _original(document: Document, marker: str) -> str:
    """The marker and the text as it was if nobody changed it since, else what is left without the sidecar."""
    holder = _holder(document.content)
    said = (holder.get("annotations") or {}).pop(ORIGINAL, None) if holder is not None else None
    record = json.loads(said) if said else {}
    unchanged = record.get("sha256") == _digest(document.content)
    if holder is not None and record.get("made") and not holder.get("annotations"):
        holder.pop("annotations", None)
    for _, pod in _pods(document.content):
        take_out(pod)
    if unchanged:
        return marker + zlib.decompress(base64.b64decode(record["text"])).decode()
    return _joined(marker, document.written)


def _remember(document: Document, before: str) -> None:
    """Keep the text, if it is not too long for an annotation."""
    holder = _holder(document.content)
    text = base64.b64encode(zlib.compress(before.encode(), 9)).decode()
    if holder is None or len(text) > _room(document.content):
        return
    if made := not holder.get("annotations"):
        holder["annotations"] = {}
    digest = _digest(document.content)
    holder["annotations"][ORIGINAL] = json.dumps(
        {"made": made, "sha256": digest, "text": text}, separators=(",", ":"), sort_keys=True
    )


def _room(content: Any) -> int:
    """How long the text may be: ``kubectl apply`` puts the whole object into one more annotation, the text within it.

    An object too long for that anyway is applied by the server.
    """
    first = next((thing for thing, _ in _pods(content)), {})
    written = json.dumps(first, default=str)
    applied = len(written) + 5 * sum(written.count(letter) for letter in "<>&")
    left = (_ANNOTATIONS - applied) // 2
    return min(left, _LARGEST) if left > 0 else _LARGEST


def _holder(content: Any) -> MutableMapping[str, Any] | None:
    """The metadata that the text is kept in: a List has no annotations, so its first object with pods."""
    first = next((thing for thing, _ in _pods(content)), None)
    if first is None:
        return None
    if first.get("metadata") is None:
        first["metadata"] = {}
    holder: MutableMapping[str, Any] = first["metadata"]
    return holder


def _inject(
    thing: Mapping[str, Any],
    pod: Pod,
    settings: Settings,
    namespace: str,
    services: list[Mapping[str, Any]],
    say: Say,
) -> bool:
    name = _name(thing)
    reason = refusal(pod)
    if isinstance(reason, Refused):
        say(Told(name=name, outcome="skipped" if reason.wished else "refused", why=reason.why))
        return False
    metadata = thing.get("metadata") or {}
    place = str(metadata.get("namespace") or namespace)
    owner = str(metadata.get("name") or metadata.get("generateName") or "app").rstrip("-")
    try:
        served = served_by(pod, owner, place, services)
    except (AttributeError, KeyError, TypeError, ValueError):
        say(Told(name=name, outcome="refused", why="its ports or labels are not as Kubernetes has them"))
        return False
    done = put_in(pod, served, settings)
    say(Told(name=name, outcome="injected", notes=done.notes))
    return True


def _each(text: str, name: str, change: Callable[[Document, str], bool]) -> str:
    """The text with the documents changed that ``change`` changes; all others as they are, letter by letter."""
    pieces = []
    for marker, part in documents_of(text):
        document = _read(part, name)
        if document is None or not change(document, part):
            pieces.append(marker + part)
        else:
            pieces.append(_joined(marker, document.written))
    return "".join(pieces)


def _joined(marker: str, written: str) -> str:
    return f"{marker}\n{written}" if marker and not written.startswith("\n") else marker + written


def _read(part: str, name: str) -> Document | None:
    """A document with pods in it; ``None`` for all that is none of our business."""
    if not any(kind in part for kind in (*_TEMPLATES, "List")):
        return None
    document = Document(part, name)
    return document if isinstance(document.content, dict) else None


def _objects_in(text: str, name: str) -> Iterator[Mapping[str, Any]]:
    for _, part in documents_of(text):
        if "Service" in part:
            document = Document(part, name)
            yield from _objects(document.content)


def _objects(content: Any) -> Iterator[MutableMapping[str, Any]]:
    if not isinstance(content, dict):
        return
    if str(content.get("kind", "")).endswith("List") and isinstance(content.get("items"), list):
        for item in content["items"]:
            yield from _objects(item)
    else:
        yield content


def _pods(content: Any) -> Iterator[tuple[MutableMapping[str, Any], Pod]]:
    """Every object that has pods, with its pod or template."""
    for thing in _objects(content):
        path = _TEMPLATES.get(str(thing.get("kind", "")))
        if path is None:
            continue
        found: Any = thing
        for step in path:
            found = found.get(step) if isinstance(found, dict) else None
        if isinstance(found, dict) and isinstance(found.get("spec"), dict):
            yield thing, found


def _has(pod: Pod) -> bool:
    from weft.cli.pods import ANNOTATION

    return ANNOTATION in ((pod.get("metadata") or {}).get("annotations") or {})


def _name(thing: Mapping[str, Any]) -> str:
    metadata = thing.get("metadata") or {}
    return f"{str(thing.get('kind', '')).lower()}/{metadata.get('name') or metadata.get('generateName') or '?'}"


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
