"""What is said of a Transformation, a Compression and a ResponseCache alone, and where they hold."""

import json
from typing import Any

import pytest

from tests.dialects.documents import BY_NAME, content_of
from weft.dialects.link import link
from weft.dialects.translate import check, fragment_of
from weft.model.document import Document, Key
from weft.model.finding import field_path
from weft.model.mesh import Mesh
from weft.model.settings import Settings

SERVICE = {"targetRefs": [{"kind": "Service", "name": "reviews"}]}


def said(kind: str, **spec: Any) -> set[tuple[str, str]]:
    return {(one.code, field_path(one.path)) for one in check(BY_NAME[kind], content_of(kind, SERVICE | spec))}


def request(**changes: Any) -> dict[str, Any]:
    return {"request": changes}


@pytest.mark.parametrize(
    ("spec", "code", "place"),
    [
        ({}, "W0105", ""),
        (request(path="no slash"), "W0102", ".request.path"),
        (request(method="B AD"), "W0102", ".request.method"),
        (request(headers={"set": {"bad name": "x"}}), "W0112", ".request.headers.set.bad name"),
        (request(headers={"set": {"host": "x"}}), "W0112", ".request.headers.set.host"),
        (request(headers={"set": {"x-a": "a\nb"}}), "W0112", ".request.headers.set.x-a"),
        (request(headers={"set": {"x-a": "100%"}}), "W0102", ".request.headers.set.x-a"),
        (request(headers={"add": {"x-a": "%ENVIRONMENT(HOME)%"}}), "W0102", ".request.headers.add.x-a"),
        (request(headers={"add": {"x-a": "%FILE_CONTENT(/etc/passwd)%"}}), "W0102", ".request.headers.add.x-a"),
        (request(headers={"add": {"x-a": "%REQ%"}}), "W0102", ".request.headers.add.x-a"),
        (request(headers={"remove": ["content-length"]}), "W0112", ".request.headers.remove[0]"),
        (request(body={}), "W0105", ".request.body"),
        (request(body={"template": "x", "remove": ["a"]}), "W0106", ".request.body.template"),
        (request(body={"remove": ["a..b"]}), "W0102", ".request.body.remove[0]"),
        (request(body={"remove": [".".join("abcdefghijklmnopq")]}), "W0102", ".request.body.remove[0]"),
        ({"grpcJson": {"descriptors": "not base64", "services": ["a.B"]}}, "W0102", ".grpcJson.descriptors"),
        ({"grpcJson": {"descriptors": "CgNhYmM=", "services": ["a.B"]}}, "W0102", ".grpcJson.descriptors"),
        ({"externalProcessing": {"service": {"name": "x", "port": 0}}}, "W0115", ".externalProcessing.service.port"),
    ],
)
def test_what_cannot_be_transformed_is_named_with_its_place(spec: dict[str, Any], code: str, place: str):
    assert (code, f"spec{place}") in said("Transformation", **spec)


@pytest.mark.parametrize(
    ("kind", "spec", "code", "place"),
    [
        ("Compression", {"algorithms": ["gzip", "gzip"]}, "W0117", "algorithms[1]"),
        ("Compression", {"contentTypes": ["text/html; charset=utf-8"]}, "W0102", "contentTypes[0]"),
        ("ResponseCache", {"directory": "cache"}, "W0102", "directory"),
        ("ResponseCache", {"directory": "/var/../etc"}, "W0102", "directory"),
        ("ResponseCache", {"directory": "/c", "varyHeaders": ["a b"]}, "W0112", "varyHeaders[0]"),
        ("ResponseCache", {"directory": "/c", "maxResponseBytes": 4096}, "W0101", "maxResponseBytes"),
    ],
)
def test_what_cannot_be_kept_or_compressed_is_named(kind: str, spec: dict[str, Any], code: str, place: str):
    assert said(kind, **spec) == {(code, f"spec.{place}")}


def test_a_service_is_taken_as_a_whole():
    target = {"kind": "Service", "name": "reviews", "sectionName": "http"}
    assert said("Compression", targetRefs=[target]) == {("W0240", "spec.targetRefs[0].sectionName")}


ROUTES = {
    "hosts": ["reviews"],
    "http": [
        {"name": "one", "route": [{"destination": {"host": "reviews"}}], "match": [{"uri": {"prefix": "/one"}}]},
        {"name": "two", "route": [{"destination": {"host": "reviews"}}]},
    ],
}
PORTS = {"ports": [{"port": 80, "name": "http"}], "selector": {"app": "reviews"}}


def mesh(*documents: tuple[str, str, dict[str, Any]]) -> Mesh:
    fragments = []
    for index, (kind, name, spec) in enumerate((("Service", "reviews", PORTS), *documents)):
        served = BY_NAME[kind]
        key = Key(group=served.group, kind=kind, namespace="shop", name=name)
        content = json.dumps(content_of(kind, spec, name)).encode()
        fragments.append(fragment_of(Document(key=key, content=content, created=f"{index:04}"), Settings()))
    return link(tuple(fragments), Settings(), 1)


def test_a_rule_has_what_is_attached_to_it_rather_than_to_its_document():
    path = {"request": {"path": "/x"}}
    of_all = ("Transformation", "all", {"targetRefs": [{"kind": "VirtualService", "name": "reviews"}]} | path)
    section = {"kind": "VirtualService", "name": "reviews", "sectionName": "one"}
    of_one = ("Transformation", "one", {"targetRefs": [section]} | path)
    (table,) = mesh(("VirtualService", "reviews", ROUTES), of_all, of_one).route_tables
    found = {rule.name: rule.guards.plugins for rule in table.http}
    assert found == {"one": ("transformation|shop|one|content",), "two": ("transformation|shop|all|content",)}


def test_of_two_at_one_place_the_older_holds_and_what_is_not_there_is_told():
    lost = ("Compression", "lost", {"targetRefs": [{"kind": "Service", "name": "nobody"}]})
    found = mesh(("Compression", "older", SERVICE), ("Compression", "younger", SERVICE), lost)
    assert [one.name for one in found.plugins] == ["compression|shop|older"]
    assert {(one.code, one.document.name if one.document else "") for one in found.findings} == {
        ("W0242", "younger"),
        ("W0241", "lost"),
    }
