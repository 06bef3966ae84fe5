"""T1: a workload that was taken over wants to be somebody else. A certificate says who asks, whatever is asked."""

import base64
import ipaddress
import os
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.threats.plane import Member, Plane, csr_of, names_of

pytestmark = pytest.mark.live
ROGUE = "spiffe://cluster.local/ns/shop/sa/rogue"
VICTIM = "spiffe://cluster.local/ns/bank/sa/vault"
KEY = ec.generate_private_key(ec.SECP256R1())


def _names(*names: x509.GeneralName) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName(names)


WISHES: dict[str, tuple[x509.ExtensionType, ...]] = {
    "another name": (_names(x509.UniformResourceIdentifier(VICTIM)),),
    "two names": (_names(x509.UniformResourceIdentifier(ROGUE), x509.UniformResourceIdentifier(VICTIM)),),
    "the control plane's name": (_names(x509.UniformResourceIdentifier("spiffe://cluster.local/ns/weft/sa/weft")),),
    "another trust domain": (_names(x509.UniformResourceIdentifier("spiffe://other.example/ns/shop/sa/rogue")),),
    "hosts": (
        _names(
            x509.DNSName("localhost"),
            x509.DNSName("*"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
            x509.RFC822Name("admin@example.com"),
        ),
    ),
    "an authority": (
        x509.BasicConstraints(ca=True, path_length=None),
        x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=True,
            key_encipherment=True,
            data_encipherment=True,
            key_agreement=True,
            encipher_only=False,
            decipher_only=False,
        ),
    ),
    "any use": (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE, ExtendedKeyUsageOID.CODE_SIGNING]),),
    "constraints": (x509.NameConstraints([x509.UniformResourceIdentifier("bank")], None),),
}


@pytest.mark.parametrize("way", ["join", "renew"])
@pytest.mark.parametrize("wish", WISHES)
def test_a_certificate_names_its_caller_and_nothing_that_was_asked_for(
    wish: str, way: str, attacked: Plane, rogue: Member
) -> None:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, VICTIM)])
    csr = csr_of(KEY, *WISHES[wish], subject=subject).decode()
    if way == "join":
        answer = attacked.tell("POST", "/v1/join", {"token": attacked.join_token("shop", "rogue"), "csr": csr})
    else:
        answer = attacked.tell("POST", "/v1/renew", {"csr": csr}, rogue)
    assert answer.status == 200
    _is_the_rogues(answer.json()["chain"])


def _is_the_rogues(chain: str) -> None:
    leaf = x509.load_pem_x509_certificate(chain.encode())
    assert names_of(chain) == [ROGUE]
    assert "vault" not in leaf.subject.rfc4514_string()
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    assert not usage.key_cert_sign
    assert not usage.crl_sign


@pytest.mark.parametrize("field", ["namespace", "service_account", "identity", "san", "sub", "uri"])
def test_fields_of_the_request_name_nobody(field: str, attacked: Plane, rogue: Member) -> None:
    said = {"csr": csr_of(KEY).decode(), field: VICTIM}
    answer = attacked.tell("POST", "/v1/renew", said, rogue)
    if answer.status == 200:
        _is_the_rogues(answer.json()["chain"])
    else:
        assert answer.status == 400


def _damaged() -> bytes:
    """A request for another key than the one that signed it."""
    lines = csr_of(KEY).split(b"\n")
    der = bytearray(base64.b64decode(b"".join(lines[1:-2])))
    der[-1] ^= 1
    return b"\n".join([lines[0], base64.b64encode(bytes(der)), lines[-2], b""])


def _requests() -> dict[str, Any]:
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505
    return {
        "not its own": _damaged,
        "RSA of 1024 bits": lambda: csr_of(weak),
        "P-521": lambda: csr_of(ec.generate_private_key(ec.SECP521R1())),
        "secp256k1": lambda: csr_of(ec.generate_private_key(ec.SECP256K1())),
        "Ed448": lambda: csr_of(ed448.Ed448PrivateKey.generate()),
        "DSA": lambda: csr_of(dsa.generate_private_key(2048)),
        "large": lambda: b"-----BEGIN CERTIFICATE REQUEST-----\n" + b"A" * 1_000_000,
        "many names": lambda: csr_of(KEY, _names(*(x509.DNSName(f"n{number}") for number in range(10_000)))),
        "random": lambda: b"-----BEGIN CERTIFICATE REQUEST-----\n" + base64.b64encode(os.urandom(600)),
        "empty": lambda: b"",
    }


@pytest.mark.parametrize("name", _requests())
def test_a_request_that_is_no_good_is_refused_soon(name: str, attacked: Plane, rogue: Member) -> None:
    csr = _requests()[name]().decode()
    before = attacked.memory
    answer = attacked.tell("POST", "/v1/renew", {"csr": csr}, rogue)
    assert answer.status in (0, 400, 413), answer
    assert answer.busy < 1
    assert attacked.memory - before < 50 * 2**20
    attacked.well()


def test_keys_that_peers_verify_quickly_are_taken(attacked: Plane, rogue: Member) -> None:
    for key in (ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP384R1())):
        answer = attacked.tell("POST", "/v1/renew", {"csr": csr_of(key).decode()}, rogue)
        assert answer.status == 200
        _is_the_rogues(answer.json()["chain"])


def test_a_certificate_cannot_sign_another(attacked: Plane, rogue: Member) -> None:
    from tests.threats.forged import forged_below

    forged = forged_below(rogue, VICTIM)
    assert attacked.tell("POST", "/v1/renew", {"csr": csr_of(KEY).decode()}, forged).status == 0
