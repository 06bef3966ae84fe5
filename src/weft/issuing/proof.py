"""The noun between an order and the gateways; apart, because the library behind orders is slow to import."""

from weft.kit.value import Value


class Proof(Value):
    """What must be answered for a host at ``/.well-known/acme-challenge/<token>``."""

    host: str
    token: str
    answer: str
