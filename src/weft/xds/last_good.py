"""What a proxy took of everything it was sent, for its agent to keep: with it, the proxy starts while we are away."""

import hashlib

from weft._pb.envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse
from weft.compiler.resource import SECRET, Resources
from weft.kit.value import Value
from weft.model.identity import Identity
from weft.xds.fleet import Fleet


class LastGood(Value):
    """All resources as one answer of the incremental protocol, and what tells it from another."""

    digest: str
    body: bytes


def last_good(fleet: Fleet, identity: Identity, node_id: str, known: str = "") -> LastGood | None:
    """What a connected proxy uses; ``None`` as long as it has not acknowledged everything, and for one that was sent
    keys: those are written down nowhere but here. The body of what is ``known`` already is empty."""
    resources = fleet.settled(identity.uri, node_id)
    if resources is None or resources.secrets or any(one.type_url == SECRET for one in resources.resources):
        return None
    digest = _digest(resources)
    return LastGood(digest=digest, body=b"" if digest == known else _answer(resources))


def _digest(resources: Resources) -> str:
    found = hashlib.sha256()
    for one in resources.resources:
        found.update(f"{one.type_url} {one.name} {one.version}\n".encode())
    return found.hexdigest()


def _answer(resources: Resources) -> bytes:
    answer = DeltaDiscoveryResponse()
    for one in resources.resources:
        added = answer.resources.add(name=one.name, version=one.version)
        added.resource.type_url = one.type_url
        added.resource.value = one.body
    return answer.SerializeToString(deterministic=True)
