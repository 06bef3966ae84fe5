"""A signer that speaks Istio's protocol: what it is sent, what is believed, and what happens while it is away."""

import asyncio
import datetime
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.ca.chains import REVIEWS, Maker, csr, is_believed, parsed
from tests.ca.fake_signer import TOKEN, FakeSigner, serving
from weft.ca import remote
from weft.ca.certificates import key_pem_of
from weft.ca.choice import Choice, Istio, Pair
from weft.ca.csr import uris_in
from weft.ca.names import control_plane
from weft.ca.opening import Place, open_signer
from weft.ca.signer import NameMissing, Signer, SignerAway
from weft.kit.clock import FakeClock
from weft.kit.errors import UserError
from weft.kit.sealing import Keyring, SealingKey

NOW = 1_700_000_000.0
RING = Keyring((SealingKey(b"k" * 32),))
pytestmark = pytest.mark.asyncio


def naming(*names: x509.GeneralName) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    request = builder.add_extension(x509.SubjectAlternativeName(names), critical=True).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


OWN = x509.UniformResourceIdentifier(REVIEWS.uri)
VICTIM = x509.UniformResourceIdentifier("spiffe://cluster.local/ns/shop/sa/victim")


class World:
    """A signer that is served, and ways to open one of ours that asks it."""

    def __init__(self, fake: FakeSigner, address: str, directory: Path) -> None:
        self.fake = fake
        self.address = address
        self.directory = directory
        self.clock = fake.clock
        self.open: list[Signer] = []
        (directory / "token").write_text(TOKEN)
        (directory / "root.pem").write_text(fake.root.pem)

    async def opened(self, lifetime: float = 3600.0, **changes: Any) -> Signer:
        settings: dict[str, Any] = {
            "address": self.address,
            "roots": str(self.directory / "root.pem"),
            "ca_file": str(self.directory / "tls.pem"),
            "token_file": str(self.directory / "token"),
        }
        place = Place(directory=self.directory / "ca", trust_domain="cluster.local", lifetime=lifetime)
        async with asyncio.timeout(20):
            signer = await open_signer(Choice(istio=Istio(**(settings | changes))), place, RING, self.clock)
        self.open.append(signer)
        return signer


@pytest_asyncio.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(remote, "_FIRST_PAUSE", 0.001)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "tls.pem")
    shown = authority.issue_cert("127.0.0.1")
    fake = FakeSigner(FakeClock(NOW))
    chain = b"".join(one.bytes() for one in shown.cert_chain_pems)
    async with serving(fake, shown.private_key_pem.bytes(), chain) as address:
        made = World(fake, address, tmp_path)
        yield made
        for signer in made.open:
            await signer.close()


async def test_the_signer_is_told_who_it_is_for_and_what_it_signs_is_believed(world: World) -> None:
    signer = await world.opened(cluster_id="Kubernetes", cert_signer="corp")
    leaf = await signer.issue(naming(OWN), REVIEWS)
    assert is_believed(leaf.chain, signer.bundle, NOW)
    assert len(parsed(leaf.chain)) == 2
    assert leaf.expires == NOW + 3600
    asked = world.fake.seen[-1]
    assert asked.validity_duration == 3600
    assert dict(asked.metadata) == {"ImpersonatedIdentity": REVIEWS.uri, "CertSigner": "corp"}
    assert is_believed(signer.listener(()).chain.decode(), signer.bundle, NOW)


@pytest.mark.parametrize(
    "names", [(), (VICTIM,), (OWN, VICTIM), (OWN, x509.DNSName("localhost"))], ids=["none", "another", "two", "a host"]
)
async def test_a_request_that_names_anything_else_is_not_passed_on(
    world: World, names: tuple[x509.GeneralName, ...]
) -> None:
    signer = await world.opened()
    before = len(world.fake.seen)
    with pytest.raises(NameMissing, match=REVIEWS.uri):
        await signer.issue(naming(*names) if names else csr(), REVIEWS)
    assert len(world.fake.seen) == before
    assert uris_in(naming(OWN)) == [REVIEWS.uri]


async def test_a_certificate_proves_weft_too_and_is_shown_anew_when_it_changes(tmp_path: Path) -> None:
    tls, clients = trustme.CA(), trustme.CA()
    tls.cert_pem.write_to_path(tmp_path / "tls.pem")
    fake = FakeSigner(FakeClock(NOW))
    fake.token = ""
    shown = tls.issue_cert("127.0.0.1")
    chain = b"".join(one.bytes() for one in shown.cert_chain_pems)
    async with serving(fake, shown.private_key_pem.bytes(), chain, clients.cert_pem.bytes()) as address:
        world = World(fake, address, tmp_path)
        mine = tmp_path / "weft.pem", tmp_path / "weft.key"

        def certified() -> bytes:
            issued = clients.issue_cert("weft.example")
            mine[0].write_bytes(issued.cert_chain_pems[0].bytes())
            mine[1].write_bytes(issued.private_key_pem.bytes())
            return issued.cert_chain_pems[0].bytes()

        first = certified()
        signer = await world.opened(token_file="", certificate=str(mine[0]), key=str(mine[1]))
        assert fake.callers[-1]["x509_pem_cert"] == [first]
        second = certified()
        await signer.look()
        assert is_believed((await signer.issue(naming(OWN), REVIEWS)).chain, signer.bundle, NOW)
        assert fake.callers[-1]["x509_pem_cert"] == [second]
        assert [one.name for one in signer.endings() if one.kind == "client"] == [str(mine[0])]
        await signer.close()


