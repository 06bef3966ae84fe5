"""The authority: nothing but the caller's identity, whatever the request asks for."""

import datetime
import ipaddress
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from weft.ca.authority import Authority, open_authority
from weft.ca.csr import BadRequest
from weft.kit.clock import FakeClock, SystemClock
from weft.kit.errors import UserError
from weft.kit.sealing import Keyring, SealingKey
from weft.model.identity import Identity

REVIEWS = Identity(trust_domain="cluster.local", namespace="shop", account="reviews")
VICTIM = "spiffe://cluster.local/ns/shop/sa/victim"

Builder = x509.CertificateSigningRequestBuilder


def request(change: Callable[[Builder], Builder] = lambda builder: builder, key: object = None) -> bytes:
    signer = key or ec.generate_private_key(ec.SECP256R1())
    digest = None if isinstance(signer, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey) else hashes.SHA256()
    builder = change(Builder().subject_name(x509.Name([])))
    return builder.sign(signer, digest).public_bytes(serialization.Encoding.PEM)  # type: ignore[arg-type]


def names(*others: x509.GeneralName) -> Callable[[Builder], Builder]:
    return lambda builder: builder.add_extension(x509.SubjectAlternativeName(others), critical=True)


def victim_subject(builder: Builder) -> Builder:
    return Builder().subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "victim")]))


def authority_extensions(builder: Builder) -> Builder:
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    return builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), True).add_extension(usage, True)


GREEDY = {
    "plain": lambda builder: builder,
    "another workload's id": names(x509.UniformResourceIdentifier(VICTIM)),
    "two ids": names(x509.UniformResourceIdentifier(REVIEWS.uri), x509.UniformResourceIdentifier(VICTIM)),
    "dns, address and mail": names(
        x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.RFC822Name("a@b.c")
    ),
    "an authority": authority_extensions,
    "the victim as subject": victim_subject,
}


@pytest.mark.parametrize("change", GREEDY.values(), ids=GREEDY.keys())
def test_a_leaf_says_who_the_caller_is_whatever_was_asked(authority: Authority, change: Callable[..., Builder]) -> None:
    leaf = x509.load_pem_x509_certificate(authority.sign(request(change), REVIEWS).chain.encode())
    alternative = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert [name.value for name in alternative.value] == [REVIEWS.uri]
    assert alternative.critical
    assert leaf.subject == x509.Name([])
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert not usage.key_cert_sign
    extended = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(extended) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}


STRONG = {
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "rsa2048": lambda: rsa.generate_private_key(65537, 2048),
}
WEAK = {
    "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()),
    "ed448": ed448.Ed448PrivateKey.generate,
    "rsa1024": lambda: rsa.generate_private_key(65537, 1024),  # noqa: S505
    "dsa": lambda: dsa.generate_private_key(2048),
}


@pytest.mark.parametrize("key", STRONG.values(), ids=STRONG.keys())
def test_strong_keys_are_signed(authority: Authority, key: Callable[[], object]) -> None:
    assert authority.sign(request(key=key()), REVIEWS).chain


@pytest.mark.parametrize("key", WEAK.values(), ids=WEAK.keys())
def test_other_keys_are_refused(authority: Authority, key: Callable[[], object]) -> None:
    with pytest.raises(BadRequest):
        authority.sign(request(key=key()), REVIEWS)


