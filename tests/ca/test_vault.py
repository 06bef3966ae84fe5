"""Vault as the signer: what it is asked, what is believed of its answers, and what happens while it is away."""

import asyncio
import re
import shlex
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import trustme
from cryptography.x509 import SubjectAlternativeName

from tests.ca.chains import REVIEWS, Maker, csr, is_believed, parsed
from tests.ca.fake_vault import DEFAULTS, JWT, SECRET_ID, FakeVault, serving
from weft.ca import remote
from weft.ca.choice import AppRole, Choice, KubernetesRole, Vault
from weft.ca.ending import Ending, worrying
from weft.ca.opening import Place, open_signer, opened_unless
from weft.ca.signer import Signer, SignerAway
from weft.kit.clock import FakeClock
from weft.kit.errors import UserError
from weft.kit.sealing import Keyring, SealingKey

NOW = 1_700_000_000.0
RING = Keyring((SealingKey(b"k" * 32),))
DOCUMENTATION = Path(__file__).parents[2] / "docs/certificate-authority.md"
pytestmark = pytest.mark.asyncio


class World:
    """A Vault that is served, and ways to open a signer that asks it."""

    def __init__(self, vault: FakeVault, address: str, directory: Path, clock: FakeClock) -> None:
        self.vault = vault
        self.address = address
        self.directory = directory
        self.clock = clock
        self.open: list[Signer] = []
        self.place = Place(
            directory=directory / "ca",
            trust_domain="cluster.local",
            lifetime=3600.0,
            hosts=("mesh.example", "10.0.0.1"),
        )

    def choice(self, **changes: Any) -> Choice:
        token = self.directory / "token"
        token.write_text(self.vault.token() + "\n")
        settings: dict[str, Any] = {"address": self.address, "role": "weft", "token_file": str(token)}
        return Choice(vault=Vault(**(settings | changes)))

    async def opened(self, **changes: Any) -> Signer:
        async with asyncio.timeout(20):
            signer = await open_signer(self.choice(**changes), self.place, RING, self.clock)
        self.open.append(signer)
        return signer

    async def close(self) -> None:
        for signer in self.open:
            await signer.close()


