"""Bytes of the discovery protocol.

A resource is tagged once, as the one-element list that a response may hold, and remembered; a response is its head and
such lists joined, because protobuf concatenates repeated fields. No message object outlives a call.
"""

from collections.abc import Iterable

from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError

from weft._pb.envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from weft._pb.envoy.service.discovery.v3.discovery_pb2 import (
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
    DiscoveryRequest,
    DiscoveryResponse,
)
from weft._pb.envoy.service.discovery.v3.discovery_pb2 import Resource as Wrapper
from weft.compiler.resource import ENDPOINTS, SECRET, Resource, resource
from weft.kit.memo import memo, memo_within
from weft.kit.value import Value
from weft.xds.errors import Malformed

_TAGGED = 4096
_KEPT = 16 * 1024 * 1024
"""Bytes of responses' parts that are remembered, of each of the two protocols."""


class Response(Value):
    """One message to the client. ``version`` is the type's as a whole.

    ``names`` are the keys that it delivers or removes, ``changed`` those of them that are news to the client.
    """

    type_url: str
    nonce: str
    version: str
    names: tuple[str, ...]
    changed: tuple[str, ...]
    body: bytes


class Removal(Value):
    """A name that is compared as ``key`` and that the client spells ``name``."""

    key: str
    name: str


def read_sotw(request: bytes) -> DiscoveryRequest:
    """A state-of-the-world request. Raises ``Malformed``."""
    try:
        return DiscoveryRequest.FromString(request)
    except DecodeError:
        raise Malformed("not a DiscoveryRequest") from None


def read_delta(request: bytes) -> DeltaDiscoveryRequest:
    """An incremental request. Raises ``Malformed``."""
    try:
        return DeltaDiscoveryRequest.FromString(request)
    except DecodeError:
        raise Malformed("not a DeltaDiscoveryRequest") from None


def sotw_response(
    type_url: str, nonce: str, version: str, resources: Iterable[tuple[str, Resource]], changed: tuple[str, ...]
) -> Response:
    """All that is subscribed, as pairs of key and resource."""
    chosen = tuple(resources)
    head = DiscoveryResponse(type_url=type_url, nonce=nonce, version_info=version).SerializeToString()
    body = b"".join((head, *(_tagged_sotw(item) for _, item in chosen)))
    names = tuple(key for key, _ in chosen)
    return Response(type_url=type_url, nonce=nonce, version=version, names=names, changed=changed, body=body)


def delta_response(
    type_url: str, nonce: str, version: str, resources: Iterable[tuple[str, str, Resource]], removed: Iterable[Removal]
) -> Response:
    """What changed, as triples of key, the client's spelling ("" for the resource's own) and resource."""
    chosen, gone = tuple(resources), tuple(removed)
    head = DeltaDiscoveryResponse(
        type_url=type_url, nonce=nonce, system_version_info=version, removed_resources=[item.name for item in gone]
    ).SerializeToString()
    body = b"".join((head, *(_tagged_delta(item, spelling) for _, spelling, item in chosen)))
    names = tuple(key for key, _, _ in chosen) + tuple(item.key for item in gone)
    return Response(type_url=type_url, nonce=nonce, version=version, names=names, changed=names, body=body)


@memo(_TAGGED)
def no_endpoints(cluster: str) -> Resource:
    """The assignment that says a cluster has no endpoints."""
    body = ClusterLoadAssignment(cluster_name=cluster).SerializeToString(deterministic=True)
    return resource(ENDPOINTS, cluster, body)


def _tagged_sotw(item: Resource) -> bytes:
    return _made_sotw(item) if item.type_url == SECRET else _kept_sotw(item)


@memo_within(_KEPT, len)
def _kept_sotw(item: Resource) -> bytes:
    return _made_sotw(item)


def _made_sotw(item: Resource) -> bytes:
    return DiscoveryResponse(resources=[Any(type_url=item.type_url, value=item.body)]).SerializeToString()


def _tagged_delta(item: Resource, alias: str) -> bytes:
    """A secret is not remembered longer than it is there."""
    return _made_delta(item, alias) if item.type_url == SECRET else _kept_delta(item, alias)


@memo_within(_KEPT, len)
def _kept_delta(item: Resource, alias: str) -> bytes:
    return _made_delta(item, alias)


def _made_delta(item: Resource, alias: str) -> bytes:
    wrapper = Wrapper(
        name=item.name,
        version=item.version,
        resource=Any(type_url=item.type_url, value=item.body),
        aliases=[alias] if alias and alias != item.name else [],
    )
    return DeltaDiscoveryResponse(resources=[wrapper]).SerializeToString()
