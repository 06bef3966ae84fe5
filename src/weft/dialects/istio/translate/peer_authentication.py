"""A PeerAuthentication in the model's words."""

from weft.dialects.fragment import Fragment
from weft.dialects.istio.types.peer_authentication import MutualTls, PeerAuthentication
from weft.dialects.served import Subject
from weft.kit.value import labels_of
from weft.model.security import MtlsMode, PeerPolicy


def translate(spec: PeerAuthentication, subject: Subject) -> Fragment:
    """One policy; what is unset inherits."""
    policy = PeerPolicy(
        origin=subject.origin,
        namespace=subject.namespace,
        selector=labels_of(spec.selector.match_labels if spec.selector else {}),
        mode=_mode(spec.mtls),
        ports=tuple(sorted(_ports(spec).items(), key=lambda port: port[0])),
    )
    return Fragment(key=subject.key, peer_policies=(policy,))


def _mode(mtls: MutualTls | None) -> MtlsMode | None:
    if mtls is None or mtls.mode in (None, "UNSET"):
        return None
    return MtlsMode(mtls.mode)


def _ports(spec: PeerAuthentication) -> dict[int, MtlsMode | None]:
    return {int(port): _mode(mtls) for port, mtls in spec.port_level_mtls.items()}
