"""Leaves come from an intermediate: it is replaced by itself, and signs on where the key of the root is not."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from tests.ca.chains import REVIEWS, csr, is_believed, parsed
from weft.ca.authority import Authority, open_authority
from weft.ca.certificates import key_pem_of
from weft.ca.key_files import read_pair
from weft.ca.offline import OfflineRoot, imported, sign_request
from weft.ca.signer import SignerAway
from weft.kit.clock import FakeClock
from weft.kit.errors import UserError
from weft.kit.sealing import Keyring, SealingKey

DAY = 86400.0
RING = Keyring((SealingKey(b"k" * 32),))


def opened(directory: Path, clock: FakeClock) -> Authority:
    return open_authority(directory, trust_domain="cluster.local", clock=clock, keyring=RING)


def intermediate(authority: Authority) -> str:
    return parsed(authority.sign(csr(), REVIEWS).chain)[1].public_bytes(serialization.Encoding.PEM).decode()


def test_a_leaf_is_believed_by_whoever_knows_the_root_alone(tmp_path: Path, clock: FakeClock) -> None:
    authority = opened(tmp_path, clock)
    chain = authority.sign(csr(), REVIEWS).chain
    assert len(parsed(chain)) == 2
    assert is_believed(chain, authority.bundle, clock.now())
    assert not is_believed(parsed(chain)[0].public_bytes(serialization.Encoding.PEM).decode(), authority.bundle, 0)
    assert is_believed(authority.listener(("mesh.example",)).chain.decode(), authority.bundle, clock.now())


@pytest.mark.asyncio
async def test_an_intermediate_goes_at_half_its_life_and_nobody_has_to_be_told(
    tmp_path: Path, clock: FakeClock
) -> None:
    authority = opened(tmp_path, clock)
    first, tag, bundle = intermediate(authority), authority.tag, authority.bundle
    last = authority.sign(csr(), REVIEWS)
    clock.advance(44 * DAY)
    await authority.look()
    assert intermediate(authority) == first
    clock.advance(2 * DAY)
    await authority.look()
    assert intermediate(authority) != first
    assert (authority.tag, authority.bundle) == (tag, bundle)
    assert is_believed(authority.sign(csr(), REVIEWS).chain, bundle, clock.now())
    assert is_believed(last.chain, bundle, last.expires - 1), "what it signed stays good"


def test_a_leaf_never_outlives_its_intermediate(tmp_path: Path, clock: FakeClock) -> None:
    authority = opened(tmp_path / "ca", clock)
    export(tmp_path, clock, 60 * DAY)
    clock.advance(60 * DAY - 3600)
    authority = opened(tmp_path / "ca", clock)
    leaf = authority.sign(csr(), REVIEWS)
    assert leaf.expires <= clock.now() + 3600
    clock.advance(3601)
    with pytest.raises(SignerAway, match="no intermediate"):
        authority.sign(csr(), REVIEWS)
    with pytest.raises(UserError, match="no intermediate"):
        opened(tmp_path / "ca", clock)


def export(directory: Path, clock: FakeClock, lifetime: float, passphrase: bytes = b"") -> Path:
    file = directory / "root.exported"
    OfflineRoot(directory / "ca", RING, clock).export(file, passphrase, lifetime)
    return file


@pytest.mark.asyncio
async def test_the_key_of_the_root_is_taken_away_and_signs_the_next_intermediate_where_it_is(
    tmp_path: Path, clock: FakeClock
) -> None:
    before = opened(tmp_path / "ca", clock)
    key, _ = read_pair(tmp_path / "ca" / "root-key.pem", RING)
    assert key is not None
    file = export(tmp_path, clock, 365 * DAY, b"correct horse")
    assert b"ENCRYPTED" in file.read_bytes()
    assert read_pair(tmp_path / "ca" / "root-key.pem", RING)[0] is None
    everything = b"".join(one.read_bytes() for one in (tmp_path / "ca").iterdir())
    assert b"PRIVATE" not in everything
    assert key_pem_of(key)[40:80] not in everything

    authority = opened(tmp_path / "ca", clock)
    assert authority.bundle == before.bundle
    first = intermediate(authority)
    offline = OfflineRoot(tmp_path / "ca", RING, clock)
    request = offline.request()
    with pytest.raises(UserError, match="no root that opens"):
        imported(file, b"wrong")
    made = sign_request(imported(file, b"correct horse"), request, clock.now(), 365 * DAY)
    offline.install(made.encode())
    assert await authority.look(), "the running control plane sees it"
    assert intermediate(authority) == made != first
    assert is_believed(authority.sign(csr(), REVIEWS).chain, before.bundle, clock.now())


def test_what_is_installed_must_be_what_was_asked_for(tmp_path: Path, clock: FakeClock) -> None:
    opened(tmp_path / "ca", clock)
    other = opened(tmp_path / "other" / "ca", clock)
    offline = OfflineRoot(tmp_path / "ca", RING, clock)
    with pytest.raises(UserError, match="no intermediate was asked for"):
        offline.install(other.bundle.encode())
    root = imported(export(tmp_path, clock, 365 * DAY), b"")
    foreign = imported(export(tmp_path / "other", clock, 365 * DAY), b"")
    old = sign_request(root, offline.request(), clock.now(), 365 * DAY)
    request = offline.request()
    for wrong, said in (
        (old, "another key"),
        (sign_request(foreign, request, clock.now(), DAY), "not signed by"),
        ("no PEM", "no certificate"),
    ):
        with pytest.raises(UserError, match=said):
            offline.install(wrong.encode())


def test_an_exported_root_is_replaced_like_any_other(tmp_path: Path, clock: FakeClock) -> None:
    opened(tmp_path / "ca", clock)
    export(tmp_path, clock, 365 * DAY)
    authority = opened(tmp_path / "ca", clock)
    authority.begin_rotation(eager=True)
    authority.switch_signer()
    chain = authority.sign(csr(), REVIEWS).chain
    authority.finish_rotation()
    assert is_believed(chain, authority.bundle, clock.now())
    assert is_believed(authority.listener(()).chain.decode(), authority.bundle, clock.now())
    assert len(list((tmp_path / "ca").glob("intermediate-*.pem"))) == 1


def test_a_root_of_an_older_weft_signs_itself_until_it_is_replaced(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from weft.ca import certificates

    delegating = certificates._authority
    with monkeypatch.context() as older:
        older.setattr(certificates, "_authority", lambda b, k, t, path_length: delegating(b, k, t, path_length=0))
        authority = opened(tmp_path / "ca", clock)
    old = authority.sign(csr(), REVIEWS).chain
    assert len(parsed(old)) == 1
    assert is_believed(old, authority.bundle, clock.now())
    with pytest.raises(UserError, match="older weft"):
        export(tmp_path, clock, 365 * DAY)
    authority.begin_rotation(eager=True)
    authority.switch_signer()
    assert is_believed(authority.sign(csr(), REVIEWS).chain, authority.bundle, clock.now())


def test_the_end_of_everything_is_told_with_what_signs(tmp_path: Path, clock: FakeClock) -> None:
    authority = opened(tmp_path / "ca", clock)
    root, below = authority.endings()
    assert (root.kind, root.signs, root.renewed) == ("root", False, False)
    assert (below.kind, below.signs, below.renewed) == ("intermediate", True, True)
    export(tmp_path, clock, 365 * DAY)
    root, below = opened(tmp_path / "ca", clock).endings()
    assert "kept elsewhere" in root.name
    assert not below.renewed
    assert below.expires == pytest.approx(clock.now() + 365 * DAY, abs=1)
