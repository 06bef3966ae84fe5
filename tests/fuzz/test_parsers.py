"""Every reader of what others send: whatever comes, it says what is wrong in its own words or it reads it.

``make check`` tries a few inputs of each, the thorough run of CI many more; ``--hypothesis-seed`` tries others.
"""

import base64
import contextlib
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from weft.agent.config import parse_port, parse_probe, parse_upstream
from weft.agent.grpc_frames import framed, take_messages
from weft.api.bodies import from_json, from_yaml
from weft.api.errors import ApiError
from weft.api.lists import decode_token
from weft.api.patch import json_patch, merge_patch
from weft.api.protobuf import from_protobuf
from weft.api.selectors import parse_selector
from weft.ca.csr import BadRequest, key_of
from weft.ca.peer import peer_of
from weft.dialects.istio.checks.access_values import fault_in_template
from weft.dialects.istio.claims import claim_of
from weft.dialects.syntax import fault_in_domain, fault_in_wildcard_domain, is_ip, is_subnet, milliseconds
from weft.dialects.wire import is_duration
from weft.explain.call import parse_call
from weft.explain.claims import _payload as claims_of
from weft.jwks.errors import Unfetched
from weft.jwks.key_sets import public_keys
from weft.jwks.tokens import issuer_of
from weft.kit.errors import PeerError, UserError, WeftError
from weft.kit.yaml import YamlError, parse_yaml
from weft.model.identity import Identity, parse_identity
from weft.observe.breakers import BadReport, BreakerBoard
from weft.observe.shipping.destination import destination_of
from weft.registry.registration import BadRegistration, check_name, parse_registration
from weft.view.node import parse_node
from weft.xds.introduction import Unauthenticated, identity_of, introduce
from weft.xds.session import Variant
from weft.xds.wire import read_delta, read_sotw

FUZZ = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
ME = Identity(trust_domain="cluster.local", namespace="shop", account="web")
WORDS = st.sampled_from(
    [
        *("", " ", "a", "A", "shop", "*", "{*}", "{**}", "/", "//", "..", "%2e", "%00", "\x00", "\n", "\r\n", "\ud800"),
        *("é", "\u202e", "://", "spiffe://", "https://", ":", "@", "[", "]", "[::1]", "0", "-1", "65536", "1" * 5_000),
        *("1e999", "null", "true", "{", "}", "(", "!", "!=", "in", "notin", ",", "=", "==", "1s", "1h1m", "9" * 400),
        *("@request.auth.claims", "@request.auth.claims.", "[a][b", "ns", "sa", "weft_join_", "-----BEGIN", "'", '"'),
    ]
)
TEXTS = st.text(max_size=40) | st.lists(WORDS | st.text(max_size=4), max_size=12).map("".join)
BYTES = st.binary(max_size=200) | TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass"))
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def _json(tree: Any) -> bytes:
    return json.dumps(tree).encode()


JSON = TREES.map(_json) | BYTES


def _shaped(**fields: Any) -> "st.SearchStrategy[bytes]":
    """JSON objects that have some of the fields, often of the right type."""
    return st.fixed_dictionaries({}, optional={**fields, "odd": TREES}).map(_json) | JSON


def survives(read: Callable[[Any], Any], given: Any, *errors: type[Exception]) -> None:
    with contextlib.suppress(*errors):
        read(given)


OF_TEXT: dict[str, tuple[Callable[[str], Any], tuple[type[Exception], ...]]] = {
    "YAML": (lambda text: parse_yaml(text, "x.yaml"), (YamlError,)),
    "an identity": (parse_identity, (ValueError,)),
    "a path template": (fault_in_template, ()),
    "a claim": (claim_of, ()),
    "a domain": (fault_in_domain, ()),
    "a wildcard domain": (fault_in_wildcard_domain, ()),
    "an address": (is_ip, ()),
    "a network": (is_subnet, ()),
    "a duration": (lambda text: milliseconds(text) if is_duration(text) else None, ()),
    "a selector of labels": (lambda text: parse_selector(text, ""), (ApiError,)),
    "a selector of fields": (lambda text: parse_selector("", text), (ApiError,)),
    "a place in a list": (decode_token, (ApiError,)),
    "an issuer": (issuer_of, ()),
    "a name of a workload": (check_name, (BadRegistration,)),
    "a port": (parse_port, (UserError,)),
    "an upstream": (parse_upstream, (UserError,)),
    "a probe": (parse_probe, (UserError,)),
    "a URL to explain": (lambda text: parse_call("GET", text), (UserError,)),
    "a method to explain": (lambda text: parse_call(text, "http://a/", ((text, text),)), (UserError,)),
    "a place for audit lines": (destination_of, (UserError,)),
    "an introduction": (lambda text: parse_node(ME, "web.shop", text), (PeerError,)),
}


