"""What a dialect hands in for each kind: its shape, its checks and its translation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from weft.dialects.findings import Findings
from weft.dialects.fragment import Fragment
from weft.dialects.kinds import Kind
from weft.dialects.metadata import ObjectMeta
from weft.dialects.wire import Wire
from weft.model.document import Key, Origin
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


@dataclass(frozen=True, kw_only=True)
class Served:
    """A kind. ``check`` and ``translate`` get an instance of ``spec``; ``translate`` only one that was not refused."""

    kind: Kind
    spec: type[Wire]
    check: Callable[[Any, ObjectMeta], Findings]
    translate: Callable[[Any, Subject], Fragment]
