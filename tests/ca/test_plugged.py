"""An intermediate from files, in Istio's words: what is taken, what is refused, and what happens when they change."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.ca.chains import REVIEWS, Maker, csr, is_believed, parsed, write_cacerts
from weft.ca.choice import read_choice
from weft.ca.opening import Place, open_signer
from weft.ca.plugged import Plugged
from weft.ca.signer import SignerAway
from weft.kit.clock import FakeClock
from weft.kit.errors import UserError
from weft.kit.sealing import Keyring, SealingKey

NOW = 1_700_000_000.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


def opened(directory: Path, clock: FakeClock) -> Plugged:
    return Plugged(directory, "cluster.local", clock, 3600.0)


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["ec", "rsa"])
async def test_leaves_descend_from_the_root_of_the_files(tmp_path: Path, clock: FakeClock, kind: str) -> None:
    root = Maker("root")
    middle = Maker("middle", root)
    key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP384R1())
    signer = opened(write_cacerts(tmp_path, Maker("signer", middle, key), (root,), (middle, root)), clock)
    leaf = await signer.issue(csr(), REVIEWS)
    assert signer.bundle == root.pem
    assert [one.subject for one in parsed(leaf.chain)[1:]] == [
        signer._issuer.certificate.subject,
        middle.certificate.subject,
    ]
    assert is_believed(leaf.chain, root.pem, NOW)
    assert is_believed(signer.listener(("mesh.example",)).chain.decode(), root.pem, NOW)
    assert leaf.expires == NOW + 3600


@pytest.mark.asyncio
async def test_a_root_that_signs_itself_needs_no_chain(tmp_path: Path, clock: FakeClock) -> None:
    root = Maker("root")
    directory = write_cacerts(tmp_path, root, (root,))
    (directory / "cert-chain.pem").unlink()
    leaf = await opened(directory, clock).issue(csr(), REVIEWS)
    assert len(parsed(leaf.chain)) == 1
    assert is_believed(leaf.chain, root.pem, NOW)


@pytest.mark.asyncio
async def test_the_names_of_a_kubernetes_secret_do_too(tmp_path: Path, clock: FakeClock) -> None:
    root = Maker("root")
    signer = Maker("signer", root)
    (tmp_path / "tls.crt").write_text(signer.pem)
    (tmp_path / "tls.key").write_bytes(signer.key_pem)
    (tmp_path / "ca.crt").write_text(root.pem)
    assert is_believed((await opened(tmp_path, clock).issue(csr(), REVIEWS)).chain, root.pem, NOW)


@pytest.mark.asyncio
async def test_files_that_change_are_followed_and_nonsense_is_not(tmp_path: Path, clock: FakeClock) -> None:
    old, new = Maker("old"), Maker("new")
    signer = opened(write_cacerts(tmp_path, Maker("a", old), (old,)), clock)
    tag = signer.tag
    assert not await signer.look()
    (tmp_path / "ca-key.pem").write_text("nonsense")
    for _ in range(2):
        with pytest.raises(UserError, match="no private key"):
            await signer.look()
    assert is_believed((await signer.issue(csr(), REVIEWS)).chain, old.pem, NOW), "what was read before counts"
    write_cacerts(tmp_path, Maker("b", new), (old, new))
    assert await signer.look()
    assert signer.tag != tag
    assert is_believed((await signer.issue(csr(), REVIEWS)).chain, new.pem, NOW)
    assert not await signer.look()


def broken(change: str, directory: Path) -> None:
    root = Maker("root")
    write_cacerts(directory, Maker("signer", root), (root,))
    match change:
        case "another key":
            (directory / "ca-key.pem").write_bytes(Maker("x").key_pem)
        case "another root":
            (directory / "root-cert.pem").write_text(Maker("x").pem)
        case "no root":
            (directory / "root-cert.pem").write_text("")
        case "a missing file":
            (directory / "ca-cert.pem").unlink()
        case "too old":
            write_cacerts(directory, Maker("signer", root, days=10), (root,))
        case "half a certificate":
            (directory / "ca-cert.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        case "a gigabyte":
            with (directory / "root-cert.pem").open("wb") as file:
                file.truncate(1 << 30)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("another key", "not that of the key"),
        ("another root", "does not descend"),
        ("no root", "no certificate in"),
        ("a missing file", "cannot be read"),
        ("too old", "has ended"),
        ("half a certificate", "cannot be read"),
        ("a gigabyte", "larger than"),
    ],
)
def test_files_that_nobody_would_believe_are_refused(tmp_path: Path, clock: FakeClock, change: str, said: str) -> None:
    broken(change, tmp_path)
    with pytest.raises(UserError, match=said):
        opened(tmp_path, clock)


@pytest.mark.asyncio
async def test_leaves_end_with_the_intermediate_and_the_root_is_replaced_elsewhere(
    tmp_path: Path, clock: FakeClock
) -> None:
    root = Maker("root")
    signer = opened(write_cacerts(tmp_path, Maker("signer", root), (root,)), clock)
    clock.advance(signer._issuer.expires - NOW - 60)
    assert (await signer.issue(csr(), REVIEWS)).expires == signer._issuer.expires
    clock.advance(60)
    with pytest.raises(SignerAway, match="has ended"):
        await signer.issue(csr(), REVIEWS)
    with pytest.raises(UserError, match="not weft's to replace"):
        signer.begin_rotation(eager=True)


@pytest.mark.asyncio
async def test_the_choice_of_files_publishes_their_roots(tmp_path: Path, clock: FakeClock) -> None:
    root = Maker("root")
    directory = write_cacerts(tmp_path / "cacerts", Maker("signer", root), (root,))
    file = tmp_path / "ca.yaml"
    file.write_text(f"files: {{directory: {directory}}}\n")
    place = Place(directory=tmp_path / "ca", trust_domain="cluster.local", lifetime=3600.0)
    signer = await open_signer(read_choice(file), place, Keyring((SealingKey(b"k" * 32),)), clock)
    assert signer.kind == "files"
    assert (tmp_path / "ca" / "root.pem").read_text() == root.pem
    assert not (tmp_path / "ca" / "root-key.pem").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected"),
        ("{}", "must choose one"),
        ("embedded: {}\nfiles: {directory: /x}", "must choose one"),
        ("files: {directory: /x, directroy: /y}", "directroy"),
        ("files: {}", "directory"),
        ("ca: {", "no YAML"),
    ],
)
def test_a_choice_that_is_none_is_told(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "ca.yaml"
    file.write_text(text)
    with pytest.raises(UserError, match=said):
        read_choice(file)
