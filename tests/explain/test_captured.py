"""Imagined calls of an application whose connections are captured."""

import pytest
from msgspec.structs import replace

from tests.view.meshes import fqdn, mesh, node, origin, service, workload
from weft.compiler.resource import Resources
from weft.compiler.resources import resources_of
from weft.explain.call import Explanation, parse_call
from weft.explain.walk import explain
from weft.model.service import Port, Protocol, Resolution, Service
from weft.model.settings import Settings
from weft.view.build import view_of
from weft.view.node import Capture

HTTP = Port(number=9080, name="http", protocol=Protocol.HTTP)
TCP = Port(number=3306, name="tcp", protocol=Protocol.TCP)
API = Service(
    host="api.example.com",
    name="api",
    namespace="shop",
    origin=origin(kind="ServiceEntry"),
    ports=(Port(number=443, name="tls", protocol=Protocol.TLS),),
    addresses=("240.240.0.9",),
    resolution=Resolution.NONE,
    external=True,
)


def resources(**settings: bool) -> Resources:
    reviews = replace(service("reviews", HTTP), addresses=("240.241.0.1",))
    ledger = replace(service("ledger", TCP), addresses=("240.241.0.2",))
    found = mesh(
        reviews,
        ledger,
        API,
        workloads=[workload("reviews", "10.0.0.1"), workload("ledger", "10.0.0.2")],
        settings=Settings(**settings),
    )
    capture = Capture(outbound=15001, inbound=15006, addresses=("10.0.0.9",))
    return resources_of(view_of(found, replace(node(http_proxy=None), capture=capture)))


def asked(url: str, **settings: bool) -> Explanation:
    return explain(resources(**settings), parse_call("GET", url))


@pytest.mark.parametrize("host", ["reviews", "reviews.shop", fqdn("reviews"), "240.241.0.1"])
def test_a_request_is_found_by_its_host_at_the_port(host):
    answer = asked(f"http://{host}:9080/")
    assert answer.ok
    assert answer.steps[0].about == "0.0.0.0_9080"
    assert f"100 % to outbound|9080||{fqdn('reviews')}" in [step.what for step in answer.steps]


@pytest.mark.parametrize("host", ["ledger", fqdn("ledger"), "240.241.0.2"])
def test_bytes_are_found_by_the_address_of_their_host(host):
    answer = asked(f"tcp://{host}:3306")
    assert answer.ok
    assert "240.241.0.2:3306" in answer.steps[0].what
    assert f"100 % to outbound|3306||{fqdn('ledger')}" in [step.what for step in answer.steps]


def test_tls_is_found_by_its_name_whatever_the_address():
    answer = asked("https://api.example.com/")
    assert answer.ok
    assert "100 % to outbound|443||api.example.com" in [step.what for step in answer.steps]


@pytest.mark.parametrize("url", ["tcp://10.9.9.9:22", "http://example.com:9080/", "tcp://10.9.9.9:3306"])
def test_what_the_mesh_does_not_know_passes_or_is_refused(url):
    passed = asked(url)
    assert passed.ok
    assert "100 % to OriginalDestination" in [step.what for step in passed.steps]
    assert not asked(url, allow_any=False).ok
