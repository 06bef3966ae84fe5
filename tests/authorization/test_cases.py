"""Istio's documented verdicts, by a real Envoy, by identity, protocol and port; and weft's where it is stricter."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.authorization.callers import Outcome, Request
from tests.authorization.cases import CASES, filled, mesh_of, needs_data, settings_of
from tests.authorization.rig import Rig, rig
from weft.model.settings import Settings

pytestmark = needs_data
SIDECARS = [case for case in CASES["cases"] if case.get("target", {}).get("kind") != "gateway"]
STRICTER = {("PATH-034", "//admin", None), ("HOST-011", "/", "secret.com@x")}
"""What hardening refuses besides where the cases say ``ours``: the same with HTTP/2, and an ``@`` in a host."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with rig(tmp_path_factory.mktemp("rig"), mesh_of([], Settings(root_namespace="mesh-system"))) as made:
        yield made


def request_of(said: dict[str, Any], server: Rig) -> Request:
    asked = CASES["defaults"]["request"] | said
    port, caller = str(asked["port"]), asked["from"]
    return Request(
        port=server.ports[port],
        method=asked["method"],
        path=asked.get("path", "/"),
        host=asked["host"],
        headers=tuple((name, filled(value)) for name, value in asked.get("headers", ())),
        http2=asked["http"] == "2",
        certificate=server.certificate(CASES["identities"][caller], caller),
        raw=asked.get("raw", ""),
        from_ip=asked.get("from_ip", ""),
        bytes_only=port == "tcp",
    )


def expected(case: dict[str, Any], said: dict[str, Any], *, hardened: bool) -> set[str]:
    if hardened and (case["id"], said.get("path"), said.get("host")) in STRICTER:
        return {"deny"}
    verdicts = said.get("ours", said["expect"]) if hardened else said["expect"]
    return {verdicts} if isinstance(verdicts, str) else set(verdicts)


def right(outcome: Outcome, verdicts: set[str]) -> bool:
    alike = {"closed", "tls_fail", "reset"} if verdicts & {"closed", "tls_fail", "reset"} else set()
    return outcome.verdict in verdicts | alike


@pytest.mark.parametrize("hardened", [False, True], ids=["istio", "hardened"])
@pytest.mark.parametrize("case", SIDECARS, ids=[case["id"] for case in SIDECARS])
def test_a_request_gets_the_documented_verdict(case: dict[str, Any], hardened: bool, server: Rig) -> None:
    settings = settings_of(case, hardened=hardened)
    server.serve(mesh_of(case["resources"], settings))
    for said in case["requests"]:
        outcome = server.call(request_of(said, server))
        assert right(outcome, expected(case, said, hardened=hardened)), (case["title"], said, outcome)
        if outcome.verdict == "allow":
            _check_what_arrived(said, outcome, hardened=hardened)


def _check_what_arrived(said: dict[str, Any], outcome: Outcome, *, hardened: bool) -> None:
    headers = dict(outcome.headers)
    if "upstream_path" in said and not hardened:
        assert outcome.path == said["upstream_path"], said
    assert said.get("upstream_headers", {}).items() <= headers.items(), (said, headers)
    assert not set(said.get("upstream_headers_absent", ())) & headers.keys(), (said, headers)
