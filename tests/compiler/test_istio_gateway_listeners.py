"""Istio's recorded gateways: the same documents open the same ports, whose connections lead to the same places."""

from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from tests.compiler.test_istio_scenarios import _NAMES, _SCENARIOS, _proxies

pytestmark = pytest.mark.skipif(not _SCENARIOS.exists(), reason="needs istio's recorded scenarios")

Way = tuple[tuple[str, ...], tuple[str, ...], bool, str]


@pytest.mark.parametrize("name", _NAMES)
def test_ports_of_gateways_lead_where_istiods_lead(name: str):
    for proxy, theirs, ours in _proxies(name, "router"):
        recorded = _ways(theirs["listeners"])
        made = _ways([MessageToDict(one) for one in ours.listeners.values()])
        assert made == recorded, proxy


def test_a_gateway_of_every_mode_is_among_them():
    ports = {port for _, theirs, _ in _proxies("probe-gateway-tls", "router") for port in _ways(theirs["listeners"])}
    assert {80, 443, 8445, 15443, 31400} <= ports


def _ways(listeners: list[dict[str, Any]]) -> dict[int, set[Way]]:
    """By port: the names and words of clients, whether their TLS ends, and the routes or clusters."""
    return {
        listener["address"]["socketAddress"]["portValue"]: {_way(chain) for chain in listener["filterChains"]}
        for listener in listeners
        if listener["address"]["socketAddress"]["portValue"] not in (15021, 15090)
    }


def _way(chain: dict[str, Any]) -> Way:
    match, last = chain.get("filterChainMatch") or {}, chain["filters"][-1]["typedConfig"]
    to = last.get("rds", {}).get("routeConfigName") or last.get("cluster") or str(last.get("weightedClusters"))
    names = tuple(sorted(match.get("serverNames", ())))
    return (names, tuple(match.get("applicationProtocols", ())), "transportSocket" in chain, to)
