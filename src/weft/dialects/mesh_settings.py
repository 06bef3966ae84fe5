"""The mesh-wide settings that a document makes: Istio's MeshConfig in the ConfigMap ``istio`` of the root namespace.

It says more than the settings that weft was started with, but not who the mesh is: the trust domain is in every
certificate and the root namespace says which ConfigMap this is, so both are what they were at the start. One that is
wrong changes nothing: the last good one holds.
"""

from collections.abc import Iterator, Mapping

import msgspec
from msgspec.structs import replace

from weft.dialects.findings import Here, about
from weft.dialects.istio.mesh_config import read_mesh_config
from weft.kit.memo import memo
from weft.kit.value import Value
from weft.model.document import Document, Key
from weft.model.finding import Finding
from weft.model.settings import Settings

_NAME, _FIELD = "istio", "mesh"
_IN_TEXT = ("data", _FIELD)


class Configured(Value):
    """The settings that hold, and what is said of the document that makes them; ``good``: it was not refused."""

    settings: Settings
    findings: tuple[Finding, ...] = ()
    good: bool = True


def mesh_config_key(settings: Settings) -> Key:
    """The document that has the mesh's configuration."""
    return Key(group="", kind="ConfigMap", namespace=settings.root_namespace, name=_NAME)


def settings_of(document: Document | None, base: Settings, last_good: Settings) -> Configured:
    """What a mesh configuration makes of the settings that weft was started with."""
    text = None if document is None else _text(document.content)
    if document is None or text is None:
        return Configured(settings=base)
    read = read_mesh_config(text, base)
    placed = [replace(one, path=(*_IN_TEXT, *one.path)) for one in read.findings]
    if read.settings is None:
        return Configured(settings=last_good, findings=about(document.key, (*placed, _kept())), good=False)
    kept = replace(read.settings, trust_domain=base.trust_domain, root_namespace=base.root_namespace)
    return Configured(settings=kept, findings=about(document.key, (*placed, *_fixed(read.settings, base))))


@memo(16)
def _text(content: bytes) -> str | None:
    """The configuration in a ConfigMap; ``None`` where it has none, or is not one (its own check says so)."""
    try:
        text = msgspec.json.decode(content, type=_ConfigMap).data.get(_FIELD)
    except (msgspec.DecodeError, RecursionError):
        return None
    return text


class _ConfigMap(Value):
    data: Mapping[str, str] = {}


def _kept() -> Finding:
    place = Here(path=_IN_TEXT)
    return place.warning("W0291", "the configuration is not valid, so the last good one holds", at_key=True)


def _fixed(said: Settings, base: Settings) -> Iterator[Finding]:
    fixed = {
        "trustDomain": (said.trust_domain, base.trust_domain, "start weft with --trust-domain"),
        "rootNamespace": (said.root_namespace, base.root_namespace, "start weft with --mesh-config"),
    }
    for field, (wanted, running, advice) in fixed.items():
        if wanted != running:
            message = f"{field} cannot change while weft runs, so it stays {running}"
            yield Here(path=(*_IN_TEXT, field)).warning("W0290", message, advice)
