"""For Python applications in a weft mesh: calls that find their way, trace headers and deadlines that are passed on,
and who calls."""

from weft_client.caller import Caller
from weft_client.client import AsyncClient, Client
from weft_client.deadlines import DeadlineExceeded, deadline, remaining
from weft_client.headers import FORWARDED, added, carried, take, taken
from weft_client.hooks import install
from weft_client.served import current

__all__ = [
    "FORWARDED",
    "AsyncClient",
    "Caller",
    "Client",
    "DeadlineExceeded",
    "added",
    "carried",
    "current",
    "deadline",
    "install",
    "remaining",
    "take",
    "taken",
]