async def test_a_signer_that_is_away_is_left_alone_and_comes_back(world: World) -> None:
    signer = await world.opened()
    world.fake.fails = grpc.StatusCode.UNAVAILABLE
    with pytest.raises(SignerAway, match="UNAVAILABLE: not today"):
        await signer.issue(naming(OWN), REVIEWS)
    asked = len(world.fake.seen)
    with pytest.raises(SignerAway, match="UNAVAILABLE: not today"):
        await signer.issue(naming(OWN), REVIEWS)
    assert len(world.fake.seen) == asked
    world.fake.fails = None
    assert isinstance(world.clock, FakeClock)
    world.clock.advance(31)
    assert (await signer.issue(naming(OWN), REVIEWS)).chain


async def test_a_refusal_and_a_wrong_root_are_told_at_the_start_without_the_token(world: World) -> None:
    world.fake.token = "another"
    with pytest.raises(UserError, match="UNAUTHENTICATED: request authenticate failure") as told:
        await world.opened()
    assert TOKEN not in str(told.value)
    world.fake.token = TOKEN
    (world.directory / "root.pem").write_text(Maker("another").pem)
    with pytest.raises(UserError, match="does not descend from the roots"):
        await world.opened()
    with pytest.raises(UserError, match="belong together"):
        await world.opened(certificate="/nowhere")


def own_files(directory: Path, maker: Maker, *names: x509.GeneralName) -> Pair:
    """A certificate of the control plane with these names, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    start = datetime.datetime.fromtimestamp(NOW - 60, datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(maker.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.OID_SERVER_AUTH, x509.OID_CLIENT_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(maker.key.public_key()), critical=False)
    )
    signed = builder.sign(maker.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    (directory / "own.pem").write_bytes(signed + maker.pem.encode())
    (directory / "own.key").write_bytes(key_pem_of(key))
    return Pair(certificate=str(directory / "own.pem"), key=str(directory / "own.key"))


PLANE = x509.UniformResourceIdentifier(control_plane("cluster.local").uri)
LOCAL = x509.DNSName("localhost")


async def test_istiod_names_no_hosts_so_the_control_plane_is_given_its_certificate(world: World) -> None:
    world.fake.istiod = True
    world.fake.beside = {REVIEWS.uri, PLANE.value}
    with pytest.raises(UserError, match="it is for the hosts none instead of localhost") as told:
        await world.opened()
    assert "controlPlane" in str(told.value.help)
    world.fake.beside = {REVIEWS.uri}
    shown = own_files(world.directory, world.fake.middle, PLANE, LOCAL)
    signer = await world.opened(control_plane=shown)
    assert is_believed((await signer.issue(naming(OWN), REVIEWS)).chain, signer.bundle, NOW)
    assert not signer.listener(()).renewed, "somebody must be told in time"
    first = signer.listener(()).chain.decode()
    assert first == (world.directory / "own.pem").read_text()
    assert not await signer.look()
    own_files(world.directory, world.fake.middle, PLANE, LOCAL)
    assert await signer.look()
    assert signer.listener(()).chain.decode() == (world.directory / "own.pem").read_text() != first


async def test_a_certificate_of_the_control_plane_that_nobody_would_believe_is_not_shown(world: World) -> None:
    world.fake.istiod = True
    good = own_files(world.directory, world.fake.middle, PLANE, LOCAL)
    signer = await world.opened(control_plane=good)
    shown = signer.listener(())
    for maker, names, said in (
        (world.fake.middle, (OWN, LOCAL), "is not that of the control plane"),
        (world.fake.middle, (PLANE, OWN), "is not that of the control plane"),
        (Maker("another"), (PLANE, LOCAL), "does not descend from the roots"),
    ):
        own_files(world.directory, maker, *names)
        with pytest.raises(UserError, match=said):
            await signer.look()
        assert signer.listener(()) == shown
        with pytest.raises(UserError, match=said):
            await world.opened(control_plane=good)
    (world.directory / "own.key").write_bytes(key_pem_of(ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(UserError, match="is not that of the key"):
        await signer.look()


async def test_what_istiod_refuses_is_told_with_what_to_do(world: World) -> None:
    world.fake.istiod = True
    own = own_files(world.directory, world.fake.middle, PLANE, LOCAL)
    signer = await world.opened(control_plane=own)
    with pytest.raises(SignerAway, match=r"UNAUTHENTICATED: request impersonation.*let weft ask for the identities"):
        await signer.issue(naming(OWN), REVIEWS)
    world.fake.beside = {REVIEWS.uri}
    longer = await world.opened(lifetime=30 * 86400.0, control_plane=own)
    with pytest.raises(SignerAway, match=r"INVALID_ARGUMENT.*greater than the max.*lower --leaf-ttl"):
        await longer.issue(naming(OWN), REVIEWS)


async def test_an_impostor_sees_no_token(world: World, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2):
            await world.opened(ca_file=str(other))
    assert world.fake.seen == []
