from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.examples.shop import Running, service


@pytest.fixture
def client() -> Iterator[httpx2.Client]:
    with httpx2.Client(trust_env=False, verify=False, timeout=20) as client:
        yield client


@pytest.fixture(scope="session")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with service("catalog.py", tmp_path_factory.mktemp("catalog")) as running:
        yield running


@pytest.fixture(scope="session")
def ratings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with service("ratings.py", tmp_path_factory.mktemp("ratings")) as running:
        yield running


@pytest.fixture(scope="session")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with service("orders.py", tmp_path_factory.mktemp("orders"), STEP_MS="50", VERSION="v7", INSTANCE="one") as running:
        yield running


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Running]:
    """An empty one for each test that counts its entries."""
    with service("ledger.py", tmp_path) as running:
        yield running
