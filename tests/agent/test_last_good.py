"""What is kept of a proxy's configuration, how it is served again, and the file that leads to the control plane."""

import json
import random
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from weft._pb.envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse
from weft.agent.config import AgentConfig, parse_port, parse_upstream
from weft.agent.last_good import Kept, LastGood
from weft.agent.ports import Plan, Ports
from weft.agent.replay import _Replay, lacking
from weft.agent.steering import REPLAYED, Way
from weft.kit.clock import FakeClock

CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
ENDPOINTS = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
SECRET = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
PLAN = Plan(inlets=(), outlets=(), http_proxy=None)


def _body(*names: tuple[str, str]) -> bytes:
    answer = DeltaDiscoveryResponse()
    for type_url, name in names:
        one = answer.resources.add(name=name, version=f"v-{name}")
        one.resource.type_url = type_url
    return answer.SerializeToString()


def test_it_fits_only_the_proxy_that_it_was_made_for(tmp_path: Path) -> None:
    last = LastGood(tmp_path, FakeClock())
    last.begin(Kept(introduction="a", plan=PLAN))
    assert last.fits("a") is None, "nothing was fetched yet"
    last.keep(_body((CLUSTER, "x")))
    again = LastGood(tmp_path, FakeClock())
    assert again.fits("a") is not None
    assert again.fits("b") is None
    again.begin(Kept(introduction="a", plan=PLAN))
    assert again.fits("a") is not None, "the same proxy again"
    again.begin(Kept(introduction="b", plan=PLAN))
    assert again.fits("b") is None, "another one"


def test_what_was_altered_is_not_used(tmp_path: Path) -> None:
    last = LastGood(tmp_path, FakeClock())
    last.begin(Kept(introduction="a", plan=PLAN))
    last.keep(_body((CLUSTER, "x")))
    (tmp_path / "last-good.pb").write_bytes(_body((CLUSTER, "y")))
    assert LastGood(tmp_path, FakeClock()).fits("a") is None


class _Sent:
    """A stream that remembers."""

    headers: Mapping[bytes, bytes] = MappingProxyType({})

    def __init__(self) -> None:
        self.answers: list[DeltaDiscoveryResponse] = []

    def send(self, message: bytes) -> None:
        self.answers.append(DeltaDiscoveryResponse.FromString(message))

    def finish(self, status: int = 0, message: str = "") -> None:
        raise AssertionError


def test_a_proxy_is_given_all_clusters_and_the_endpoints_that_it_names() -> None:
    sent = _Sent()
    replay = _Replay(sent, _body((CLUSTER, "x"), (CLUSTER, "y"), (ENDPOINTS, "x"), (ENDPOINTS, "y")))
    replay.receive(DeltaDiscoveryRequest(type_url=CLUSTER).SerializeToString())
    assert [one.name for one in sent.answers[0].resources] == ["x", "y"]
    replay.receive(DeltaDiscoveryRequest(type_url=CLUSTER, response_nonce="1").SerializeToString())
    asked = DeltaDiscoveryRequest(type_url=ENDPOINTS, resource_names_subscribe=["y", "gone"])
    replay.receive(asked.SerializeToString())
    assert len(sent.answers) == 2, "an acknowledgement is not answered"
    assert [one.name for one in sent.answers[1].resources] == ["y"]
    assert list(sent.answers[1].removed_resources) == ["gone"]


def test_what_a_proxy_has_is_not_sent_again() -> None:
    sent = _Sent()
    replay = _Replay(sent, _body((CLUSTER, "x"), (CLUSTER, "y")))
    asked = DeltaDiscoveryRequest(type_url=CLUSTER, initial_resource_versions={"x": "v-x", "y": "old"})
    replay.receive(asked.SerializeToString())
    assert [one.name for one in sent.answers[0].resources] == ["y"]


def test_of_keys_that_are_not_kept_nothing_is_said() -> None:
    """A proxy that has some keeps them: what is said to be removed, it would forget."""
    sent = _Sent()
    body = DeltaDiscoveryResponse.FromString(_body((CLUSTER, "x"), (SECRET, "roots")))
    body.removed_resources.append("edge")
    replay = _Replay(sent, body.SerializeToString())
    replay.receive(DeltaDiscoveryRequest(type_url=SECRET, resource_names_subscribe=["edge"]).SerializeToString())
    assert sent.answers == []
    replay.receive(DeltaDiscoveryRequest(type_url=SECRET, resource_names_subscribe=["roots"]).SerializeToString())
    assert [one.name for one in sent.answers[0].resources] == ["roots"]
    assert lacking(body.SerializeToString()) == ("edge",)
    assert lacking(b"\xff") == ()


@pytest.mark.asyncio
async def test_the_way_leads_to_the_control_plane_or_to_the_replay(tmp_path: Path) -> None:
    way = Way(tmp_path / "xds.json")
    assert await way.to("[::1]:7071")
    first = json.loads(way.file.read_text())
    address = first["resources"][0]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]
    assert address == {"socket_address": {"address": "::1", "port_value": 7071}}
    way.to_replay(tmp_path / "replay.sock")
    second = json.loads(way.file.read_text())
    endpoint = second["resources"][0]["endpoints"][0]["lb_endpoints"][0]
    assert endpoint["metadata"]["filter_metadata"]["envoy.transport_socket_match"] == {REPLAYED: True}
    assert second["version_info"] != first["version_info"]
    assert not await way.to("no-such-host.invalid:7071")
    assert json.loads(way.file.read_text()) == second, "a name without an address changes nothing"


def test_a_workload_that_starts_again_takes_the_ports_that_it_had(tmp_path: Path) -> None:
    config = AgentConfig(
        service="reviews", name="reviews-1", command=("true",), state_dir=tmp_path,
        ports=(parse_port("9080:auto"),), upstreams=(parse_upstream("orders:50051"),),
    )  # fmt: skip
    first = Ports(random.Random(1))
    plan = first.plan(config)
    first.close()
    second = Ports(random.Random(2))
    assert second.plan(config, plan) == plan
    second.close()
