"""Patches of clusters."""

from weft._pb.envoy.config.cluster.v3.cluster_pb2 import Cluster
from weft.compiler.patches.merging import merge_secured
from weft.compiler.patches.work import Place, Work
from weft.model.extension import ClusterMatch, Context, Patch, PatchOperation, PatchTarget

_MERGES = (PatchOperation.MERGE, PatchOperation.MERGE_AND_REPLACE_LIST)


def matching(name: str, work: Work) -> list[Patch]:
    """The patches that change or remove a cluster of this name."""
    found = work.of(PatchTarget.CLUSTER, PatchOperation.REMOVE, *_MERGES)
    return [one for one in found if _matches(one, name, work.place)]


def patch_cluster(cluster: Cluster, work: Work) -> bool:
    """Merge into a cluster; false if it is removed."""
    found = matching(cluster.name, work)
    if any(one.operation is PatchOperation.REMOVE for one in found):
        return False
    for patch in found:
        replace = patch.operation is PatchOperation.MERGE_AND_REPLACE_LIST
        value = work.value(patch, Cluster)
        work.attempt(patch, lambda value=value, replace=replace: merge_secured(cluster, value, replace_lists=replace))  # type: ignore[misc]
    return True


def adds(patch: Patch, work: Work) -> bool:
    """Whether something new belongs to this side; what is of any context, to the outbound one and gateways alone."""
    return patch.context is not Context.ANY or work.place.context is not Context.SIDECAR_INBOUND


def _matches(patch: Patch, name: str, place: Place) -> bool:
    wanted = patch.match
    if not isinstance(wanted, ClusterMatch):
        return True
    if wanted.name:
        return wanted.name == name
    _, port, subset, host = (*name.split("|"), "", "", "", "")[:4]
    hosts = place.hosts or (host,)
    if wanted.subset and wanted.subset != subset:
        return False
    if wanted.service and wanted.service not in hosts:
        return False
    return not wanted.port or port == str(wanted.port)
