"""The envelope of every document: version, kind, metadata, specification, status."""

from functools import cache
from typing import Any

from pydantic import Field, create_model

from weft.dialects.kinds import Kind
from weft.dialects.metadata import ObjectMeta
from weft.dialects.wire import Wire, mapping, needed


class Envelope(Wire):
    """A whole document; ``spec`` is added per kind by ``envelope_of``."""

    api_version: str = needed("Group and version of the kind.")
    kind: str = needed("Name of the kind.")
    metadata: ObjectMeta = needed("Name, namespace, labels and what the server keeps.")
    status: dict[str, Any] = mapping("What the mesh found; written by the server.")


@cache
def envelope_of(kind: Kind, spec: type[Wire]) -> type[Envelope]:
    """The model of a kind's whole document. A document without ``spec`` has an empty one."""
    content = (spec, Field(default_factory=spec, description=spec.__doc__))
    return create_model(kind.kind, __base__=Envelope, __doc__=spec.__doc__, spec=content)
