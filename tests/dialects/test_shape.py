"""Documents that have not the shape of their kind."""

import re
from pathlib import Path
from typing import Any

import pytest

import weft
from tests.dialects.documents import BY_NAME, checked, codes, content_of
from weft.dialects.codes import CODES
from weft.dialects.translate import KINDS, check, convert, schema_of

GOOD = "hosts: [reviews]\nhttp: [{route: [{destination: {host: reviews}}]}]"


def test_an_unknown_field_is_refused_at_its_key_with_the_name_that_was_meant() -> None:
    (finding,) = checked("VirtualService", "hosts: [a]\nhttp: [{timeOut: 5s, redirect: {uri: /}}]")
    assert (finding.code, finding.path, finding.at_key) == ("W0101", ("spec", "http", 0, "timeOut"), True)
    assert finding.help == 'did you mean "timeout"?'


def test_an_unknown_field_that_resembles_none_gets_the_list_of_fields() -> None:
    (finding,) = checked("PeerAuthentication", "zebra: 1")
    assert finding.help == "the fields here are selector, mtls, portLevelMtls"


@pytest.mark.parametrize(
    ("kind", "spec", "path", "message"),
    [
        (
            "VirtualService",
            "hosts: reviews\nhttp: []",
            "spec.hosts",
            '"hosts" must be a list, not the string "reviews"',
        ),
        ("VirtualService", "hosts: [1]", "spec.hosts.0", '"hosts[0]" must be a string, not the number 1'),
        ("WorkloadEntry", "address: a.b\nweight: '3'", "spec.weight", "must be a whole number, not the string"),
        ("WorkloadEntry", "address: a.b\nweight: true", "spec.weight", '"weight" must be a whole number, not true'),
        ("WorkloadEntry", "address: a.b\nweight: -1", "spec.weight", '"weight" must be at least 0, not the number -1'),
        ("WorkloadEntry", "address: a.b\nlabels: [a]", "spec.labels", '"labels" must be a mapping, not a list'),
        ("PeerAuthentication", "mtls: STRICT", "spec.mtls", '"mtls" must be a mapping, not the string "STRICT"'),
        ("Service", "ports: [{port: 80, targetPort: [1]}]", "spec.ports.0.targetPort", "number or the name of a port"),
    ],
)
def test_a_wrong_type_is_refused_at_its_place(kind: str, spec: str, path: str, message: str) -> None:
    findings = checked(kind, spec)
    assert path in [place for _, place in codes(findings)]
    assert any(message in finding.message for finding in findings)


def test_a_value_that_is_not_among_those_allowed_gets_the_one_that_was_meant() -> None:
    (finding,) = checked("PeerAuthentication", "mtls: {mode: strict}")
    assert (finding.code, finding.help) == ("W0102", 'did you mean "STRICT"?')


def test_a_missing_field_is_refused_where_it_should_be() -> None:
    findings = checked("VirtualService", "hosts: [a]\nhttp: [{route: [{weight: 1}]}]")
    assert codes(findings) == [("W0105", "spec.http.0.route.0.destination")]


@pytest.mark.parametrize("duration", ["5", "5 s", "1d", "", "s", "five", "1s1", "\u0661s", "9" * 50 + "s"])
def test_a_text_that_is_no_duration_is_refused(duration: str) -> None:
    spec = {"hosts": ["a"], "http": [{"redirect": {"uri": "/"}, "timeout": duration}]}
    assert codes(checked("VirtualService", spec)) == [("W0108", "spec.http.0.timeout")]


def test_mistakes_of_shape_and_of_meaning_are_told_at_once() -> None:
    spec = """
    hosts: ["foo.ba!r"]
    htpp: []
    http:
    - timeout: 1ns
      route:
      - destination: {host: reviews}
        weight: ten
      - destination: {host: reviews, subest: v2}
        weight: -5
    """
    assert sorted(codes(checked("VirtualService", spec))) == [
        ("W0101", "spec.htpp"),
        ("W0101", "spec.http.0.route.1.destination.subest"),
        ("W0102", "spec.http.0.route.0.weight"),
        ("W0104", "spec.http.0.route.1.weight"),
        ("W0107", "spec.hosts.0"),
        ("W0108", "spec.http.0.timeout"),
    ]


