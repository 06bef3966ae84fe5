"""Kubernetes' object metadata, the same for every kind, and what must hold of it."""

from typing import Any

from weft.dialects.findings import Findings, Here
from weft.dialects.syntax import is_dns_label, is_dns_subdomain, is_label_key, is_label_value
from weft.dialects.wire import Many, Strings, Wire, items, mapping, needed, unset

_MAX_ANNOTATIONS = 256 * 1024
_MAX_PATH_NAME = 253


class OwnerReference(Wire):
    """An object that this one belongs to."""

    api_version: str = needed("API version of the owner.")
    kind: str = needed("Kind of the owner.")
    name: str = needed("Name of the owner.")
    uid: str = needed("UID of the owner.")
    controller: bool | None = unset("Whether the owner manages this object.")
    block_owner_deletion: bool | None = unset("Whether the owner waits for this object when it is deleted.")


class ObjectMeta(Wire):
    """What every stored object carries."""

    name: str | None = unset("Name, unique in the namespace for a kind.")
    generate_name: str | None = unset("Prefix from which the server makes a unique name when there is none.")
    namespace: str | None = unset("Namespace that the object lives in.")
    labels: Strings = mapping("Keys and values that selectors choose objects by.")
    annotations: Strings = mapping("Keys and values for people and tools; weft does not select by them.")
    uid: str | None = unset("Set by the server: unique over time.")
    resource_version: str | None = unset("Set by the server: the revision of the last write.")
    generation: int | None = unset("Set by the server: grows with every change of the specification.")
    creation_timestamp: str | None = unset("Set by the server: when the object was created (RFC 3339).")
    deletion_timestamp: str | None = unset("Set by the server: when the object is to be gone (RFC 3339).")
    deletion_grace_period_seconds: int | None = unset("Set by the server: seconds that are left for a clean end.")
    finalizers: Many[str] = items("What must be done before the object is removed.")
    owner_references: Many[OwnerReference] = items("The objects that this one belongs to.")
    managed_fields: Many[dict[str, Any]] = items("Set by the server: who set which field.")
    self_link: str | None = unset("No longer used.")


def check_metadata(metadata: ObjectMeta, *, label_name: bool = False, path_name: bool = False) -> Findings:
    """``label_name``: the name becomes a part of host names, so it must be one DNS label that starts with a letter.

    ``path_name``: any name that fits into a path, as Kubernetes allows for roles (``system:reader``).
    """
    here = Here(path=("metadata",))
    yield from _check_path_name(here, metadata) if path_name else _check_name(here, metadata, label_name)
    if metadata.namespace and not is_dns_label(metadata.namespace):
        yield here.at("namespace").error("W0125", f'"{metadata.namespace}" is not a valid name of a namespace', _LABEL)
    for key, value in metadata.labels.items():
        if not is_label_key(key):
            yield here.at("labels", key).error("W0125", f'"{key}" is not a valid key of a label', at_key=True)
        if not is_label_value(value):
            yield here.at("labels", key).error("W0125", f'"{value}" is not a valid value of a label', _LABEL_VALUE)
    if sum(len(key) + len(value) for key, value in metadata.annotations.items()) > _MAX_ANNOTATIONS:
        yield here.at("annotations").error("W0125", "the annotations are larger than 256 KiB together", at_key=True)


_LABEL = "use lower-case letters, digits and -, at most 63"
_LABEL_VALUE = "use at most 63 letters, digits, -, _ and ., with a letter or digit at both ends"


def _check_name(here: Here, metadata: ObjectMeta, label_name: bool) -> Findings:
    name = metadata.name
    if not name:
        if not metadata.generate_name:
            yield here.error("W0105", "a name is required", "set metadata.name", at_key=True)
    elif label_name and not (is_dns_label(name) and name[0].isalpha()):
        yield here.at("name").error("W0125", f'"{name}" is not a valid name', f"{_LABEL}, beginning with a letter")
    elif not is_dns_subdomain(name):
        yield here.at("name").error("W0125", f'"{name}" is not a valid name', "use lower-case letters, digits, - and .")


def _check_path_name(here: Here, metadata: ObjectMeta) -> Findings:
    name = metadata.name
    if not name:
        yield from _check_name(here, metadata, False)
    elif name in (".", "..") or "/" in name or "%" in name or not name.isprintable() or len(name) > _MAX_PATH_NAME:
        yield here.at("name").error("W0125", f'"{name[:80]}" is not a valid name', "use no / and no %, at most 253")
