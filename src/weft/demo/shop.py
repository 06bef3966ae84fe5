"""The demo shop's workloads: what runs, where its files are, and how it is meshed."""

import sys
from pathlib import Path

from weft.kit.value import Value

NAMESPACE = "shop"
HTTP_PORT = 9080
ORDERS_PORT = 50051
LEDGER_PORT = 7000


class Member(Value):
    """One workload. ``port`` 0: it only calls. ``upstreams`` are pairs of variable and ``host:port``."""

    name: str
    service: str
    script: str
    version: str = "v1"
    port: int = HTTP_PORT
    protocol: str = "http"
    health: str = "http:/healthz"
    upstreams: tuple[tuple[str, str], ...] = ()


ADDRESSES = (("ORDERS_ADDR", f"orders:{ORDERS_PORT}"), ("LEDGER_ADDR", f"ledger:{LEDGER_PORT}"))

SHOP = (
    Member(name="ratings-1", service="ratings", script="ratings.py"),
    Member(name="ratings-2", service="ratings", script="ratings.py"),
    Member(name="reviews-v1", service="reviews", script="reviews.py"),
    Member(name="reviews-v2", service="reviews", script="reviews.py", version="v2"),
    Member(name="reviews-v3", service="reviews", script="reviews.py", version="v3"),
    Member(name="catalog-1", service="catalog", script="catalog.py"),
    Member(
        name="orders-1", service="orders", script="orders.py", port=ORDERS_PORT, protocol="grpc", health="grpc",
        upstreams=ADDRESSES[1:],
    ),
    Member(name="ledger-1", service="ledger", script="ledger.py", port=LEDGER_PORT, protocol="tcp", health="tcp"),
    Member(name="web-1", service="web", script="web.py", upstreams=ADDRESSES),
)  # fmt: skip

VISITOR = Member(name="visitor-1", service="visitor", script="", port=0, health="", upstreams=ADDRESSES)


def shop_directory() -> Path:
    """Where the shop's scripts are: inside an installed wheel, or in the checkout."""
    installed = Path(__file__).parent / "shop"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "examples" / "shop"


def rules(name: str) -> Path:
    """A file of rules."""
    return shop_directory() / "rules" / f"{name}.yaml"


def command_of(member: Member, addresses_file: Path) -> list[str]:
    """What the agent starts."""
    if member.script:
        return [sys.executable, str(shop_directory() / member.script)]
    return [sys.executable, "-m", "weft.demo.visitor", str(addresses_file)]
