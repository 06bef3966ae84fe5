"""Mutual TLS after inheritance."""

import pytest

from tests.compiler.istio_data import cases
from tests.view.meshes import origin
from weft.model.peer import peer_rules
from weft.model.security import MtlsMode, PeerPolicy

DISABLE, PERMISSIVE, STRICT = MtlsMode.DISABLE, MtlsMode.PERMISSIVE, MtlsMode.STRICT
FOO = (("app", "foo"),)


def policy(namespace="shop", mode=None, name="default", created="", **changes) -> PeerPolicy:
    return PeerPolicy(origin=origin(name, namespace, created=created), namespace=namespace, mode=mode, **changes)


def mode_of(*policies, labels=FOO, ports=()):
    return peer_rules(policies, "shop", "istio-system").mode_of(labels, ports)


def test_without_policies_both_are_taken():
    assert mode_of() is PERMISSIVE


def test_the_namespace_overrides_the_mesh_and_the_workload_both():
    mesh, namespace = policy("istio-system", STRICT), policy(mode=DISABLE)
    assert mode_of(mesh) is STRICT
    assert mode_of(mesh, namespace) is DISABLE
    assert mode_of(mesh, namespace, policy(mode=PERMISSIVE, selector=FOO)) is PERMISSIVE
    assert mode_of(mesh, namespace, policy(mode=PERMISSIVE, selector=FOO), labels=(("app", "bar"),)) is DISABLE


def test_an_unset_mode_inherits_at_every_level():
    mesh = policy("istio-system", STRICT)
    assert mode_of(mesh, policy()) is STRICT
    assert mode_of(mesh, policy(), policy(selector=FOO)) is STRICT


def test_the_oldest_of_a_level_counts():
    old = policy(mode=STRICT, name="b", created="2026-01-01T00:00:00Z")
    new = policy(mode=DISABLE, name="a", created="2026-01-02T00:00:00Z")
    assert mode_of(new, old) is STRICT


def test_a_port_has_its_own_mode_under_a_selector_only():
    ports = ((8080, DISABLE), (9090, None))
    selective = policy(mode=STRICT, selector=FOO, ports=ports)
    assert mode_of(selective, ports=(8080,)) is DISABLE
    assert mode_of(selective, ports=(9090,)) is STRICT
    assert mode_of(selective, ports=(1, 8080)) is DISABLE
    assert mode_of(policy(mode=STRICT, ports=ports), ports=(8080,)) is STRICT


def test_other_namespaces_and_the_root_namespaces_workload_policies_do_not_reach_here():
    assert mode_of(policy("other", STRICT), policy("istio-system", STRICT, selector=FOO)) is PERMISSIVE


@pytest.mark.parametrize("case", cases("authn/compose_peerauth.jsonl"))
def test_istios_cases_compose_alike(case):
    policies = [
        policy(
            said["namespace"],
            MtlsMode(mode) if (mode := said["spec"].get("mtls", {}).get("mode", "UNSET")) != "UNSET" else None,
            said["name"],
            said["creationTimestamp"],
            selector=tuple(said["spec"].get("selector", {}).get("matchLabels", {}).items()),
            ports=tuple(
                (int(port), None if one["mode"] == "UNSET" else MtlsMode(one["mode"]))
                for port, one in said["spec"].get("portLevelMtls", {}).items()
            ),
        )
        for said in case["in"]
    ]
    rules = peer_rules(policies, "my-ns", case["root_namespace"])
    assert rules.mode_of(FOO) is MtlsMode(case["mode"])
    for port, mode in case["per_port"].items():
        assert rules.mode_of(FOO, (int(port),)) is MtlsMode(mode)
