"""Every workload of the shop is restarted while it is called with every protocol: no call is lost."""

from pathlib import Path
from typing import Any

import pytest

from tests.lifecycle.shop import RollingShop

RATE = 200.0


@pytest.mark.live
@pytest.mark.timeout(240)
def test_two_rolling_restarts_of_the_shop_lose_no_call(tmp_path: Path) -> None:
    _prove(tmp_path, rounds=2)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_twenty_rolling_restarts_of_the_shop_lose_no_call(tmp_path: Path) -> None:
    _prove(tmp_path, rounds=20)


def _prove(directory: Path, rounds: int) -> None:
    counted = rolled(directory, rounds)
    assert counted["lost"] == []
    assert set(counted["answered"]) == {"HTTP/1.1", "HTTP/2", "gRPC", "gRPC stream", "TCP"}
    assert counted["answered"] == counted["calls"]


def rolled(directory: Path, rounds: int) -> dict[str, Any]:
    """What became of the calls during so many rounds of restarts."""
    shop = RollingShop(directory)
    try:
        shop.start_control_plane()
        shop.start(*shop.members)
        shop.load(RATE)
        for _ in range(rounds):
            for wave in shop.waves():
                shop.restart(*wave)
        counted = shop.stop_load()
    finally:
        shop.stop()
    return counted
