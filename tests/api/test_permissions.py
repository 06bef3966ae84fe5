"""Rules of Kubernetes' RBAC as values: what they allow, and what covers what."""

import pytest

from weft.api.permissions import Ask, Rule, Scope, allows, covered

READ = Rule(verbs=("get", "list"), groups=("networking.istio.io",), resources=("virtualservices",))


def ask(verb: str = "get", resource: str = "virtualservices", **more: str) -> Ask:
    return Ask(**{"group": "networking.istio.io", "namespace": "shop", "verb": verb, "resource": resource} | more)


@pytest.mark.parametrize(
    ("rule", "asked", "allowed"),
    [
        (READ, ask(), True),
        (READ, ask("delete"), False),
        (READ, ask(resource="gateways"), False),
        (READ, ask(group=""), False),
        (READ, ask(subresource="status"), False),
        (Rule(verbs=("*",), groups=("*",), resources=("*",)), ask("delete", "secrets", group=""), True),
        (Rule(verbs=("get",), groups=("*",), resources=("*/status",)), ask(subresource="status"), True),
        (Rule(verbs=("get",), groups=("*",), resources=("*/status",)), ask(), False),
        (Rule(verbs=("get",), groups=("*",), resources=("virtualservices/status",)), ask(subresource="status"), True),
        (Rule(verbs=("get",), groups=("*",), resources=("*",), names=("a",)), ask(name="a"), True),
        (Rule(verbs=("get",), groups=("*",), resources=("*",), names=("a",)), ask(name="b"), False),
        (Rule(verbs=("list",), groups=("*",), resources=("*",), names=("a",)), ask("list"), False),
        (Rule(verbs=("get",), paths=("/weft/*",)), Ask(verb="get", path="/weft/v1/status"), True),
        (Rule(verbs=("get",), paths=("/weft/v1",)), Ask(verb="get", path="/weft/v1/status"), False),
        (Rule(verbs=("*",), groups=("*",), resources=("*",)), Ask(verb="get", path="/weft"), False),
        (Rule(verbs=("*",), paths=("*",)), ask(), False),
    ],
)
def test_a_rule_allows_what_all_of_its_lists_match(rule: Rule, asked: Ask, allowed: bool) -> None:
    assert allows(rule, asked) is allowed


@pytest.mark.parametrize(
    ("wanted", "owned", "expected"),
    [
        (READ, [READ], True),
        (READ, [], False),
        (READ, [Rule(verbs=("get",), groups=("*",), resources=("*",))], False),
        (
            READ,
            [
                Rule(verbs=("get",), groups=("*",), resources=("*",)),
                Rule(verbs=("list",), groups=("networking.istio.io",), resources=("virtualservices",)),
            ],
            True,
        ),
        (
            Rule(verbs=("*",), groups=("a",), resources=("b",)),
            [Rule(verbs=("get",), groups=("a",), resources=("b",))],
            False,
        ),
        (
            Rule(verbs=("get",), groups=("*",), resources=("b",)),
            [Rule(verbs=("*",), groups=("a",), resources=("*",))],
            False,
        ),
        (
            Rule(verbs=("get",), groups=("a",), resources=("b",)),
            [Rule(verbs=("get",), groups=("a",), resources=("b",), names=("x",))],
            False,
        ),
        (
            Rule(verbs=("get",), groups=("a",), resources=("b",), names=("x",)),
            [Rule(verbs=("get",), groups=("a",), resources=("b",))],
            True,
        ),
        (Rule(verbs=("get",), paths=("/a/*",)), [Rule(verbs=("get",), paths=("/a/b",))], False),
        (Rule(verbs=("get",), paths=("/a/b/*",)), [Rule(verbs=("get",), paths=("/a/*",))], True),
        (Rule(verbs=("get",), paths=("/a/*",)), [Rule(verbs=("get",), paths=("/a/b/*",))], False),
    ],
)
def test_nothing_is_given_that_is_not_owned(wanted: Rule, owned: list[Rule], expected: bool) -> None:
    assert covered(wanted, owned) is expected


def test_a_scope_limits_verbs_and_namespaces_and_reaches_nothing_outside() -> None:
    scope = Scope(namespaces=("shop",), verbs=("get",))
    assert scope.admits(ask())
    assert not scope.admits(ask("list"))
    assert not scope.admits(ask(namespace=""))
    assert not scope.admits(Ask(verb="get", path="/weft/v1/status"))
    assert Scope().admits(ask("delete"))


def test_a_scope_is_within_one_that_admits_as_much() -> None:
    narrow, wide = Scope(namespaces=("a",), verbs=("get",)), Scope(namespaces=("a", "b"))
    assert narrow.within(wide)
    assert narrow.within(Scope())
    assert not wide.within(narrow)
    assert not Scope().within(wide)
