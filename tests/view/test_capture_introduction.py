"""What a sidecar's introduction says of captured connections."""

import json
from typing import Any

import pytest

from weft.kit.errors import PeerError
from weft.model.identity import Identity
from weft.view.node import Capture, Node, parse_node

_IDENTITY = Identity(trust_domain="cluster.local", namespace="shop", account="reviews")


def _node(**said: Any) -> Node:
    introduction = {"namespace": "shop", "workload": "reviews-1", **said}
    return parse_node(_IDENTITY, "reviews-1.shop", json.dumps(introduction))


def test_captured_connections_arrive_where_the_introduction_says() -> None:
    node = _node(capture={"outbound": 15001, "inbound": 15006, "addresses": ["10.0.0.7", "fd00::7"], "mark": 1337})
    assert node.capture == Capture(outbound=15001, inbound=15006, addresses=("10.0.0.7", "fd00::7"), mark=1337)


def test_connections_of_another_network_arrive_at_a_unix_socket() -> None:
    node = _node(capture={"outbound": 0, "inbound": 0, "way": "/run/capture.sock"})
    assert node.capture == Capture(outbound=0, inbound=0, way="/run/capture.sock")
    assert not node.is_entered


def test_a_sidecar_that_says_nothing_captures_nothing() -> None:
    assert _node().capture is None


@pytest.mark.parametrize(
    "capture",
    [
        {"outbound": 0, "inbound": 15006},
        {"outbound": 15001, "inbound": 65536},
        {"outbound": 15001, "inbound": 15001},
        {"outbound": 15001, "inbound": 15006, "addresses": ["reviews"]},
        {"outbound": 15001, "inbound": 15006, "mark": -1},
        {"outbound": "15001", "inbound": 15006},
        {"outbound": 0, "inbound": 0, "way": "capture.sock"},
        {"outbound": 0, "inbound": 0, "way": "/" + 107 * "x"},
        {"outbound": 15001, "inbound": 15006, "way": "/run/capture.sock"},
    ],
)
def test_places_that_cannot_be_are_refused(capture: dict[str, Any]) -> None:
    with pytest.raises(PeerError):
        _node(capture=capture)