@pytest.mark.parametrize(
    "garbage",
    [b"", b"\x00" * 100, b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"],
)
def test_garbage_is_refused(authority: Authority, garbage: bytes) -> None:
    with pytest.raises(BadRequest):
        authority.sign(garbage, REVIEWS)


def test_a_megabyte_is_refused_before_it_is_parsed(authority: Authority) -> None:
    with pytest.raises(BadRequest, match="larger"):
        authority.sign(request() + b"\n" * 1_000_000, REVIEWS)


def test_a_request_that_its_key_did_not_sign_is_refused(authority: Authority) -> None:
    parsed = x509.load_pem_x509_csr(request())
    der = bytearray(parsed.public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    import base64

    body = base64.encodebytes(bytes(der)).decode()
    with pytest.raises(BadRequest):
        authority.sign(
            f"-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----\n".encode(), REVIEWS
        )


def test_a_leaf_lives_a_day_from_two_minutes_ago(authority: Authority, clock: FakeClock) -> None:
    signed = authority.sign(request(), REVIEWS)
    leaf = x509.load_pem_x509_certificate(signed.chain.encode())
    now = datetime.datetime.fromtimestamp(clock.now(), datetime.UTC)
    assert leaf.not_valid_before_utc == now - datetime.timedelta(minutes=2)
    assert leaf.not_valid_after_utc == now + datetime.timedelta(hours=24)
    assert signed.expires == clock.now() + 86400


def test_serials_are_random_and_long(authority: Authority) -> None:
    leaves = [x509.load_pem_x509_certificate(authority.sign(request(), REVIEWS).chain.encode()) for _ in range(20)]
    assert len({leaf.serial_number for leaf in leaves}) == 20
    assert all(leaf.serial_number.bit_length() == 128 for leaf in leaves)


@pytest.mark.parametrize("lifetime", [0, 59, 31 * 86400])
def test_lifetimes_outside_the_range_are_refused(tmp_path: Path, lifetime: float) -> None:
    with pytest.raises(UserError):
        open_authority(tmp_path, trust_domain="cluster.local", clock=SystemClock(), lifetime=lifetime)


def test_a_restart_finds_the_same_root_and_private_files(tmp_path: Path, clock: FakeClock) -> None:
    first = open_authority(tmp_path / "ca", trust_domain="cluster.local", clock=clock)
    again = open_authority(tmp_path / "ca", trust_domain="cluster.local", clock=clock)
    assert first.fingerprint == again.fingerprint
    assert (tmp_path / "ca" / "root-key.pem").stat().st_mode & 0o777 == 0o600
    public = (tmp_path / "ca" / "root.pem").read_text()
    assert public == first.bundle
    assert "PRIVATE" not in public


def test_another_trust_domain_or_an_open_key_is_refused(tmp_path: Path, clock: FakeClock) -> None:
    open_authority(tmp_path, trust_domain="cluster.local", clock=clock)
    with pytest.raises(UserError, match=r"not of spiffe://other"):
        open_authority(tmp_path, trust_domain="other", clock=clock)
    (tmp_path / "root-key.pem").chmod(0o644)
    with pytest.raises(UserError, match="read by others"):
        open_authority(tmp_path, trust_domain="cluster.local", clock=clock)


def test_a_damaged_key_is_said_to_be_damaged(tmp_path: Path, clock: FakeClock) -> None:
    open_authority(tmp_path, trust_domain="cluster.local", clock=clock)
    (tmp_path / "root-key.pem").write_bytes(b"half a f")
    with pytest.raises(UserError, match="damaged"):
        open_authority(tmp_path, trust_domain="cluster.local", clock=clock)


def test_processes_that_start_at_once_share_one_root(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from weft.ca.authority import open_authority;"
        "from weft.kit.clock import SystemClock;"
        "a = open_authority(Path(sys.argv[1]), trust_domain='cluster.local', clock=SystemClock());"
        "print(a.fingerprint)"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    prints = {process.communicate(timeout=40)[0] for process in started}
    assert len(prints) == 1
    assert len(prints.pop().strip()) == 64


OLD, NEW = SealingKey(b"o" * 32), SealingKey(b"n" * 32)


def test_the_key_lies_on_the_disk_sealed_and_a_plain_one_becomes_so(tmp_path: Path, clock: FakeClock) -> None:
    plain = open_authority(tmp_path, trust_domain="cluster.local", clock=clock)
    file = tmp_path / "root-key.pem"
    key = file.read_bytes().partition(b"-----BEGIN CERTIFICATE")[0]
    assert b"PRIVATE" in key
    for ring in (Keyring((OLD,)), Keyring((NEW, OLD)), Keyring((NEW,))):
        sealed = open_authority(tmp_path, trust_domain="cluster.local", clock=clock, keyring=ring)
        assert sealed.fingerprint == plain.fingerprint
        assert sealed.sign(request(), REVIEWS).chain
        assert b"PRIVATE" not in file.read_bytes()
        assert file.stat().st_mode & 0o777 == 0o600
    before = file.read_bytes()
    for ring, said in ((Keyring((OLD,)), f"{NEW.id}.*{OLD.id}"), (None, "is sealed")):
        with pytest.raises(UserError, match=said):
            open_authority(tmp_path, trust_domain="cluster.local", clock=clock, keyring=ring)
    assert file.read_bytes() == before


def test_a_new_authority_never_writes_its_key_in_plaintext(tmp_path: Path, clock: FakeClock) -> None:
    open_authority(tmp_path, trust_domain="cluster.local", clock=clock, keyring=Keyring((OLD,)))
    content = (tmp_path / "root-key.pem").read_bytes()
    assert content.startswith(b"-----BEGIN WEFT SEALED KEY-----\n")
    (tmp_path / "root-key.pem").write_bytes(content[:60] + b"AAAA" + content[64:])
    with pytest.raises(UserError, match="does not open"):
        open_authority(tmp_path, trust_domain="cluster.local", clock=clock, keyring=Keyring((OLD,)))
