"""Merging one message into another as Istio does: lists grow, messages merge, what stands for a value replaces it.

Where Istio's own merge cannot set a wrapped number or switch to 0 or false, a value that was written counts here.
"""

from google.protobuf.any_pb2 import Any
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from weft._pb.envoy.config.cluster.v3.cluster_pb2 import Cluster
from weft._pb.envoy.config.core.v3.base_pb2 import TransportSocket
from weft._pb.envoy.config.listener.v3.listener_components_pb2 import FilterChain
from weft.compiler.patches.messages import unpacked

_VALUES = "google.protobuf."
_ANY = "google.protobuf.Any"
_STRUCTURES = ("google.protobuf.Struct", "google.protobuf.ListValue", "google.protobuf.Value")


class TypesDiffer(Exception):
    """What is there is of another type than what should be merged into it."""


def merge(into: Message, value: Message, *, replace_lists: bool = False) -> None:
    """Merge ``value`` into ``into``, which changes."""
    for field, content in value.ListFields():
        _merge_field(into, field, content, replace_lists)


def merge_any(into: Any, value: Any, *, replace_lists: bool = False) -> None:
    """Merge what two messages hold; raises ``TypesDiffer``."""
    if into.type_url != value.type_url:
        raise TypesDiffer(f"there is a {_name(into)}, not a {_name(value)}")
    ours, theirs = unpacked(into.type_url), unpacked(value.type_url)
    if ours is None or theirs is None:
        raise TypesDiffer(f"weft knows no message {_name(into)}")
    into.Unpack(ours)
    value.Unpack(theirs)
    merge(ours, theirs, replace_lists=replace_lists)
    into.value = ours.SerializeToString(deterministic=True)


def merge_secured(into: Cluster | FilterChain, value: Cluster | FilterChain, *, replace_lists: bool = False) -> None:
    """Merge what has a transport socket: into the one of its name, or in the place of another."""
    if value.HasField("transport_socket"):
        target = _socket(into, value.transport_socket.name)
        if target is not None:
            merge_any(target.typed_config, value.transport_socket.typed_config, replace_lists=replace_lists)
        else:
            into.transport_socket.CopyFrom(value.transport_socket)
    for field, content in value.ListFields():
        if field.name != "transport_socket":
            _merge_field(into, field, content, replace_lists)


def _socket(holder: Cluster | FilterChain, name: str) -> TransportSocket | None:
    if isinstance(holder, Cluster):
        for match in holder.transport_socket_matches:
            if match.transport_socket.name == name:
                return match.transport_socket
    return holder.transport_socket if holder.transport_socket.name == name else None


def _merge_field(into: Message, field: FieldDescriptor, content: object, replace_lists: bool) -> None:
    name = field.name
    target = getattr(into, name)
    if field.is_repeated:
        if replace_lists and not _is_map(field):
            into.ClearField(name)
            target = getattr(into, name)
        target.MergeFrom(content)
    elif field.message_type is None:
        setattr(into, name, content)
    elif not into.HasField(name) or _is_value(field.message_type.full_name):
        target.CopyFrom(content)
    elif isinstance(content, Any):
        _merge_held(target, content, replace_lists)
    elif isinstance(content, Message):
        merge(target, content, replace_lists=replace_lists)


def _merge_held(target: Any, content: Any, replace_lists: bool) -> None:
    try:
        merge_any(target, content, replace_lists=replace_lists)
    except TypesDiffer:
        target.CopyFrom(content)


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _is_value(name: str) -> bool:
    """Durations and wrapped numbers are one value each."""
    return name.startswith(_VALUES) and name != _ANY and name not in _STRUCTURES


def _name(held: Any) -> str:
    return str(held.type_url).rpartition("/")[2] or "message without a type"
