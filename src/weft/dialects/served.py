"""What a dialect hands in for each kind: its shape, its checks and its translation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from weft.dialects.findings import Findings
from weft.dialects.fragment import Fragment
from weft.dialects.kinds import Kind
from weft.dialects.metadata import ObjectMeta
from weft.dialects.wire import Wire
from weft.model.credential import StoredCredential
from weft.model.document import Document, Key, Origin
from weft.model.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A document that is being translated, besides its specification. ``status`` is free-form."""

    key: Key
    origin: Origin
    metadata: ObjectMeta
    status: dict[str, Any]
    settings: Settings

    @property
    def namespace(self) -> str:
        """The namespace that short names are resolved in."""
        return self.key.namespace


def _as_it_is(content: dict[str, Any]) -> dict[str, Any]:
    return content


def _the_new(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    del old
    return new


def _anything(old: Any, new: Any) -> Findings:
    del old, new
    return iter(())


@dataclass(frozen=True, kw_only=True)
class Served:
    """A kind. ``check`` and ``translate`` get an instance of ``spec``; ``translate`` only one that was not refused.

    A kind without ``translate`` does not enter the mesh; one with ``facts`` enters as those alone, because the rest is
    secret or large. ``received`` turns fields that are only written into those
    that they stand for, ``completed`` fills in the defaults that an API server stores; both get whole documents and
    leave alone what has not the shape. ``kept`` gives a document what its writer may leave out, for the server chose
    it. ``check_change`` tells what may not become of a stored ``spec``. ``instead`` is what holds for a document that
    cannot be read, where leaving it out would open what it closes.
    """

    kind: Kind
    spec: type[Wire]
    check: Callable[[Any, ObjectMeta], Findings]
    translate: Callable[[Any, Subject], Fragment] | None
    facts: Callable[[Document], StoredCredential] | None = None
    received: Callable[[dict[str, Any]], dict[str, Any]] = _as_it_is
    completed: Callable[[dict[str, Any]], dict[str, Any]] = _as_it_is
    check_change: Callable[[Any, Any], Findings] = _anything
    kept: Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]] = _the_new
    instead: Callable[[Mapping[str, Any], Key, Origin], Fragment] | None = None
