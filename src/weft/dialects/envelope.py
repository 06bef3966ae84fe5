"""The envelope of every document: version, kind, metadata, and the kind's own fields under ``spec`` or beside them."""

from functools import cache
from typing import Any, cast

from pydantic import Field, create_model

from weft.dialects.kinds import Kind
from weft.dialects.metadata import ObjectMeta
from weft.dialects.wire import Wire, mapping, needed


class Envelope(Wire):
    """What every document has; its kind's own fields are added by ``envelope_of``."""

    api_version: str = needed("Group and version of the kind.")
    kind: str = needed("Name of the kind.")
    metadata: ObjectMeta = needed("Name, namespace, labels and what the server keeps.")


class Reported(Envelope):
    """A document that the mesh has a word about."""

    status: dict[str, Any] = mapping("What the mesh found; written by the server.")


@cache
def envelope_of(kind: Kind, spec: type[Wire]) -> type[Envelope]:
    """The model of a kind's whole document. A document without ``spec`` has an empty one; a flat kind's is its own."""
    if kind.flat:
        bases: Any = (spec, Envelope)
        flat: Any = create_model(kind.kind, __base__=bases, __doc__=spec.__doc__)
        return cast(type[Envelope], flat)
    content = (spec, Field(default_factory=spec, description=spec.__doc__))
    return create_model(kind.kind, __base__=Reported, __doc__=spec.__doc__, spec=content)


def spec_of(envelope: Envelope) -> Wire:
    """The kind's own fields."""
    spec: Wire = getattr(envelope, "spec", envelope)
    return spec


def status_of(envelope: Envelope) -> dict[str, Any]:
    """What was found, empty for a kind that is told nothing."""
    return envelope.status if isinstance(envelope, Reported) else {}
