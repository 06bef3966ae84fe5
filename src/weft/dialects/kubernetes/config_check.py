"""What must hold of a ConfigMap or a Secret, and what can no longer be changed (Kubernetes' own validation)."""

import re
from collections.abc import Callable, Iterable

import msgspec

from weft.dialects.findings import Findings, Here
from weft.dialects.kubernetes.config_type import ConfigMapData, SecretData
from weft.dialects.kubernetes.credentials import pair_fault
from weft.dialects.metadata import ObjectMeta, check_metadata
from weft.dialects.wire import bytes_of

_MAX_SIZE = 1024 * 1024
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_KEY_ADVICE = "use letters, digits, -, _ and ., at most 253, and do not begin with two dots"
_ACCOUNT = "kubernetes.io/service-account.name"


def check_config_map(spec: ConfigMapData, metadata: ObjectMeta) -> Findings:
    """Keys, their number once, and the size."""
    yield from check_metadata(metadata)
    yield from _check_keys(Here(path=("data",)), spec.data)
    yield from _check_keys(Here(path=("binaryData",)), spec.binary_data)
    for key in spec.data.keys() & spec.binary_data.keys():
        here = Here(path=("binaryData", key))
        yield here.error("W0117", f'the key "{key[:80]}" is in data and in binaryData', at_key=True)
    texts = sum(len(text.encode(errors="surrogatepass")) for text in spec.data.values())
    yield from _check_size(texts + sum(len(bytes_of(text)) for text in spec.binary_data.values()))


def check_secret(spec: SecretData, metadata: ObjectMeta) -> Findings:
    """Keys, the size, and what the type expects."""
    yield from check_metadata(metadata)
    yield from _check_keys(Here(path=("data",)), spec.data)
    yield from _check_keys(Here(path=("stringData",)), spec.string_data)
    found = {key: bytes_of(text) for key, text in spec.data.items()}
    found |= {key: text.encode(errors="surrogatepass") for key, text in spec.string_data.items()}
    yield from _check_size(sum(len(content) for content in found.values()))
    check = _BY_TYPE.get(spec.type or "")
    if check is not None:
        yield from check(found, metadata)


def check_change_of_config_map(old: ConfigMapData, new: ConfigMapData) -> Findings:
    """An immutable one stays as it is."""
    if old.immutable:
        yield from _check_immutable(new.immutable)
        yield from _check_kept("data", old.data == new.data)
        yield from _check_kept("binaryData", old.binary_data == new.binary_data)


def check_change_of_secret(old: SecretData, new: SecretData) -> Findings:
    """The type stays, and so does an immutable one as a whole."""
    if (old.type or OPAQUE) != (new.type or OPAQUE):
        here = Here(path=("type",))
        yield here.error("W0131", "the type of a secret cannot be changed", "delete the secret and create it anew")
    if old.immutable:
        yield from _check_immutable(new.immutable)
        yield from _check_kept("data", old.data == new.data)


OPAQUE = "Opaque"

_Contents = dict[str, bytes]


def _check_keys(here: Here, keys: Iterable[str]) -> Findings:
    for key in keys:
        if not _KEY.fullmatch(key) or key == "." or key.startswith(".."):
            yield here.at(key).error("W0129", f'"{key[:80]}" is not a valid key', _KEY_ADVICE, at_key=True)


def _check_size(size: int) -> Findings:
    if size > _MAX_SIZE:
        message = f"the data have {size} bytes together, {_MAX_SIZE} are allowed"
        yield Here(path=("data",)).error("W0130", message, "keep less in one object", at_key=True)


def _check_immutable(now: bool | None) -> Findings:
    if not now:
        yield Here(path=("immutable",)).error("W0131", "immutable cannot be taken back", _ANEW, at_key=True)


def _check_kept(name: str, kept: bool) -> Findings:
    if not kept:
        message = f"{name} cannot be changed: the object is immutable"
        yield Here(path=(name,)).error("W0131", message, _ANEW, at_key=True)


_ANEW = "delete the object and create it anew"


def _needs(*keys: str) -> Callable[[_Contents, ObjectMeta], Findings]:
    def check(found: _Contents, _: ObjectMeta) -> Findings:
        for key in keys:
            if key not in found:
                yield Here(path=("data",)).error("W0105", f'a secret of this type needs the key "{key}"', at_key=True)

    return check


def _needs_login(found: _Contents, _: ObjectMeta) -> Findings:
    if not found.keys() & {"username", "password"}:
        yield Here(path=("data",)).error("W0105", "a secret of this type needs a username or a password", at_key=True)


def _needs_pair(found: _Contents, metadata: ObjectMeta) -> Findings:
    """Kubernetes asks for the keys alone; what proxies could not use is told."""
    yield from _needs("tls.crt", "tls.key")(found, metadata)
    if found.get("tls.crt") and found.get("tls.key"):
        name, fault = pair_fault(found)
        if fault:
            advice = "until it is mended, no gateway can use the secret"
            yield Here(path=("data", name)).warning("W0132", fault, advice, at_key=True)


def _needs_account(_: _Contents, metadata: ObjectMeta) -> Findings:
    if not metadata.annotations.get(_ACCOUNT):
        message = f"a secret of this type needs the annotation {_ACCOUNT}"
        yield Here(path=("metadata", "annotations")).error("W0105", message, at_key=True)


def _needs_json(key: str) -> Callable[[_Contents, ObjectMeta], Findings]:
    def check(found: _Contents, metadata: ObjectMeta) -> Findings:
        yield from _needs(key)(found, metadata)
        try:
            msgspec.json.decode(found.get(key, b"{}"))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            yield Here(path=("data", key)).error("W0102", f'"{key}" must be JSON')

    return check


_BY_TYPE: dict[str, Callable[[_Contents, ObjectMeta], Findings]] = {
    "kubernetes.io/service-account-token": _needs_account,
    "kubernetes.io/dockercfg": _needs_json(".dockercfg"),
    "kubernetes.io/dockerconfigjson": _needs_json(".dockerconfigjson"),
    "kubernetes.io/basic-auth": _needs_login,
    "kubernetes.io/ssh-auth": _needs("ssh-privatekey"),
    "kubernetes.io/tls": _needs_pair,
}
"""What Kubernetes asks of its own types; others mean what their users want."""
