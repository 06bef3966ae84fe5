"""Policies that istiod compiled: what it made of them and what weft understands let the same requests pass."""

import json
import random
import re
from collections import Counter
from typing import Any

import pytest
import yaml

from tests.authorization.envoy_rules import logged, passes, tried
from tests.dialects.recorded import DATA, lines, needs_data
from weft.dialects.istio.serve import SERVED
from weft.dialects.istio.translate.authorization_policy import translate
from weft.dialects.link_access import linked_access
from weft.dialects.metadata import ObjectMeta
from weft.dialects.served import Subject
from weft.explain.access import Outcome, verdict_of
from weft.explain.question import Question
from weft.model.authorization import AccessPolicy, Action
from weft.model.document import Key, Origin
from weft.model.provider import Authorizer, HttpCheck
from weft.model.settings import Settings
from weft.view.access import Check, Guards, in_trust_domains
from weft.view.access_policies import holds_for

pytestmark = needs_data
CASES: list[dict[str, Any]] = json.loads((DATA / "authz/cases.json").read_text()) if DATA.is_dir() else []
DOMAINS = {
    "trust-domain-one-alias": ("td1", "cluster.local"),
    "trust-domain-multiple-aliases": ("td1", "cluster.local", "some-td"),
}
DOMAINS |= {"trust-domain-wildcard-in-principal": ("td1", "foobar")}
SELECTIONS = list(lines("authz/selection_cases.jsonl"))
ASKED = 300
_SPEC = next(one.spec for one in SERVED if one.kind.kind == "AuthorizationPolicy")


def policies_of(case: dict[str, Any]) -> tuple[AccessPolicy, ...]:
    """Read without weft's own checks, which refuse methods in lower case."""
    found = []
    for content in yaml.safe_load_all(case["input_yaml"]):
        if content is None:
            continue
        metadata = content["metadata"]
        key = Key(kind="AuthorizationPolicy", name=metadata["name"], namespace=metadata["namespace"])
        subject = Subject(
            key=key,
            origin=Origin(key=key),
            metadata=ObjectMeta.model_validate(metadata),
            status={},
            settings=Settings(),
        )
        found += translate(_SPEC.model_validate(content["spec"]), subject).access_policies
    domains = DOMAINS.get(case["name"], ("cluster.local",))
    return tuple(in_trust_domains(one, domains) for one in linked_access(found, (), Settings()).policies)


def guards_of(case: dict[str, Any]) -> Guards:
    policies = policies_of(case)
    provider = next((one.provider for one in policies if one.action is Action.CUSTOM), "")
    http = (
        HttpCheck()
        if "http" in case["name"] and "grpc" not in case["name"] and case["name"] != "custom-both-http-tcp"
        else None
    )
    if case["name"] == "custom-only-http":
        http = HttpCheck()
    authorizer = None if "bad" in case["name"] else Authorizer(service="authz", port=9000, http=http)
    check = Check(provider=provider, authorizer=authorizer) if provider else None
    return Guards(policies=policies, check=check, hardened=False, trust_domains=DOMAINS.get(case["name"], ()))


def questions(case: dict[str, Any]) -> list[Question]:
    """Requests with the values that the policies name, and with others that are nearly so."""
    words = sorted(set(re.findall(r'"([^"]+)"', case["input_yaml"])) | {"other"})
    chosen = random.Random(case["name"])

    def word(*fitting: str) -> str:
        text = chosen.choice([*fitting, *(one for one in words if len(one) < 60)])
        return text.replace("{**}", "x/y").replace("{*}", "x").replace("*", chosen.choice(["", "mid"]))

    def address() -> str:
        known = [
            one.partition("/")[0] for one in words if re.fullmatch(r"[0-9.]+(/[0-9]+)?", one) and one.count(".") == 3
        ]
        return chosen.choice([*known, "11.11.11.11"])

    def principals() -> str:
        return chosen.choice(
            [
                word(),
                f"td1/ns/{word()}/sa/{word()}",
                f"cluster.local/ns/{word('foo', 'ns', 'my-ns')}/sa/{word('my-sa')}",
                "",
            ]
        )

    def claims() -> dict[str, Any] | None:
        if chosen.random() < 0.3:
            return None
        listed = chosen.choice([word("aud"), [word(), word()]])
        return {"iss": word("iss"), "sub": word("sub"), "aud": listed, "azp": word(), "nested1": {"nested2": word()}}

    def question() -> Question:
        ports = [int(one) for one in words if one.isdigit()] or [80]
        return Question(
            caller=principals(),
            source_ip=address(),
            remote_ip=address(),
            own_ip=address(),
            ports=(chosen.choice([*ports, 1234]),),
            server_name=word(),
            bytes_only=case["kind"] == "tcp",
            method=word("GET"),
            path=word("/exact"),
            host=word("exact.com"),
            headers=(("x-header", word("header")),) if chosen.random() < 0.7 else (),
            claims=claims() if case["kind"] == "http" else None,
            metadata={"envoy.filters.a.b": {"c": word("exact")}} if chosen.random() < 0.5 else {},
        )

    return [question() for _ in range(ASKED)]


@pytest.mark.parametrize("case", CASES, ids=[f"{case['kind']}-{case['name']}" for case in CASES])
def test_the_same_requests_pass_as_with_what_istiod_made(case: dict[str, Any]) -> None:
    guards = guards_of(case)
    words = {Outcome.ALLOWED: "allowed", Outcome.DENIED: "denied", Outcome.ASKED: "asked"}
    seen: Counter[str] = Counter()
    for question in questions(case):
        said = verdict_of(guards, question)
        wanted = passes(case["out"], question)
        seen[wanted] += 1
        assert words[said.outcome] == wanted, (question, said)
        assert bool(said.audited) is logged(case["out"], question)
        denied = any(policy.action is Action.DENY for policy, _ in said.tried)
        assert denied is tried(case["out"], question, "DENY")
        allowed = any(policy.action is Action.ALLOW and made is Outcome.ALLOWED for policy, made in said.tried)
        assert allowed is tried(case["out"], question, "ALLOW")
    assert seen


@pytest.mark.parametrize("case", SELECTIONS, ids=[case["test"].partition("/")[2] for case in SELECTIONS])
def test_the_same_policies_hold_as_in_istiod(case: dict[str, Any]) -> None:
    if case["is_waypoint"]:
        pytest.skip("weft has no waypoints")
    policies = []
    for one in case["in"]:
        key = Key(kind="AuthorizationPolicy", name=one["name"], namespace=one["namespace"])
        subject = Subject(
            key=key, origin=Origin(key=key), metadata=ObjectMeta(name=one["name"]), status={}, settings=Settings()
        )
        policies += translate(_SPEC.model_validate(one["spec"]), subject).access_policies
    labels = tuple(sorted((case["workload_labels"] or {}).items()))
    namespace, root = case["workload_namespace"], case["root_namespace"]
    held = [one for one in policies if holds_for(one, namespace, labels, root)]
    for action in Action:
        assert [f"{one.namespace}/{one.name}" for one in held if one.action is action] == case[action.value.lower()]
