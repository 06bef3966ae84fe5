"""Protobuf messages of other people's protocols, declared as tables: a few fields need no generated code.

Each family of messages is in a descriptor pool of its own, so that it meets no other declaration of the same names.
"""

from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, struct_pb2

_F = descriptor_pb2.FieldDescriptorProto
_SCALARS = {"string": _F.TYPE_STRING, "bytes": _F.TYPE_BYTES, "int64": _F.TYPE_INT64}
_STRUCT = "google.protobuf.Struct"

Fields = Mapping[str, tuple[int, str]]
"""A field's number and type by its name: ``string``, ``bytes``, ``int64``, another message's name, ``map bytes`` (from
strings); with ``repeated`` before it, many of them."""


def messages(package: str, tables: Mapping[str, Fields]) -> dict[str, Any]:
    """The classes of the messages, by their names."""
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(struct_pb2.DESCRIPTOR.serialized_pb)
    file = descriptor_pb2.FileDescriptorProto(name=f"{package or 'root'}.proto", package=package, syntax="proto3")
    file.dependency.append(struct_pb2.DESCRIPTOR.name)
    for name, fields in tables.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            _declare(message, package, field, number, kind)
    pool.Add(file)
    prefix = f"{package}." if package else ""
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(prefix + name)) for name in tables}


def _declare(message: descriptor_pb2.DescriptorProto, package: str, name: str, number: int, kind: str) -> None:
    kind, repeated = kind.removeprefix("repeated "), kind.startswith(("repeated ", "map "))
    label = _F.LABEL_REPEATED if repeated else _F.LABEL_OPTIONAL
    field = message.field.add(name=name, number=number, label=label)
    prefix = f".{package}." if package else "."
    if kind.startswith("map "):
        entry = message.nested_type.add(name="".join(part.capitalize() for part in name.split("_")) + "Entry")
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, type=_F.TYPE_STRING, label=_F.LABEL_OPTIONAL)
        entry.field.add(name="value", number=2, type=_SCALARS[kind.removeprefix("map ")], label=_F.LABEL_OPTIONAL)
        field.type, field.type_name = _F.TYPE_MESSAGE, f"{prefix}{message.name}.{entry.name}"
    elif kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type, field.type_name = _F.TYPE_MESSAGE, f".{_STRUCT}" if kind == _STRUCT else prefix + kind
