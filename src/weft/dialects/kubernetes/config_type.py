"""Kubernetes' v1 ConfigMap and Secret: texts and bytes that are kept for people and tools such as Helm."""

from weft.dialects.wire import Base64, Strings, Wire, mapping, unset


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
