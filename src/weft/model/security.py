"""What inbound connections must prove."""

from enum import Enum

from weft.kit.value import Labels, Value
from weft.model.document import Origin


class MtlsMode(Enum):
    """Istio's ``PeerAuthentication`` modes, after inheritance."""

    DISABLE = "DISABLE"
    PERMISSIVE = "PERMISSIVE"
    STRICT = "STRICT"


class PeerPolicy(Value):
    """Istio's ``PeerAuthentication``: ``mode`` ``None`` inherits; ``ports`` are workload port numbers.

    An empty ``selector`` means the whole namespace, or the whole mesh in the root namespace.
    """

    origin: Origin
    namespace: str
    selector: Labels = ()
    mode: MtlsMode | None = None
    ports: tuple[tuple[int, MtlsMode | None], ...] = ()
