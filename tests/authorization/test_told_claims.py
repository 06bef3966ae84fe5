"""Whoever reads claims at a real Envoy gets them, from the first request on, on connections that are open too."""

import contextlib
import http.client
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.authorization.cases import CASES, mesh_of, needs_data
from tests.authorization.random_policies import policy
from tests.authorization.rig import Rig, rig
from tests.authorization.test_live import PLAIN, request, verdict
from tests.authorization.tokens import key_set, token
from tests.intents.minimesh import until
from weft.compiler.access.inputs import TOKEN_FILTER
from weft.model.access_log import FileLog
from weft.model.settings import Settings
from weft.model.sinks import DefaultSinks, NamedSink

pytestmark = [needs_data, pytest.mark.live]
CLAIMS = {"iss": "iss-1", "sub": "ann", "aud": ["shop"], "azp": "app", "group": "staff", "scope": "read write"}
TOKEN = ("authorization", f"Bearer {token({'claims': CLAIMS})}")
OTHER = ("authorization", f"Bearer {token({'claims': {'iss': 'iss-1', 'sub': 'bob'}})}")
RULES = {
    "apiVersion": "security.istio.io/v1",
    "kind": "RequestAuthentication",
    "metadata": {"name": "ra"},
    "spec": {"jwtRules": [{"issuer": "iss-1", "jwks": key_set(), "forwardOriginalToken": True}]},
}
READS = f"%DYNAMIC_METADATA({TOKEN_FILTER}:payload:sub)%"
PRINCIPAL = {"from": [{"source": {"requestPrincipals": ["iss-1/ann"]}}]}


def when(key: str, *values: str) -> dict[str, Any]:
    return {"when": [{"key": key, "values": list(values)}]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with rig(tmp_path_factory.mktemp("told"), mesh_of([], PLAIN)) as made:
        yield made


def serve(server: Rig, *documents: dict[str, Any], settings: Settings = PLAIN) -> None:
    server.serve(mesh_of([RULES, *documents], settings))


PLAIN_CLAIMS = (
    PRINCIPAL,
    when("request.auth.principal", "iss-1/ann"),
    when("request.auth.audiences", "shop"),
    when("request.auth.presenter", "app"),
    when("request.auth.claims[group]", "staff"),
)


@pytest.mark.parametrize(
    "rules", [PLAIN_CLAIMS, (when("request.auth.claims[scope]", "write"),)], ids=["plain", "words"]
)
def test_policies_that_decide_are_told(server: Rig, rules: tuple[dict[str, Any], ...]) -> None:
    def at(path: str) -> dict[str, Any]:
        return {"to": [{"operation": {"paths": [path]}}]}

    named = list(enumerate(rules))
    denying = [rule | at(f"/deny/{index}") for index, rule in named]
    allowing = [rule | at(f"/allow/{index}") for index, rule in named]
    serve(server, policy("d", "DENY", denying), policy("a", "ALLOW", [at("/deny/*"), *allowing]))
    for index, rule in named:
        for path, right, other in ((f"/deny/{index}", "deny", "allow"), (f"/allow/{index}", "allow", "deny")):
            seen = (verdict(server, TOKEN, path=path), verdict(server, OTHER, path=path), verdict(server, path=path))
            assert seen == (right, other, other), (path, rule)


def test_where_nobody_reads_claims_tokens_are_looked_at_as_well(server: Rig) -> None:
    serve(server)
    assert verdict(server, TOKEN) == verdict(server) == "allow"
    wrong = {"corrupt": True, "claims": CLAIMS}
    assert verdict(server, ("authorization", f"Bearer {token(wrong)}")) == "unauthenticated"
    assert verdict(server, ("authorization", "Bearer nonsense")) == "unauthenticated"
    assert verdict(server, ("authorization", "Basic bm9ib2R5Cg==")) == "allow", "that is no token"
    assert verdict(server, TOKEN, path=f"/?access_token={token(wrong)}") == "unauthenticated", "each must be right"


def test_a_policy_that_begins_to_read_claims_gets_them_on_connections_that_are_open(server: Rig) -> None:
    home = server.certificate(CASES["identities"]["client"], "client")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(f"{home}/chain.pem", f"{home}/key.pem")
    serve(server)
    connection = http.client.HTTPSConnection("127.0.0.1", server.ports["http"], context=context, timeout=5)
    seen = []
    with contextlib.closing(connection):
        for rules in ((), (PRINCIPAL,), (when("request.auth.claims[scope]", "write"),), ()):
            serve(server, *(policy("p", "DENY", [rule]) for rule in rules))
            connection.request("GET", "/", headers=dict([TOKEN]))
            local = connection.sock.getsockname() if connection.sock else None
            answer = connection.getresponse()
            answer.read()
            seen.append((answer.status, local))
    assert [status for status, _ in seen] == [200, 403, 403, 200]
    assert len({local for _, local in seen}) == 1


def counted(server: Rig, name: str) -> int:
    lines = server.sidecar.ask("/stats?usedonly").splitlines()
    return sum(int(line.rpartition(" ")[2]) for line in lines if name in line)


@pytest.mark.parametrize("rule", [PRINCIPAL, when("request.auth.claims[scope]", "read")], ids=["principal", "words"])
def test_what_is_only_tried_is_told(server: Rig, rule: dict[str, Any]) -> None:
    tried = policy("tried", "DENY", [rule])
    tried["metadata"]["annotations"] = {"istio.io/dry-run": "true"}
    serve(server, tried)
    before = counted(server, "istio_dry_run_deny_.shadow_denied")
    assert verdict(server, TOKEN) == verdict(server, OTHER) == "allow"
    assert counted(server, "istio_dry_run_deny_.shadow_denied") == before + 1


def test_logs_have_the_claims_that_their_format_names(server: Rig, tmp_path: Path) -> None:
    file = tmp_path / "calls.log"
    log = NamedSink(name="file", sink=FileLog(path=str(file), text=f"{READS}\n"))
    settings = replace(PLAIN, sinks=(log,), default_sinks=DefaultSinks(logs=("file",)))
    serve(server, settings=settings)
    assert verdict(server, TOKEN) == "allow"
    until(lambda: file.is_file() and "ann" in file.read_text())


def test_a_patch_may_read_claims(server: Rig) -> None:
    source = (
        "function envoy_on_request(handle)\n"
        f'  local told = handle:streamInfo():dynamicMetadata():get("{TOKEN_FILTER}")\n'
        '  handle:headers():replace("x-sub", told and told.payload.sub or "nobody")\nend'
    )
    lua = {"@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua"}
    lua["default_source_code"] = {"inline_string": source}  # type: ignore[assignment]
    patch = {
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": {"name": "lua"},
        "spec": {
            "configPatches": [
                {
                    "applyTo": "HTTP_FILTER",
                    "match": {
                        "context": "SIDECAR_INBOUND",
                        "listener": {
                            "filterChain": {
                                "filter": {
                                    "name": "envoy.filters.network.http_connection_manager",
                                    "subFilter": {"name": "envoy.filters.http.router"},
                                }
                            }
                        },
                    },
                    "patch": {"operation": "INSERT_BEFORE", "value": {"name": "told", "typed_config": lua}},
                }
            ]
        },
    }
    serve(server, patch)
    assert dict(server.call(request(server, TOKEN)).headers)["x-sub"] == "ann"
