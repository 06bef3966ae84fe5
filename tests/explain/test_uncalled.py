"""An explanation names the workloads that are not called, and why."""

from typing import Any

from tests.dialects.documents import document, linked
from weft.compiler.resources import resources_of
from weft.explain.call import parse_call
from weft.explain.uncalled import with_uncalled
from weft.explain.walk import explain
from weft.model.document import Document
from weft.model.identity import Identity
from weft.view.build import view_of
from weft.view.node import Node

SERVICE = document("Service", {"selector": {"app": "reviews"}, "ports": [{"name": "http", "port": 9080}]}, "reviews")


def workload(name: str, **condition: str) -> Document:
    said = {"conditions": [{"type": "Healthy", "status": "False", **condition}]} if condition else None
    spec: dict[str, Any] = {"address": "10.0.0.1", "labels": {"app": "reviews"}, "serviceAccount": "reviews"}
    return document("WorkloadEntry", spec, name, status=said)


def details(*workloads: Document) -> list[str]:
    mesh = linked(SERVICE, *workloads)
    who = Node(
        id="web.shop",
        namespace="shop",
        workload="web",
        identity=Identity(trust_domain="cluster.local", namespace="shop", account="web"),
        http_proxy=("127.0.0.1", 15001),
    )
    said = explain(resources_of(view_of(mesh, who)), parse_call("GET", "http://reviews:9080/"))
    steps = with_uncalled(said, mesh, who).steps
    return [line for step in steps for line in step.details if "not called" in line]


def test_each_that_is_not_called_is_named_with_the_reason() -> None:
    assert details(
        workload("reviews-1"),
        workload("reviews-2", reason="Flapping", message="ill 4 times of late"),
        workload("reviews-3", reason="Draining"),
        workload("reviews-4", reason=""),
    ) == [
        "not called: reviews-2, it flaps (ill 4 times of late)",
        "not called: reviews-3, it is about to end",
        "not called: reviews-4, its agent finds it ill",
    ]


def test_where_all_are_well_nothing_is_said() -> None:
    assert details(workload("reviews-1")) == []


def test_many_are_counted() -> None:
    assert (
        details(*(workload(f"reviews-{number:02}", reason="") for number in range(11)))[-1]
        == "and 3 more are not called"
    )