def test_nothing_follows_from_what_was_not_understood() -> None:
    spec = (
        "hosts: [reviews]\nhttp: [{route: [{destination: {host: a}, weight: x}, {destination: {host: b}, weight: 0}]}]"
    )
    assert codes(checked("VirtualService", spec)) == [("W0102", "spec.http.0.route.0.weight")]


def test_null_is_unset() -> None:
    spec = "hosts: [reviews]\ntls: null\nhttp: [{timeout: null, route: [{destination: {host: a, subset: null}}]}]"
    assert checked("VirtualService", spec) == ()


@pytest.mark.parametrize("content", [None, 5, "x", [], {}, {"metadata": None}, {"spec": 1, "metadata": 2, "kind": []}])
def test_what_is_no_document_at_all_is_refused(content: Any) -> None:
    for kind in KINDS:
        assert check(kind, content)


def test_another_version_or_kind_is_refused() -> None:
    content = content_of("VirtualService", GOOD) | {"apiVersion": "networking.istio.io/v2", "kind": "Gateway"}
    findings = check(BY_NAME["VirtualService"], content)
    assert codes(findings) == [("W0126", "kind"), ("W0126", "apiVersion")]
    assert "networking.istio.io/v1beta1" in findings[1].help


@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha3"])
def test_older_versions_are_accepted_and_converted(version: str) -> None:
    content = content_of("VirtualService", GOOD) | {"apiVersion": f"networking.istio.io/{version}"}
    assert check(BY_NAME["VirtualService"], content) == ()
    converted = convert(BY_NAME["VirtualService"], content)
    assert converted == content | {"apiVersion": "networking.istio.io/v1"}


@pytest.mark.parametrize(
    ("metadata", "path"),
    [
        ({"name": ""}, "metadata"),
        ({"name": "Upper"}, "metadata.name"),
        ({"name": "a..b"}, "metadata.name"),
        ({"name": "x" * 254}, "metadata.name"),
        ({"name": "a", "namespace": "a.b"}, "metadata.namespace"),
        ({"name": "a", "labels": {"a b": "c"}}, "metadata.labels.a b"),
        ({"name": "a", "labels": {"a": "-c"}}, "metadata.labels.a"),
        ({"name": "a", "labels": {"x/y/z": "c"}}, "metadata.labels.x/y/z"),
        ({"name": "a", "annotations": {"a": "x" * 300_000}}, "metadata.annotations"),
    ],
)
def test_metadata_that_kubernetes_refuses_is_refused(metadata: dict[str, Any], path: str) -> None:
    content = content_of("VirtualService", GOOD) | {"metadata": metadata}
    assert path in [place for _, place in codes(check(BY_NAME["VirtualService"], content))]


def test_a_name_that_the_server_makes_may_be_missing() -> None:
    content = content_of("VirtualService", GOOD) | {"metadata": {"generateName": "canary-"}}
    assert check(BY_NAME["VirtualService"], content) == ()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_a_schema_is_self_contained_and_says_what_everything_is(kind: Any) -> None:
    schema = schema_of(kind, kind.versions[0])

    def walk(node: Any, place: str) -> None:
        assert "$ref" not in node, place
        assert "anyOf" not in node, place
        assert node.get("description"), place
        assert "type" in node or any(key.startswith("x-kubernetes") for key in node), place
        for name, field in node.get("properties", {}).items():
            walk(field, f"{place}.{name}")
        if node.get("properties") and "items" in node:
            walk(node["items"], f"{place}[]")

    walk(schema, kind.kind)
    properties = set(schema["properties"])  # type: ignore[call-overload]
    own = properties - {"apiVersion", "kind", "metadata"}
    assert len(properties) == len(own) + 3
    assert own and not own & {"spec", "status"} if kind.flat else own == {"spec", "status"}


def test_every_code_has_a_line_of_its_own() -> None:
    assert len(set(CODES.values())) == len(CODES)
    assert all(code[0] == "W" and len(code) == 5 for code in CODES)


def test_every_code_that_is_used_is_explained_and_every_explained_one_is_used() -> None:
    source = "".join(path.read_text() for path in Path(weft.__file__).parent.rglob("*.py") if path.name != "codes.py")
    used = set(re.findall(r'"(W0[0-9]{3})"', source))
    assert {code for code in used if not code.startswith("W03")} == set(CODES)
