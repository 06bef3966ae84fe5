"""What a proxy took of everything it was sent, for its agent to keep: with it, the proxy starts while we are away.

Without keys: those are written down nowhere but here. A proxy that starts without one opens all its ports, and refuses
only those connections that need it.
"""

import hashlib

from weft._pb.envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse
from weft.compiler.resource import SECRET, Resource, Resources
from weft.kit.value import Value
from weft.model.identity import Identity
from weft.xds.fleet import Fleet


class LastGood(Value):
    """All resources as one answer of the incremental protocol, which names the keys that are left out as removed, and
    what tells it from another."""

    digest: str
    body: bytes


def last_good(fleet: Fleet, identity: Identity, node_id: str, known: str = "") -> LastGood | None:
    """What a connected proxy uses; ``None`` as long as it has not acknowledged everything. The body of what is
    ``known`` already is empty."""
    resources = fleet.settled(identity.uri, node_id)
    if resources is None:
        return None
    kept, left_out = _without_keys(resources)
    digest = _digest(kept, left_out)
    return LastGood(digest=digest, body=b"" if digest == known else _answer(kept, left_out))


def _without_keys(resources: Resources) -> tuple[tuple[Resource, ...], tuple[str, ...]]:
    """Everything but secrets, of which only authorities are no secret; and the names of those that are."""
    public = {one.name for one in resources.secrets if one.authorities}
    kept = tuple(one for one in resources.resources if one.type_url != SECRET or one.name in public)
    secrets = (one.name for one in resources.resources if one.type_url == SECRET)
    return kept, tuple(sorted(name for name in secrets if name not in public))


def _digest(kept: tuple[Resource, ...], left_out: tuple[str, ...]) -> str:
    found = hashlib.sha256()
    for one in kept:
        found.update(f"{one.type_url} {one.name} {one.version}\n".encode())
    for name in left_out:
        found.update(f"without {name}\n".encode())
    return found.hexdigest()


def _answer(kept: tuple[Resource, ...], left_out: tuple[str, ...]) -> bytes:
    answer = DeltaDiscoveryResponse(removed_resources=left_out)
    for one in kept:
        added = answer.resources.add(name=one.name, version=one.version)
        added.resource.type_url = one.type_url
        added.resource.value = one.body
    return answer.SerializeToString(deterministic=True)
