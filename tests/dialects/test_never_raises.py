"""Whatever is written, it becomes findings, never an exception."""

import copy
import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dialects.documents import BY_NAME, content_of
from weft.dialects.analysis.analyses import analysed
from weft.dialects.findings import Here
from weft.dialects.istio.checks import virtual_service
from weft.dialects.link import link
from weft.dialects.translate import KINDS, check, fragment_of
from weft.model.document import Document, Key
from weft.model.settings import Settings

RICH = {
    "VirtualService": """
        hosts: [reviews, "*.example.com"]
        gateways: [mesh, a/b]
        exportTo: ["."]
        http:
        - name: a
          match:
          - {uri: {prefix: /a}, headers: {x: {exact: y}}, withoutHeaders: {z: {}}, port: 80}
          - {queryParams: {q: {regex: a+}}}
          - {method: {exact: GET}, sourceLabels: {app: web}, scheme: {exact: http}, authority: {prefix: a}}
          route:
          - {destination: {host: reviews, subset: v1, port: {number: 80}}, weight: 10, headers: {request: {add: {}}}}
          - {destination: {host: reviews, subset: v2}, weight: 90}
          rewrite: {uri: /b, authority: x}
          timeout: 5s
          retries: {attempts: 3, perTryTimeout: 1s, retryOn: "5xx,503"}
          fault: {delay: {fixedDelay: 1s, percentage: {value: 1}}, abort: {grpcStatus: INTERNAL}}
          mirrors: [{destination: {host: reviews}, percentage: {value: 5}}]
          headers: {response: {remove: [x]}}
        - {match: [{uri: {exact: /r}}], redirect: {uri: /x, redirectCode: 302}}
        - {match: [{uri: {regex: /d.*}}], directResponse: {status: 503, body: {bytes: aGk=}}}
        """,
    "DestinationRule": """
        host: reviews
        trafficPolicy:
          loadBalancer:
            consistentHash: {httpCookie: {name: a, ttl: 0s}, maglev: {tableSize: 65537}}
            warmup: {duration: 5s}
          connectionPool: {tcp: {maxConnections: 1, tcpKeepalive: {time: 1s}}, http: {h2UpgradePolicy: UPGRADE}}
          outlierDetection: {consecutive5xxErrors: 1, interval: 1s}
          portLevelSettings: [{port: {number: 80}, tls: {mode: DISABLE}}]
        subsets: [{name: v1, labels: {version: v1}, trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}}]
        """,
    "ServiceEntry": """
        hosts: [a.example.com]
        addresses: [10.0.0.0/8]
        ports: [{number: 80, name: http, protocol: HTTP, targetPort: 81}]
        resolution: STATIC
        endpoints: [{address: 10.0.0.1, ports: {http: 82}, labels: {a: b}, weight: 3}]
        """,
    "WorkloadEntry": "{address: 10.0.0.1, ports: {http: 80}, labels: {a: b}, weight: 1, locality: a/b}",
    "PeerAuthentication": "{selector: {matchLabels: {a: b}}, mtls: {mode: STRICT}, portLevelMtls: {80: {mode: UNSET}}}",
    "Service": "{selector: {a: b}, clusterIP: None, ports: [{port: 80, name: a, targetPort: web, appProtocol: http}]}",
    "Namespace": "{finalizers: [kubernetes]}",
}

WORDS = st.sampled_from(
    [
        "",
        "*",
        ".",
        "~",
        "a",
        "mesh",
        "reviews",
        "1s",
        "-1s",
        "0",
        "80",
        "(",
        "[",
        "%",
        "a/b",
        "é",
        "x" * 300,
        "\x00",
        "\ud800",
    ]
)
NUMBERS = st.sampled_from([0, 1, -1, 80, 101, 65_536, 2**32, -(2**70), 10**400, 0.5, 1e308])
TREES = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a tree."""
    steps = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path, *(place for step, inner in steps for place in places(inner, (*path, step)))]


def replaced(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The tree with something else in one place."""
    if not path:
        return value
    made = copy.copy(tree)
    made[path[0]] = replaced(tree[path[0]], path[1:], value)
    return made


def survives(kind: str, content: Any) -> None:
    """Check it, translate it, link it, analyze it beside another like it."""
    findings = check(BY_NAME[kind], content)
    key = Key(group=BY_NAME[kind].group, kind=kind, namespace="shop", name="sample")
    fragment = fragment_of(Document(key=key, content=json.dumps(content).encode()), Settings())
    assert "W0150" not in [finding.code for finding in (*findings, *fragment.findings)], fragment.findings
    mesh = link((fragment,), Settings(), 1)
    assert all(finding.document == key for finding in mesh.findings)
    if isinstance(content, dict):
        told = analysed([(key, content), (msgspec.structs.replace(key, name="other"), content)], "2026-01-01T00:00:00")
        assert all(finding.document is not None for finding in told)


def test_the_documents_that_are_spoiled_here_are_good() -> None:
    for kind, spec in RICH.items():
        findings = check(BY_NAME[kind], content_of(kind, spec))
        assert [finding for finding in findings if finding.severity.value == "error"] == []


@settings(max_examples=3 * settings.default.max_examples, deadline=None)
@given(st.data())
def test_no_spoiled_document_raises(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(RICH)))
    content = content_of(kind, RICH[kind])
    for _ in range(data.draw(st.integers(1, 3))):
        content = replaced(content, data.draw(st.sampled_from(places(content))), data.draw(TREES))
    survives(kind, content)


@settings(deadline=None)
@given(st.sampled_from(KINDS), TREES)
def test_no_json_at_all_raises(kind: Any, content: Any) -> None:
    survives(kind.kind, content)


def test_bytes_that_are_no_json_become_a_finding() -> None:
    key = Key(group="", kind="Service", namespace="shop", name="sample")
    for content in (b"", b"{", b"\xff", b"[" * 100_000, b"1" * 10_000):
        fragment = fragment_of(Document(key=key, content=content), Settings())
        assert fragment.findings
        assert fragment.services == ()


def test_a_kind_that_is_not_served_becomes_a_finding() -> None:
    key = Key(group="x.example", kind="Thing", namespace="shop", name="sample")
    (finding,) = fragment_of(Document(key=key, content=b"{}"), Settings()).findings
    assert finding.code == "W0126"


def test_a_bug_loses_one_document_and_nothing_else(monkeypatch: Any) -> None:
    def fails(*_: object, **__: object) -> Any:
        yield Here().warning("W0128", "begins well")
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(virtual_service, "check_http_route", fails)
    key = Key(group="networking.istio.io", kind="VirtualService", namespace="shop", name="unlucky")
    spec = "hosts: [a]\nhttp: [{redirect: {uri: /bug}}]"
    document = Document(key=key, content=json.dumps(content_of("VirtualService", spec, "unlucky")).encode())
    (finding,) = fragment_of(document, Settings()).findings
    assert (finding.code, finding.document) == ("W0150", key)
    assert "ZeroDivisionError" in finding.message
