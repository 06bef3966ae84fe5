"""Kubernetes' v1 ConfigMap and Secret: texts and bytes that are kept for people and tools such as Helm."""

import base64
import binascii
from typing import Annotated

from pydantic import AfterValidator, Field

from weft.dialects.wire import Strings, Wire, mapping, unset


def bytes_of(text: str) -> bytes:
    """What base64 stands for; lines may be broken, as Go allows. Raises ``ValueError``."""
    try:
        return base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except binascii.Error:
        raise ValueError("is not base64 (standard alphabet, padded)") from None


def _base64(text: str) -> str:
    bytes_of(text)
    return text


Base64 = Annotated[str, AfterValidator(_base64), Field(json_schema_extra={"format": "byte"})]


class ConfigMapData(Wire):
    """Configuration for people and tools; it says nothing of the mesh."""

    data: Strings = mapping("Texts by key.")
    binary_data: dict[str, Base64] = mapping("Bytes by key, as base64.")
    immutable: bool | None = unset("Whether the data can never be changed again.")


class SecretData(Wire):
    """Something secret, for people and tools; it says nothing of the mesh."""

    data: dict[str, Base64] = mapping("Bytes by key, as base64.")
    string_data: Strings = mapping("Texts by key that are written into the data; never read back.")
    type: str | None = unset("What is expected of the data, Opaque if unset; can never be changed.")
    immutable: bool | None = unset("Whether the data can never be changed again.")
