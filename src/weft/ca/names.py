"""Names that control plane and agents agree on; apart, because an agent loads no cryptography library."""

from weft.model.identity import Identity

CONTROL_PLANE_NAMESPACE = "weft-system"
CONTROL_PLANE_ACCOUNT = "control-plane"
TOKEN_PREFIX = "weft_join_"


def control_plane(trust_domain: str) -> Identity:
    """The identity in the certificates of the control plane's listeners; no workload can join with it."""
    return Identity(trust_domain=trust_domain, namespace=CONTROL_PLANE_NAMESPACE, account=CONTROL_PLANE_ACCOUNT)
