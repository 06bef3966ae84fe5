"""What let a workload in is looked at again when it renews: by the rules of now, and its namespace must be the same."""

import json
import os
from pathlib import Path
from typing import Any

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.cli.conftest import run_weft, serving
from tests.cli.workload import Workload
from weft.attesting.attestors import Attestors
from weft.attesting.choice import Attestation, Claim, Jwt, Local, LocalRule, read_attestation
from weft.ca.grounds import Ground, GroundGone, Grounds
from weft.ca.proof import Process, Proof
from weft.kit.clock import FakeClock
from weft.model.authentication import KeySet
from weft.model.document import Document, Key
from weft.model.identity import Identity
from weft.store.memory import MemoryStore

CI = "https://ci.example.com"
KEY = RSAKey.generate_key(2048, {"kid": "one"})
CLOCK = FakeClock()
WEB = Identity(trust_domain="cluster.local", namespace="shop", account="web")
PROCESS = Process(pid=7, uid=1000, gid=33, executable="/usr/bin/web")


def issuer(**changes: Any) -> Jwt:
    said: dict[str, Any] = {
        "issuer": CI,
        "audience": "weft",
        "namespace": Claim(value="shop"),
        "account": Claim(claim="repository", pattern="acme/([a-z-]+)"),
        "required": {"ref": "main"},
    }
    return Jwt(**(said | changes))


def attestors(*issuers: Jwt, rules: tuple[LocalRule, ...] = ()) -> Attestors:
    chosen = Attestation(jwt=issuers, local=Local(socket=Path("agents.sock"), rules=rules))
    return Attestors(chosen, "cluster.local", CLOCK)


async def by_token() -> tuple[Identity, Ground]:
    before = attestors(issuer())
    keys = json.dumps({"keys": [KEY.as_dict(private=False)]})
    before.issuers.know([KeySet(source=issuer().source, jwks=keys)])
    claims = {"iss": CI, "aud": ["weft"], "exp": CLOCK.now() + 60, "ref": "main", "repository": "acme/web", "jti": "x"}
    return await before.attest(Proof(jwt=jwt.encode({"alg": "RS256", "kid": "one"}, claims, KEY)))


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("now", "words"),
    [
        ((), "issuer that may not"),
        ((issuer(issuer="https://other.example.com"),), "issuer that may not"),
        ((issuer(audience="mesh"),), "not for mesh"),
        ((issuer(required={"ref": "release"}),), "does not have the claim ref=release"),
        ((issuer(required={"ref": "main", "event": "push"}),), "does not have the claim event=push"),
        ((issuer(account=Claim(claim="repository", pattern="acme-inc/(.+)")),), "is not as it must be"),
        ((issuer(namespace=Claim(value="ci")),), "do not name"),
    ],
)
async def test_who_joined_with_a_token_is_judged_by_the_rule_of_its_issuer_as_it_is_now(
    now: tuple[Jwt, ...], words: str
) -> None:
    identity, ground = await by_token()
    assert identity == WEB
    assert "jti" not in ground.claims, "only what the rule is about is kept"
    attestors(issuer()).judge(identity, ground)
    attestors(issuer(required={})).judge(identity, ground)
    with pytest.raises(GroundGone, match=words):
        attestors(*now).judge(identity, ground)


@pytest.mark.asyncio
async def test_a_local_process_is_judged_by_the_user_group_and_program_that_it_joined_as() -> None:
    rule = LocalRule(namespace="shop", accounts=("web", "api"), uid=1000, executable="/usr/bin/web")
    proof = Proof(process=PROCESS, namespace="shop", account="web")
    identity, ground = await attestors(rules=(rule,)).attest(proof)
    attestors(rules=(LocalRule(namespace="shop", accounts=("web",), gid=33),)).judge(identity, ground)
    for other in (
        (),
        (LocalRule(namespace="shop", accounts=("api",), uid=1000),),
        (LocalRule(namespace="shop", accounts=("web",), uid=1001),),
        (LocalRule(namespace="shop", accounts=("web",), uid=1000, executable="/usr/bin/other"),),
    ):
        with pytest.raises(GroundGone, match="may not be shop/web"):
            attestors(rules=other).judge(identity, ground)


def test_accounts_of_a_cluster_that_is_not_asked_any_more_may_not_renew() -> None:
    with pytest.raises(GroundGone, match="Kubernetes may not join"):
        attestors().judge(WEB, Ground(kind="kubernetes"))


@pytest.mark.asyncio
async def test_a_namespace_that_was_deleted_takes_its_workloads_with_it_even_if_there_is_another_one() -> None:
    store, key = MemoryStore(), Key(kind="Namespace", name="shop")
    grounds = Grounds(store, attestors().judge)
    unwritten = await grounds.noted(WEB, Ground(kind="token"))
    await store.create(Document(key=key, content=b"{}", uid="first"))
    written = await grounds.noted(WEB, Ground(kind="token"))
    await grounds.require(WEB, written)
    await store.delete(key, None)
    with pytest.raises(GroundGone, match="shop that it joined was deleted"):
        await grounds.require(WEB, written)
    await store.create(Document(key=key, content=b"{}", uid="second"))
    with pytest.raises(GroundGone, match="deleted"):
        await grounds.require(WEB, written)
    await grounds.require(WEB, unwritten)
    await grounds.require(WEB, None)


def test_a_control_plane_with_other_rules_does_not_renew_what_the_old_ones_let_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket, file, state = tmp_path / "agents.sock", tmp_path / "attestation.yaml", tmp_path / "state"
    monkeypatch.setenv("WEFT_STATE", str(state))
    rule = "local: {{socket: {}, rules: [{{uid: {}, namespace: shop, accounts: [{}]}}]}}"
    file.write_text(rule.format(socket, os.getuid(), "web"))
    with serving(state, attestation=read_attestation(file)) as plane:
        local, joined = Workload(plane), Workload(plane)
        body = {"csr": local.csr, "namespace": "shop", "service_account": "web"}
        with httpx2.Client(transport=httpx2.HTTPTransport(uds=str(socket))) as client:
            local.issued = client.post("http://localhost/v1/join", json=body).json()
        assert joined.join(token=run_weft("token", "create", "-n", "shop", "--service", "web").out.strip()) == 200
        assert (local.renew(), joined.renew()) == (200, 200)
    file.write_text(rule.format(socket, os.getuid(), "api"))
    with serving(state, attestation=read_attestation(file)) as plane:
        local.moved(plane)
        joined.moved(plane)
        assert (local.renew(), joined.renew()) == (403, 200)
        assert "may not be shop/web" in run_weft("audit", "--outcome", "denied", "-o", "json").out
    with serving(state) as plane:
        local.moved(plane)
        assert local.renew() == 403