@pytest.mark.parametrize("name", OF_TEXT)
def test_no_text_breaks_its_reader(name: str) -> None:
    read, errors = OF_TEXT[name]

    @FUZZ
    @given(TEXTS)
    def tried(text: str) -> None:
        survives(read, text, *errors)

    tried()


OF_BYTES: dict[str, tuple[Callable[[bytes], Any], tuple[type[Exception], ...]]] = {
    "a body of JSON": (from_json, (ApiError,)),
    "a body of YAML": (from_yaml, (ApiError,)),
    "a body of Kubernetes' binary form": (lambda body: from_protobuf(b"k8s\x00" + body), (ApiError,)),
    "a registration": (parse_registration, (BadRegistration,)),
    "a request for a certificate": (key_of, (BadRequest,)),
    "a key set": (public_keys, (Unfetched,)),
    "a message of xDS": (read_sotw, (PeerError,)),
    "a message of incremental xDS": (read_delta, (PeerError,)),
    "an introduction": (lambda body: introduce(ME, body, Variant.DELTA), (PeerError,)),
    "a name in a certificate": (lambda body: identity_of({"peer_uri": [body]}), (Unauthenticated,)),
    "frames of gRPC": (lambda body: take_messages(bytearray(body)), (PeerError,)),
}


@pytest.mark.parametrize("name", OF_BYTES)
def test_no_bytes_break_their_reader(name: str) -> None:
    read, errors = OF_BYTES[name]

    @FUZZ
    @given(JSON)
    def tried(content: bytes) -> None:
        survives(read, content, *errors)

    tried()


PORTS = st.lists(
    st.fixed_dictionaries(
        {"port": st.integers(-1, 70_000), "bind_port": st.integers(-1, 70_000)},
        optional={"protocol": st.sampled_from(["http", "tcp", "x"]), "name": TEXTS},
    ),
    max_size=3,
)
REGISTRATIONS = _shaped(
    service=st.sampled_from(["web", "Web", ""]) | TEXTS,
    address=st.sampled_from(["127.0.0.1", "::1", "0.0.0.0", "x"]) | TEXTS,
    labels=st.dictionaries(TEXTS, TEXTS, max_size=3),
    ports=PORTS,
    weight=st.integers(-1, 2**70),
    locality=TEXTS,
    version=TEXTS,
)


@FUZZ
@given(REGISTRATIONS)
def test_a_registration_that_is_taken_has_nothing_odd_in_it(body: bytes) -> None:
    try:
        said = parse_registration(body)
    except BadRegistration:
        return
    assert said.service.isascii()
    assert is_ip(said.address)
    assert all(0 < port.port < 65_536 for port in said.ports)
    assert not any(letter in f"{said.labels}{said.version}" for letter in "\n\r\x00\x1b")


NODES = _shaped(
    namespace=st.sampled_from(["shop", "bank"]) | TEXTS,
    workload=st.sampled_from(["web", ""]) | TEXTS,
    labels=st.lists(st.tuples(TEXTS, TEXTS), max_size=3),
    inlets=TREES,
    outlets=TREES,
    http_proxy=st.tuples(TEXTS, st.integers()) | TREES,
    gateway=TREES,
    metadata=TREES,
)


@FUZZ
@given(NODES, st.sampled_from(["web.shop", "web.bank", "", "x"]) | TEXTS)
def test_a_node_that_is_let_in_is_of_its_certificates_namespace(said: bytes, node_id: str) -> None:
    try:
        node = parse_node(ME, node_id, said.decode("latin-1"))
    except PeerError:
        return
    assert node.namespace == "shop"
    assert node.id == f"{node.workload}.shop"
    assert node.identity == ME


@FUZZ
@given(TEXTS)
def test_an_identity_that_is_read_is_written_the_same(text: str) -> None:
    for uri in (text, f"spiffe://cluster.local/ns/shop/sa/{text}", f"spiffe://{text}/ns/shop/sa/web"):
        with contextlib.suppress(ValueError):
            assert parse_identity(uri).uri == uri
            assert not set(uri) & set("%?#@ \n\x00") - {"@"}