@pytest_asyncio.fixture
async def world(tmp_path: Path, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(remote, "_FIRST_PAUSE", 0.001)
    clock = FakeClock(NOW)
    vault = FakeVault(clock)
    async with serving(vault.app(), free_port()) as address:
        made = World(vault, address, tmp_path, clock)
        yield made
        await made.close()


async def test_vault_signs_for_the_identity_of_the_caller_and_for_the_control_plane(world: World) -> None:
    signer = await world.opened()
    leaf = await signer.issue(csr(), REVIEWS)
    assert signer.bundle == world.vault.root.pem == (world.directory / "ca" / "root.pem").read_text()
    assert is_believed(leaf.chain, signer.bundle, NOW)
    assert leaf.expires == NOW + 3600
    names = parsed(leaf.chain)[0].extensions.get_extension_for_class(SubjectAlternativeName).value
    assert [name.value for name in names] == [REVIEWS.uri]
    shown = signer.listener(world.place.hosts)
    assert is_believed(shown.chain.decode(), signer.bundle, NOW)
    hosts = parsed(shown.chain.decode())[0].extensions.get_extension_for_class(SubjectAlternativeName).value
    assert {str(name.value) for name in hosts} >= {"localhost", "mesh.example", "10.0.0.1", "::1"}


@pytest.mark.parametrize("login", ["app role", "kubernetes"])
async def test_a_login_gives_a_token_and_another_when_that_is_not_taken_any_more(world: World, login: str) -> None:
    secret = world.directory / "secret"
    secret.write_text(SECRET_ID if login == "app role" else JWT)
    way = (
        {"app_role": AppRole(role_id="weft", secret_id_file=str(secret))}
        if login == "app role"
        else {"kubernetes": KubernetesRole(role="weft", token_file=str(secret))}
    )
    signer = await world.opened(token_file="", **way)
    world.vault.tokens.clear()
    assert is_believed((await signer.issue(csr(), REVIEWS)).chain, signer.bundle, NOW)
    secret.write_text("wrong")
    world.vault.tokens.clear()
    with pytest.raises(SignerAway, match="invalid role or secret ID") as told:
        await signer.issue(csr(), REVIEWS)
    assert SECRET_ID not in str(told.value)


def token_of(signer: Signer) -> Ending:
    (token,) = [one for one in signer.endings() if one.kind == "token"]
    return token


async def test_the_token_is_renewed_before_it_ends_and_its_longest_life_is_told(world: World) -> None:
    signer = await world.opened()
    for _ in range(3):
        world.clock.advance(410)
        await signer.look()
    assert token_of(signer).renewed
    world.clock.advance(410)
    await signer.look()
    await signer.look()
    assert world.vault.asked.count("/v1/auth/token/renew-self") == 4, "in vain is not asked again"
    await signer.issue(csr(), REVIEWS)
    token = token_of(signer)
    assert token.expires <= NOW + 1800, "never beyond its longest life"
    assert not token.renewed
    assert worrying(token, world.clock.now()), "somebody must replace it"
    world.clock.advance(410)
    with pytest.raises((SignerAway, UserError), match="permission denied"):
        await signer.issue(csr(), REVIEWS)


async def test_a_token_that_lasts_no_longer_is_replaced_by_the_one_in_its_file_before_it_ends(world: World) -> None:
    world.vault.longest = world.vault.life
    signer = await world.opened()
    world.clock.advance(410)
    await signer.look()
    assert not token_of(signer).renewed
    (world.directory / "token").write_text(world.vault.token())
    await signer.look()
    assert token_of(signer).renewed
    assert token_of(signer).expires == world.clock.now() + world.vault.life
    world.clock.advance(300)
    await signer.issue(csr(), REVIEWS)


async def test_a_vault_that_is_away_is_told_and_comes_back_and_what_it_signed_goes_on(world: World) -> None:
    signer = await world.opened()
    shown = signer.listener(world.place.hosts)
    world.vault.sealed = True
    with pytest.raises(SignerAway, match="503: Vault is sealed"):
        await signer.issue(csr(), REVIEWS)
    asked = len(world.vault.asked)
    with pytest.raises(SignerAway, match="503: Vault is sealed"):
        await signer.issue(csr(), REVIEWS)
    assert len(world.vault.asked) == asked, "a vault that fails is not asked by every workload"
    world.clock.advance(2000)
    with pytest.raises(SignerAway):
        await signer.look()
    assert signer.listener(world.place.hosts) == shown
    world.vault.sealed = False
    world.vault.tokens = dict.fromkeys(world.vault.tokens, (NOW + 9e9, NOW + 9e9))
    world.clock.advance(60)
    assert await signer.look()
    assert signer.listener(world.place.hosts) != shown
    assert is_believed((await signer.issue(csr(), REVIEWS)).chain, signer.bundle, world.clock.now())


async def test_a_control_plane_waits_for_a_vault_that_is_away_and_can_be_stopped(world: World) -> None:
    world.vault.sealed = True
    stopping = asyncio.Event()
    asyncio.get_running_loop().call_later(0.3, stopping.set)
    async with asyncio.timeout(10):
        assert await opened_unless(stopping, world.choice(), world.place, RING, world.clock) is None
    asyncio.get_running_loop().call_later(0.3, setattr, world.vault, "sealed", False)
    assert (await world.opened()).bundle == world.vault.root.pem


def by_request(vault: FakeVault) -> None:
    vault.role["use_csr_sans"] = True


def other_domain(vault: FakeVault) -> None:
    vault.role["allowed_uri_sans"] = ["spiffe://other/*"]


def other_root(vault: FakeVault) -> None:
    vault.liar = Maker("liar")


def for_other_keys(vault: FakeVault) -> None:
    vault.role["key_type"] = DEFAULTS["key_type"]


def without_the_default_policy(vault: FakeVault) -> None:
    vault.policies = ("weft",)


def without_a_policy(vault: FakeVault) -> None:
    vault.policies = ("default",)


def namespaced(vault: FakeVault) -> None:
    vault.namespace = "team-a"


@pytest.mark.parametrize(
    ("change", "said", "help_"),
    [
        (other_domain, "400: URI Subject Alternative Names", "allowed_uri_sans=spiffe://"),
        (other_root, "does not descend from the roots", "give them in a file"),
        (namespaced, "403: permission denied", "no PKI engine at pki, or not in this namespace"),
        (by_request, "it names nobody instead of spiffe://", "use_csr_sans=false"),
        (for_other_keys, "400: role requires keys of type rsa", "key_type=any"),
        (without_the_default_policy, "403: 1 error occurred: [*] permission denied$", "look itself up"),
        (without_a_policy, "403: 1 error occurred: [*] permission denied$", "may not use pki/sign/weft"),
    ],
)
async def test_a_vault_that_is_set_up_otherwise_is_refused_at_the_start(
    world: World, change: Callable[[FakeVault], None], said: str, help_: str
) -> None:
    change(world.vault)
    with pytest.raises(UserError, match=said) as told:
        await world.opened()
    assert help_ in str(told.value.help)


async def test_a_role_that_takes_names_from_requests_signs_nothing_for_workloads(world: World) -> None:
    signer = await world.opened()
    by_request(world.vault)
    with pytest.raises(SignerAway, match=r"names nobody.*use_csr_sans=false"):
        await signer.issue(csr(), REVIEWS)


async def test_a_namespace_is_named(world: World) -> None:
    namespaced(world.vault)
    signer = await world.opened(namespace="team-a")
    assert is_believed((await signer.issue(csr(), REVIEWS)).chain, signer.bundle, NOW)


async def test_a_role_made_as_the_documentation_says_signs(world: World) -> None:
    said = re.search(r"^vault write pki/roles/weft ((?:.*\\\n)*.*)$", DOCUMENTATION.read_text("utf-8"), re.MULTILINE)
    assert said is not None
    words = [word.partition("=") for word in shlex.split(said[1].replace("\\\n", " "))]
    assert ("allowed_uri_sans", "=", "spiffe://cluster.local/*") in words
    values = {name: {"true": True, "false": False}.get(value, value) for name, _, value in words}
    world.vault.role = DEFAULTS | values | {"allowed_uri_sans": [values["allowed_uri_sans"]]}
    signer = await world.opened()
    assert is_believed((await signer.issue(csr(), REVIEWS)).chain, signer.bundle, NOW)
    assert is_believed((await signer.issue(csr(), REVIEWS)).chain, signer.bundle, NOW)


async def test_a_root_is_replaced_in_vault_without_a_moment_in_which_one_is_not_believed(world: World) -> None:
    signer = await world.opened()
    old, old_leaf = world.vault.root, await signer.issue(csr(), REVIEWS)
    following = Maker("next root")
    world.vault.others.append(following)
    world.clock.advance(61)
    assert await signer.look()
    assert {one.subject for one in parsed(signer.bundle)} == {old.certificate.subject, following.certificate.subject}
    world.vault.root, world.vault.signer, world.vault.others = following, Maker("next", following), [old]
    leaf = await signer.issue(csr(), REVIEWS)
    now = world.clock.now()
    assert is_believed(leaf.chain, following.pem, now)
    assert is_believed(leaf.chain, signer.bundle, now), "before the roots were asked for again"
    assert is_believed(old_leaf.chain, signer.bundle, now)
    world.vault.revoked = [old]
    world.clock.advance(61)
    assert await signer.look()
    assert signer.bundle == following.pem, "who is revoked is believed no more"


async def test_a_vault_that_knows_one_issuer_tells_its_root_by_the_chain(world: World) -> None:
    world.vault.issuers = False
    assert (await world.opened()).bundle == world.vault.root.pem


async def test_a_token_that_was_taken_back_is_read_again_from_its_file(world: World) -> None:
    signer = await world.opened()
    world.vault.tokens.clear()
    with pytest.raises(SignerAway, match=r"403: permission denied.*has ended"):
        await signer.issue(csr(), REVIEWS)
    (world.directory / "token").write_text(world.vault.token())
    assert is_believed((await signer.issue(csr(), REVIEWS)).chain, signer.bundle, NOW)


async def test_roots_that_change_in_vault_are_believed_and_told_by_the_tag(world: World) -> None:
    signer = await world.opened()
    tag = signer.tag
    world.vault.root = Maker("another root")
    world.vault.signer = Maker("another intermediate", world.vault.root)
    world.clock.advance(61)
    assert await signer.look()
    assert signer.bundle == world.vault.root.pem
    assert signer.tag != tag


async def test_tls_believes_the_named_authority_alone_and_plaintext_stays_on_this_host(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    clock = FakeClock(NOW)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "vault-ca.pem")
    served = authority.issue_cert("127.0.0.1")
    (tmp_path / "served.pem").write_bytes(served.private_key_and_cert_chain_pem.bytes())
    vault = FakeVault(clock)
    async with serving(vault.app(), free_port(), tmp_path / "served.pem") as address:
        world = World(vault, address, tmp_path, clock)
        assert (await world.opened(ca_file=str(tmp_path / "vault-ca.pem"))).bundle == vault.root.pem
        vault.asked.clear()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await open_signer(world.choice(), world.place, RING, clock)
        await world.close()
        assert vault.asked == [], "an impostor sees no token"
    for wrong, said in (("http://vault.example:8200", "plaintext"), ("vault:8200", "no address")):
        with pytest.raises(UserError, match=said):
            await world.opened(address=wrong)
