"""Workloads of the shop are restarted while they are called with every protocol: no call is lost."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.lifecycle.shop import MEMBERS, RollingShop
from weft.demo.shop import Member

PROTOCOLS = {"HTTP/1.1", "HTTP/2", "gRPC", "gRPC stream", "TCP"}
_FEW = tuple(member for member in MEMBERS if member.service in ("catalog", "echo", "ledger"))


@pytest.mark.live
@pytest.mark.timeout(240)
def test_two_rolling_restarts_lose_no_call_of_any_protocol(tmp_path: Path) -> None:
    _prove(rolled(tmp_path, _FEW, rounds=2, rate=50.0))


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_twenty_rolling_restarts_of_the_whole_shop_lose_no_call(tmp_path: Path) -> None:
    counted = rolled(tmp_path, MEMBERS, rounds=20, rate=200.0)
    _prove(counted)
    assert counted["rate"] > 180, "the machine was too busy for what was to be shown"


@pytest.mark.live
@pytest.mark.timeout(240)
def test_new_agents_and_envoys_everywhere_lose_no_call(tmp_path: Path) -> None:
    """Without the lean HTTP/2 client, whose library takes a connection that says goodbye for closed; gRPC's knows."""
    protocols = PROTOCOLS - {"HTTP/2"}
    shop = RollingShop(tmp_path, _FEW)
    with _loaded(shop, 40.0, protocols) as counted:
        said = shop.weft("proxy", "upgrade", "--all")
        assert len(said.splitlines()) == len(_FEW) + 1
    _prove(counted, protocols)


def _prove(counted: dict[str, Any], protocols: Collection[str] = PROTOCOLS) -> None:
    assert counted["lost"] == []
    assert set(counted["answered"]) == set(protocols)
    assert counted["answered"] == counted["calls"]


def rolled(directory: Path, members: Iterable[Member], rounds: int, rate: float) -> dict[str, Any]:
    """What became of the calls during so many rounds of restarts, three workloads at a time."""
    shop = RollingShop(directory, members)
    with _loaded(shop, rate, PROTOCOLS) as counted:
        for _ in range(rounds):
            for wave in shop.waves(3):
                shop.restart(*wave)
    return counted


@contextmanager
def _loaded(shop: RollingShop, rate: float, protocols: Collection[str]) -> Iterator[dict[str, Any]]:
    """A shop that is called during the block; what became of the calls is known after it."""
    counted: dict[str, Any] = {}
    try:
        shop.start_control_plane()
        for wave in shop.waves(4):
            shop.start(*wave)
        shop.load(rate, sorted(protocols))
        yield counted
        counted.update(shop.stop_load())
    finally:
        shop.stop()