@FUZZ
@given(st.lists(TEXTS, max_size=3), TREES)
def test_a_certificate_with_any_names_is_somebody_or_nobody(names: list[str], odd: Any) -> None:
    peer = peer_of({"subjectAltName": tuple(("URI", name) for name in names)})
    assert peer is None or [peer.uri] == names
    if not isinstance(odd, dict):
        peer_of(None)


@FUZZ
@given(TREES, TREES)
def test_any_patch_of_anything_is_made_or_refused(target: Any, patch: Any) -> None:
    merge_patch(target, patch)
    operations = patch if isinstance(patch, list) else [patch]
    if isinstance(target, dict):
        survives(lambda one: json_patch(target, one), operations, ApiError)


OPERATIONS = st.lists(
    st.fixed_dictionaries(
        {
            "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]) | TEXTS,
            "path": st.sampled_from(["", "/", "/a", "/a/0", "/a/-", "/a/b/c", "/~0", "/~1", "/~2", "a"]) | TEXTS,
        },
        optional={"value": TREES, "from": st.sampled_from(["", "/a", "/a/0"]) | TEXTS},
    ),
    max_size=4,
)


@FUZZ
@given(st.fixed_dictionaries({"a": st.lists(TREES, max_size=3)}, optional={"b": TREES}), OPERATIONS)
def test_any_json_patch_is_made_or_refused(target: dict[str, Any], operations: Any) -> None:
    before = json.dumps(target)
    survives(lambda one: json_patch(target, one), operations, ApiError)
    assert json.dumps(target) == before


@FUZZ
@given(st.lists(st.binary(max_size=60), max_size=5), st.integers(0, 400), BYTES)
def test_frames_that_come_in_pieces_are_the_messages_that_were_sent(
    messages: list[bytes], cut: int, junk: bytes
) -> None:
    stream = b"".join(framed(message) for message in messages)
    buffer, read = bytearray(stream[:cut]), []
    read += take_messages(buffer)
    buffer += stream[cut:]
    read += take_messages(buffer)
    assert read == messages
    survives(take_messages, bytearray(stream[:cut] + junk), PeerError)


@FUZZ
@given(st.lists(TEXTS, min_size=3, max_size=3), TREES)
@example(["a", base64.urlsafe_b64encode(b"[" * 50_000).decode(), "c"], None)
def test_any_token_has_claims_or_none(parts: list[str], claims: Any) -> None:
    body = base64.urlsafe_b64encode(_json(claims)).decode()
    for token in (".".join(parts), f"{parts[0]}.{body}.{parts[2]}"):
        found = claims_of(token)
        assert found is None or isinstance(found, dict)
        issuer_of(token)


@FUZZ
@given(JSON, TEXTS)
@example(b'{"breakers":' + b'{"a":' * 50_000, "x")
def test_any_report_of_an_agent_is_taken_or_refused(content: bytes, workload: str) -> None:
    board = BreakerBoard(_Clock())
    survives(lambda body: board.tell(ME, workload, body), content, BadReport)
    board.statuses()
    board.metrics()


class _Clock:
    def now(self) -> float:
        return 0.0

    def monotonic(self) -> float:
        return 0.0


@FUZZ
@given(JSON)
def test_errors_of_peers_are_short_and_of_one_line(content: bytes) -> None:
    """They are logged, and told to others."""
    readers: list[Callable[[bytes], Any]] = [
        parse_registration,
        key_of,
        public_keys,
        lambda body: introduce(ME, body, Variant.SOTW),
        lambda body: parse_node(ME, "x.shop", body.decode("latin-1")),
    ]
    said = [told for read in readers if (told := _refusal(read, content)) is not None]
    assert all(len(one) < 600 for one in said)
    assert not [one for one in said if any(letter in one for letter in "\r\n\x00\x1b")]


def _refusal(read: Callable[[bytes], Any], content: bytes) -> str | None:
    try:
        read(content)
    except WeftError as wrong:
        return str(wrong)
    return None


@FUZZ
@given(TREES)
def test_what_msgspec_cannot_write_is_not_among_what_it_read(tree: Any) -> None:
    """What is stored is written again: a body that was read can be."""
    with contextlib.suppress(ApiError):
        msgspec.json.encode(from_json(_json(tree)))
