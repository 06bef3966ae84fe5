"""Objects and the rules of their metadata, without I/O: birth, change, and the way into and out of a document."""

from typing import Any

import msgspec

from weft.api.errors import Json, bad_request, conflict
from weft.api.paths import Target
from weft.kit.value import labels_of
from weft.model.document import Document

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder(order="sorted").encode

_IMMUTABLE = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generateName")
_EMPTY: tuple[object, ...] = (None, "", {}, [])
"""Values of metadata that say nothing; Kubernetes does not store them either."""
_NOT_STORED = ("resourceVersion", "selfLink")


def object_of(document: Document) -> Json:
    """The stored object, as it is stored."""
    content: Json = _decode(document.content)
    return content


def served(document: Document, api_version: str) -> Json:
    """The object as a client of ``api_version`` reads it."""
    content = object_of(document)
    content["apiVersion"] = api_version
    if document.revision:
        content["metadata"]["resourceVersion"] = str(document.revision)
    return content


def document_of(content: Json, target: Target, revision: int = 0) -> Document:
    """The document of a complete object in its storage version."""
    metadata = {key: value for key, value in content["metadata"].items() if key not in _NOT_STORED}
    return Document(
        key=target.resource.key(metadata.get("namespace", ""), metadata["name"]),
        content=_encode(content | {"metadata": metadata}),
        revision=revision,
        created=metadata.get("creationTimestamp", ""),
        uid=metadata.get("uid", ""),
        labels=labels_of(metadata.get("labels")),
    )


def at_home(content: Any, target: Target) -> Json:
    """A client's object, with the namespace of its path. Raises ``ApiError`` 400 when it belongs elsewhere."""
    if not isinstance(content, dict):
        raise bad_request("the body must be an object")
    _expect("API version", content.get("apiVersion"), target.api_version)
    _expect("kind", content.get("kind"), target.resource.kind.kind)
    metadata = content.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise bad_request("metadata must be an object")
    metadata = {key: value for key, value in (metadata or {}).items() if value not in _EMPTY}
    if target.name and metadata.setdefault("name", target.name) != target.name:
        said = str(metadata["name"])[:253]
        raise bad_request(f"the name of the object ({said}) does not match the name on the URL ({target.name})")
    if metadata.get("namespace", target.namespace) != target.namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    metadata.pop("namespace", None)
    if target.namespace:
        metadata["namespace"] = target.namespace
    return content | {"metadata": metadata}


def _expect(what: str, said: object, expected: str) -> None:
    if said != expected:
        shown = str(said)[:253] if said else "nothing"
        raise bad_request(f"the {what} in the data ({shown}) does not match the expected {what} ({expected})")


def born(content: Json, now: str, uid: str) -> Json:
    """A new object: what the server alone decides is set, what a client cannot set is dropped."""
    metadata = {key: value for key, value in content["metadata"].items() if key not in (*_NOT_STORED, *_IMMUTABLE[2:4])}
    metadata |= {"uid": uid, "creationTimestamp": now, "generation": 1}
    return {key: value for key, value in content.items() if key != "status"} | {"metadata": metadata}


def changed(old: Json, new: Json, target: Target) -> Json:
    """The object after an update: immutable fields stay, ``status`` and the rest change through their own paths only,
    and ``metadata.generation`` counts the changes of the rest. Raises ``ApiError`` 409 for another object's ``uid``."""
    _refuse_other_uid(old, new, target)
    if target.subresource == "status":
        new = {key: value for key, value in old.items() if key != "status"} | _only(new, "status")
    else:
        new = {key: value for key, value in new.items() if key != "status"} | _only(old, "status")
    metadata = {key: value for key, value in new["metadata"].items() if key not in (*_NOT_STORED, *_IMMUTABLE)}
    metadata |= {key: old["metadata"][key] for key in _IMMUTABLE if key in old["metadata"]}
    metadata["generation"] = old["metadata"].get("generation", 1) + (_desired(old) != _desired(new))
    return new | {"metadata": metadata}


def _only(content: Json, key: str) -> Json:
    return {key: content[key]} if key in content else {}


def _desired(content: Json) -> Json:
    return {key: value for key, value in content.items() if key not in ("apiVersion", "metadata", "status")}


def _refuse_other_uid(old: Json, new: Json, target: Target) -> None:
    stored, said = old["metadata"].get("uid"), new["metadata"].get("uid")
    if said and stored != said:
        kind = target.resource.kind
        why = f"Precondition failed: UID in precondition: {str(said)[:64]}, UID in object meta: {stored}"
        raise conflict(kind.plural, kind.group, target.name, why)


def claimed_revision(content: Json) -> int | None:
    """The revision that the client says it saw; ``None`` when it says nothing. Raises ``ApiError`` 400."""
    said = content["metadata"].get("resourceVersion")
    return None if said in (None, "", "0") else parse_revision(said)


def parse_revision(text: object) -> int:
    """A ``resourceVersion`` as a number. Raises ``ApiError`` 400."""
    if not isinstance(text, str) or not text.isascii() or not text.isdigit() or len(text) > 18:
        raise bad_request(f'invalid resource version: "{str(text)[:64]}"')
    return int(text)
