"""What the nouns answer about themselves."""

import pytest

from weft.model.document import Key, Origin
from weft.model.finding import field_path
from weft.model.identity import Identity, parse_identity
from weft.model.match import Exact, HeaderMatch, HttpMatch, PathPrefix, Prefix, Present, QueryMatch, Regex, catches_all
from weft.model.service import Port, Protocol, Service, visible
from weft.model.workload import Workload

ORIGIN = Origin(key=Key(kind="Service", name="a", namespace="shop"))


def test_a_path_is_written_as_kubernetes_writes_it() -> None:
    assert field_path(("spec", "http", 0, "route", 1, "weight")) == "spec.http[0].route[1].weight"
    assert field_path(()) == ""


def test_a_key_reads_as_kind_and_place() -> None:
    assert str(Key(kind="VirtualService", name="a", namespace="shop")) == "VirtualService shop/a"
    assert str(Key(kind="Namespace", name="shop")) == "Namespace shop"


def test_the_older_comes_first_then_the_name_then_the_namespace() -> None:
    def origin(created: str, name: str, namespace: str) -> Origin:
        return Origin(key=Key(kind="X", name=name, namespace=namespace), created=created)

    ordered = [origin("1", "z", "z"), origin("2", "a", "b"), origin("2", "b", "a"), origin("2", "b", "b")]
    shuffled = [ordered[2], ordered[3], ordered[0], ordered[1]]
    assert sorted(shuffled, key=lambda one: one.precedence) == ordered


def test_an_identity_is_read_back() -> None:
    identity = Identity(trust_domain="cluster.local", namespace="shop", account="web")
    assert identity.uri == "spiffe://cluster.local/ns/shop/sa/web"
    assert parse_identity(str(identity)) == identity


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "http://cluster.local/ns/a/sa/b",
        "spiffe://Cluster.local/ns/a/sa/b",
        "spiffe://cluster.local:80/ns/a/sa/b",
        "spiffe://u@cluster.local/ns/a/sa/b",
        "spiffe://cluster.local/ns/a/sa/b/",
        "spiffe://cluster.local/ns/a/sa/b?x",
        "spiffe://cluster.local/ns/a/sa/b#x",
        "spiffe://cluster.local/ns//sa/b",
        "spiffe://cluster.local/ns/../sa/b",
        "spiffe://cluster.local/ns/%61/sa/b",
        "spiffe://cluster.local/ns/a/sa/b\n",
        "spiffe://cluster.local/workload/a",
        "spiffe:///ns/a/sa/b",
        "spiffe://cluster.local/ns/a/sa/" + "b" * 2048,
    ],
)
def test_what_is_no_identity_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        parse_identity(uri)


@pytest.mark.parametrize("path", [None, Prefix(value="/"), PathPrefix(value="/"), Regex(value=".*"), Regex(value="*")])
def test_a_match_without_conditions_catches_all(path: Prefix | PathPrefix | Regex | None) -> None:
    assert catches_all(HttpMatch(path=path))
    assert catches_all(HttpMatch(path=path, port=80, source_namespace="shop"))


@pytest.mark.parametrize(
    "match",
    [
        HttpMatch(path=Prefix(value="/a")),
        HttpMatch(path=Exact(value="/")),
        HttpMatch(method=Exact(value="GET")),
        HttpMatch(scheme=Exact(value="http")),
        HttpMatch(authority=Exact(value="a")),
        HttpMatch(headers=(HeaderMatch(name="a", match=Present()),)),
        HttpMatch(query=(QueryMatch(name="a", match=Present()),)),
    ],
)
def test_a_match_with_a_condition_does_not_catch_all(match: HttpMatch) -> None:
    assert not catches_all(match)


@pytest.mark.parametrize(
    ("export_to", "namespace", "seen"),
    [
        (("*",), "web", True),
        ((".",), "shop", True),
        ((".",), "web", False),
        (("web",), "web", True),
        (("web",), "shop", False),
        (("~",), "shop", False),
        ((), "shop", False),
    ],
)
def test_who_sees_what_is_exported(export_to: tuple[str, ...], namespace: str, seen: bool) -> None:
    assert visible(export_to, "shop", namespace) is seen


def test_a_port_of_a_service_by_its_number() -> None:
    port = Port(number=80, name="http", protocol=Protocol.HTTP)
    service = Service(host="a", name="a", namespace="shop", origin=ORIGIN, ports=(port,))
    assert service.port(80) is port
    assert service.port(81) is None


def test_which_protocols_are_read_as_requests() -> None:
    assert {protocol for protocol in Protocol if protocol.is_http} == {
        Protocol.HTTP,
        Protocol.HTTP2,
        Protocol.GRPC,
        Protocol.GRPC_WEB,
    }
    assert {protocol for protocol in Protocol if protocol.is_http2} == {
        Protocol.HTTP2,
        Protocol.GRPC,
        Protocol.GRPC_WEB,
    }


def test_a_workload_is_meshed_when_its_label_says_so() -> None:
    def workload(*labels: tuple[str, str]) -> Workload:
        return Workload(name="a", namespace="shop", address="10.0.0.1", origin=ORIGIN, labels=labels)

    assert workload(("security.istio.io/tlsMode", "istio")).meshed
    assert not workload(("security.istio.io/tlsMode", "disabled")).meshed
    assert not workload().meshed
