"""What must hold of any policies and any request, of the policies alone and of a real Envoy."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import re2
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.authorization.asking import question_of
from tests.authorization.cases import mesh_of, needs_data
from tests.authorization.random_policies import policies, policy, requests, rules, tokens_checked
from tests.authorization.rig import Rig, node_of, rig
from tests.authorization.test_cases import request_of
from weft.compiler.access.conditions import Port, Reading, condition
from weft.compiler.access.predicates import Predicate
from weft.compiler.resources import resources_of
from weft.dialects.link import link
from weft.dialects.translate import fragment_of
from weft.explain.access import Outcome, Verdict, verdict_of
from weft.model.authorization import Attribute, Condition
from weft.model.document import Document, Key
from weft.model.match import Exact
from weft.model.mesh import Mesh
from weft.model.settings import PathNormalization, Settings
from weft.view.access import Guards
from weft.view.access_policies import guards_of
from weft.view.build import view_of

pytestmark = needs_data
LIVE = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
HARD = Settings(root_namespace="mesh-system")
AS_ISTIO = Settings(root_namespace="mesh-system", hardened=False, paths=PathNormalization.BASE)
NODE = node_of({"http": 1, "http2": 2, "grpc": 3, "tcp": 4}, 5, {"app": "httpbin", "version": "v1"})


def guards_for(written: list[dict[str, Any]], chosen: Settings = HARD) -> Guards:
    return guards_of(mesh_of(written, chosen), NODE)


def allowed(guards: Guards, said: dict[str, Any]) -> bool:
    question = question_of(said, said["port"])
    assert question is not None
    return verdict_of(guards, question).outcome is Outcome.ALLOWED


@given(policies(), rules(), requests(), st.sampled_from([HARD, AS_ISTIO]))
def test_p1_another_deny_never_lets_anything_pass(written: Any, rule: Any, said: Any, chosen: Settings) -> None:
    more = [*written, policy("more", "DENY", [rule])]
    assert allowed(guards_for(written, chosen), said) or not allowed(guards_for(more, chosen), said)


@given(policies(), rules(), requests(), st.sampled_from([AS_ISTIO]))
def test_p2_another_allow_beside_one_never_stops_anything(written: Any, rule: Any, said: Any, chosen: Settings) -> None:
    written = [*written, policy("one", "ALLOW", [{"to": [{"operation": {"paths": ["/never"]}}]}])]
    more = [*written, policy("more", "ALLOW", [rule])]
    assert not allowed(guards_for(written, chosen), said) or allowed(guards_for(more, chosen), said)


@given(policies(), st.randoms(use_true_random=False))
def test_p3_the_order_of_documents_changes_nothing_that_is_sent(written: Any, random: Any) -> None:
    shuffled = list(written)
    random.shuffle(shuffled)
    assert resources_of(view_of(mesh_of(written, HARD), NODE)) == resources_of(view_of(mesh_of(shuffled, HARD), NODE))


@given(policies(), requests())
def test_p4_a_name_changes_no_verdict(written: Any, said: Any) -> None:
    renamed = [{**one, "metadata": {"name": f"x-{one['metadata']['name']}"}} for one in reversed(written)]
    assert allowed(guards_for(written), said) == allowed(guards_for(renamed), said)


@given(st.text(st.characters(codec="ascii", exclude_characters="?#{}*", min_codepoint=33), min_size=1, max_size=12))
@example("a.b")
@example(r"\d+(x|y)[z]^$")
def test_p8_no_text_of_a_policy_is_an_expression(text: str) -> None:
    other = "".join("~" if letter in r"\.+*?()|[]{}^$" else letter for letter in text)
    for attribute, begun in ((Attribute.PATH, "/"), (Attribute.HOST, ""), (Attribute.ACCOUNT, "ns/")):
        for reading in Reading:
            wanted = Condition(attribute=attribute, any_of=(Exact(value=f"{begun}{text}"),))
            predicate = condition(wanted, Port(numbers=(80,)), reading)
            assert isinstance(predicate, Predicate)
            regex = predicate.single_predicate.value_match.safe_regex.regex
            if not regex:
                continue
            fits = [begun + text, f"spiffe://cluster.local/ns/ns/sa/{text}"]
            others = [begun + other, f"spiffe://cluster.local/ns/ns/sa/{other}"]
            assert any(re2.fullmatch(regex, one) for one in fits), regex
            assert other == text or not any(re2.fullmatch(regex, one) for one in others), regex


def _stored(content: bytes, kind: str = "AuthorizationPolicy") -> Mesh:
    key = Key(group="security.istio.io", kind=kind, namespace="foo", name="broken")
    return link((fragment_of(Document(key=key, content=content), HARD),), HARD, 1)


@pytest.mark.parametrize("kind", ["AuthorizationPolicy", "RequestAuthentication"])
@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b'{"apiVersion":"security.istio.io/v1","kind":"AuthorizationPolicy","metadata":{"name":"broken"},"spec":{"x":1}}',
        json.dumps({"spec": {"selector": {"matchLabels": {"app": "httpbin"}}, "action": "allow"}}).encode(),
        json.dumps({"spec": {"selector": {"matchLabels": 7}}}).encode(),
    ],
)
def test_p9_a_policy_that_cannot_be_read_denies_and_says_so(content: bytes, kind: str) -> None:
    mesh = _stored(content, kind)
    assert "W0252" in {finding.code for finding in mesh.findings}
    said = {"from": "client", "port": "http"}
    assert not allowed(guards_of(mesh, NODE), said)


@pytest.mark.parametrize(("mode", "told"), [("PERMISSIVE", True), ("STRICT", False)])
def test_a_rule_that_denies_by_identity_is_warned_of_where_callers_need_none(mode: str, told: bool) -> None:
    denies = policy("p", "DENY", [{"from": [{"source": {"namespaces": ["foo"]}}]}])
    mesh = mesh_of([denies], HARD, mtls=mode)
    assert ("W0254" in {finding.code for finding in mesh.findings}) is told


def test_p9_a_policy_that_cannot_be_read_is_closed_for_its_own_workloads_only() -> None:
    mesh = _stored(json.dumps({"spec": {"selector": {"matchLabels": {"app": "other"}}, "action": "allow"}}).encode())
    assert allowed(guards_of(mesh, NODE), {"from": "client", "port": "http"})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with rig(tmp_path_factory.mktemp("properties"), mesh_of([], HARD)) as made:
        yield made


def ask(server: Rig, said: dict[str, Any]) -> tuple[bool, str]:
    """What Envoy does, and the path that the application got."""
    outcome = server.call(request_of(said, server))
    assert outcome.verdict in ("allow", "deny"), (said, outcome)
    return outcome.verdict == "allow", outcome.path


def verdict(server: Rig, guards: Guards, said: dict[str, Any], *, merges: bool) -> Verdict:
    question = question_of(said, said["port"], server.ports[said["port"]])
    assert question is not None
    return verdict_of(guards, question, merges_slashes=merges)


@pytest.mark.parametrize("chosen", [HARD, AS_ISTIO], ids=["hardened", "istio"])
def test_p5_envoy_decides_as_the_policies_alone_do(server: Rig, chosen: Settings) -> None:
    @LIVE
    @given(policies(), st.lists(requests(), min_size=4, max_size=8))
    def compare(written: list[dict[str, Any]], asked: list[dict[str, Any]]) -> None:
        mesh = mesh_of([tokens_checked(), *written], chosen)
        server.serve(mesh)
        guards = guards_of(mesh, server.node)
        merges = chosen.hardened and guards.reads(Attribute.PATH)
        for said in asked:
            decided = verdict(server, guards, said, merges=merges)
            arrived, path = ask(server, said)
            assert arrived is (decided.outcome is Outcome.ALLOWED), (said, decided, written)
            if arrived and said["port"] != "tcp":
                # P7: what the application got is allowed too.
                again = verdict(server, guards, said | {"path": path}, merges=merges)
                assert again.outcome is Outcome.ALLOWED, (said, path)

    compare()


_SPELLINGS = {
    "/a/b": ("/a/./b", "/a/c/../b", "/%61/b", "/a/%62", "/a//b"),
    "/admin": ("/x/../admin", "//admin", "/%61dmin"),
}


def test_p6_a_path_is_judged_however_it_is_spelled(server: Rig) -> None:
    @settings(LIVE, max_examples=15)
    @given(policies(), requests(), st.sampled_from(sorted(_SPELLINGS)))
    def compare(written: list[dict[str, Any]], said: dict[str, Any], path: str) -> None:
        mesh = mesh_of(
            [*written, policy("reads-paths", "DENY", [{"to": [{"operation": {"paths": ["/never"]}}]}])], HARD
        )
        server.serve(mesh)
        plain = {**said, "port": "http", "path": path, "headers": []}
        wanted = ask(server, plain)[0]
        for spelled in _SPELLINGS[path]:
            assert ask(server, plain | {"path": spelled})[0] is wanted, (spelled, written)

    compare()
