"""Whom STRICT would turn away: verdicts from workloads, policies, counters and recorded calls."""

from typing import Any

import pytest

from weft.api.adoption import Adoption, Verdict, adoption_of
from weft.model.document import Key
from weft.model.mesh import Mesh
from weft.model.workload import Workload
from weft.observe.calls import Call
from weft.observe.coverage import EdgeTraffic

WEB = "spiffe://cluster.local/ns/shop/sa/web"


def workload(name: str, app: str = "reviews", *, meshed: bool = True, address: str = "10.0.0.1") -> Workload:
    origin: Any = Key(group="", kind="", namespace="shop", name=name)
    labels = (("app", app), ("security.istio.io/tlsMode", "istio" if meshed else "disabled"), ("version", "v1"))
    return Workload(name=name, namespace="shop", address=address, origin=origin, labels=labels)


def call(source: str = "", address: str = "10.0.0.9", path: str = "/1", proxy: str = "reviews-1.shop") -> Call:
    return Call(source=source, proxy=proxy, port=9080, address=address, method="GET", path=path)


def one(
    *workloads: Workload, edges: tuple[EdgeTraffic, ...] = (), calls: tuple[tuple[Call, int], ...] = ()
) -> Adoption:
    found = adoption_of(Mesh(workloads=workloads), edges, calls)
    return next(item for item in found if item.service == "reviews")


def test_callers_without_a_certificate_are_named_by_address_and_by_what_is_known_there() -> None:
    legacy = workload("legacy-1", "legacy", meshed=False, address="10.0.0.9")
    found = one(
        workload("reviews-1"),
        legacy,
        calls=((call(), 3), (call(path="/2"), 1), (call(WEB, "10.0.0.2"), 7), (call(address="10.0.0.8"), 9)),
    )
    assert found.verdict is Verdict.BREAKS
    assert (found.calls, found.plaintext) == (20, 13)
    first, second = found.callers
    assert (first.address, first.workloads, first.calls) == ("10.0.0.8", (), 9)
    assert (second.address, second.workloads, second.calls) == ("10.0.0.9", ("legacy-1.shop",), 4)
    assert (second.ports, second.paths) == ((9080,), ("/1", "/2"))


def test_counters_know_of_plaintext_that_nobody_recorded() -> None:
    edge = EdgeTraffic(source="unknown", destination="reviews-v1.shop", requests=10, mtls=4)
    found = one(workload("reviews-1"), edges=(edge,))
    assert (found.verdict, found.calls, found.plaintext, found.callers) == (Verdict.BREAKS, 10, 6, ())


@pytest.mark.parametrize(
    ("calls", "verdict"), [((), Verdict.UNKNOWN), (((call(WEB), 2),), Verdict.READY), (((call(), 1),), Verdict.BREAKS)]
)
def test_a_service_is_ready_when_it_is_called_and_never_in_plaintext(calls: Any, verdict: Verdict) -> None:
    assert one(workload("reviews-1"), calls=calls).verdict is verdict


def test_a_workload_without_a_sidecar_guards_nothing_whatever_its_mode() -> None:
    found = one(workload("reviews-1"), workload("reviews-2", meshed=False), calls=((call(WEB), 1),))
    assert (found.verdict, found.workloads, found.without_sidecar) == (Verdict.NO_SIDECAR, 2, 1)


def test_calls_of_other_services_are_theirs() -> None:
    found = one(workload("reviews-1"), calls=((call(proxy="ratings-1.shop"), 5),))
    assert (found.calls, found.verdict) == (0, Verdict.UNKNOWN)
