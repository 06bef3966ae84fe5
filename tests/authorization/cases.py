"""The cases that lie beside the checkout: documents, and requests with the verdict that Istio documents."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.authorization.tokens import key_set, token
from weft.dialects.link import link
from weft.dialects.translate import KINDS, check, fragment_of
from weft.model.document import Document, Key
from weft.model.finding import Severity
from weft.model.mesh import Mesh
from weft.model.settings import PathNormalization, Settings

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "authz-cases.yaml"
needs_data = pytest.mark.skipif(not DATA.is_file(), reason="there is no ../shared/data beside the checkout")
CASES: dict[str, Any] = yaml.safe_load(DATA.read_text()) if DATA.is_file() else {"cases": [], "defaults": {"mesh": {}}}
_NAMED = {(kind.group, kind.kind): kind for kind in KINDS}
_FILLED = re.compile(r"\{\{(JWKS|TOKEN)(?::([^}]*))?\}\}")


def filled(text: str) -> str:
    """A text with key sets and tokens in place of their names."""

    def put(found: re.Match[str]) -> str:
        if found[1] == "JWKS":
            return key_set(found[2] or "k1,k2")
        return token(CASES["tokens"][found[2]])

    return _FILLED.sub(put, text)


def settings_of(case: dict[str, Any], *, hardened: bool) -> Settings:
    """The mesh's settings: Istio's path normalization is said explicitly, where weft's own is stricter."""
    said = CASES["defaults"]["mesh"] | case.get("mesh", {})
    paths = case.get("mesh", {}).get("pathNormalization") or (None if hardened else said["pathNormalization"])
    return Settings(
        trust_domain=said["trustDomain"],
        trust_domain_aliases=tuple(said.get("trustDomainAliases", ())),
        root_namespace=said["rootNamespace"],
        paths=PathNormalization(paths) if paths else None,
        hardened=hardened,
    )


def mesh_of(resources: list[dict[str, Any]], settings: Settings, *, mtls: str = "STRICT") -> Mesh:
    """The mesh of a case's documents, in which plaintext is refused unless they say otherwise."""
    strict = {"kind": "PeerAuthentication", "metadata": {"name": "default", "namespace": settings.root_namespace}}
    strict |= {"apiVersion": "security.istio.io/v1", "spec": {"mtls": {"mode": mtls}}}
    documents = [document(one) for one in [strict, *resources]]
    return link(tuple(fragment_of(one, settings) for one in documents), settings, 1)


def document(content: dict[str, Any]) -> Document:
    """A document as a store keeps it. Numbers that YAML makes of keys are texts again."""
    written = json.loads(json.dumps(content), object_hook=lambda one: {k: _put(v) for k, v in one.items()})
    metadata = {"namespace": "foo", **written["metadata"]}
    kind = _NAMED[written["apiVersion"].rpartition("/")[0], written["kind"]]
    written = written | {"metadata": metadata}
    refused = [one for one in check(kind, written) if one.severity is Severity.ERROR]
    assert not refused, refused
    key = Key(group=kind.group, kind=kind.kind, namespace=metadata["namespace"], name=metadata["name"])
    return Document(key=key, content=json.dumps(written).encode(), created="2026-01-01T00:00:00Z")


def _put(value: Any) -> Any:
    return filled(value) if isinstance(value, str) else value
