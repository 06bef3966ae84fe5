"""Certificates that are signed here: what verifiers think of them, and what is no authority."""

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from tests.ca.chains import Maker
from weft.issuing.errors import Unissued
from weft.issuing.keys import new_private_key
from weft.issuing.local import Pair, pair_of, signed
from weft.model.document import Key
from weft.model.issuing import IssuerReference, Order

NOW = 1_700_000_000.0


def order(**changes: object) -> Order:
    settings: dict[str, object] = {
        "document": Key(kind="Certificate", namespace="shop", name="edge"),
        "path": ("spec",),
        "secret": Key(kind="Secret", namespace="shop", name="edge"),
        "names": ("shop.example.com", "www.example.com"),
        "reference": IssuerReference(kind="Issuer", name="i"),
    }
    return Order(**(settings | changes))  # type: ignore[arg-type]


def is_good(chain: bytes, root: bytes, name: str, at: float = NOW) -> bool:
    leaf, *between = x509.load_pem_x509_certificates(chain)
    moment = datetime.datetime.fromtimestamp(at, datetime.UTC)
    builder = PolicyBuilder().store(Store(x509.load_pem_x509_certificates(root))).time(moment)
    try:
        builder.build_server_verifier(x509.DNSName(name)).verify(leaf, between)
    except VerificationError:
        return False
    return True


def pair(maker: Maker, *above: Maker) -> Pair:
    return pair_of((maker.pem + "".join(one.pem for one in above)).encode(), maker.key_pem, "shop/root")


@pytest.mark.parametrize("algorithm", [("ECDSA", 256), ("RSA", 2048)])
def test_a_verifier_that_knows_the_root_takes_it_for_its_names(algorithm: tuple[str, int]) -> None:
    root = Maker("root")
    chain, above = signed(order(), new_private_key(*algorithm), pair(root), NOW)
    assert above.decode() == root.pem
    assert is_good(chain, above, "shop.example.com")
    assert is_good(chain, above, "www.example.com", NOW + 89 * 86400)
    assert not is_good(chain, above, "www.example.com", NOW + 91 * 86400)
    assert not is_good(chain, above, "other.example.com")


def test_an_intermediate_is_sent_along_and_its_root_is_not() -> None:
    root = Maker("root")
    middle = Maker("middle", root)
    chain, above = signed(order(duration=3600), new_private_key("ECDSA", 256), pair(middle, root), NOW)
    assert len(x509.load_pem_x509_certificates(chain)) == 2
    assert above.decode() == root.pem
    assert is_good(chain, above, "shop.example.com")
    assert not is_good(chain, above, "shop.example.com", NOW + 3601)


def test_without_an_authority_it_is_signed_by_its_own_key() -> None:
    key = new_private_key("ECDSA", 256)
    chain, above = signed(order(), key, None, NOW)
    (leaf,) = x509.load_pem_x509_certificates(chain)
    assert above == chain
    assert leaf.public_key() == key.public_key()
    leaf.verify_directly_issued_by(leaf)


def test_an_authority_is_made_and_signs_others() -> None:
    key = new_private_key("ECDSA", 256)
    chain, _ = signed(order(names=(), authority=True, common_name="our root"), key, None, NOW)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    root = pair_of(chain, Maker("x", key=key).key_pem, "shop/root")
    below, above = signed(order(), new_private_key("ECDSA", 256), root, NOW)
    assert above == chain
    assert is_good(below, above, "shop.example.com")


def test_a_certificate_never_outlives_its_authority() -> None:
    days = int((NOW - 1_577_836_800) / 86400)
    root = Maker("root", days=days + 2)
    chain, _ = signed(order(), new_private_key("ECDSA", 256), pair(root), NOW)
    assert x509.load_pem_x509_certificates(chain)[0].not_valid_after_utc == root.certificate.not_valid_after_utc
    with pytest.raises(Unissued, match="has ended"):
        signed(order(), new_private_key("ECDSA", 256), pair(Maker("old", days=days - 1)), NOW)


def test_what_is_no_authority_signs_nothing() -> None:
    root, other = Maker("root"), Maker("other")
    leaf, _ = signed(order(), key := new_private_key("ECDSA", 256), pair(root), NOW)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    for chain, secret, said in (
        (b"", root.key_pem, "holds no certificate"),
        (root.pem.encode(), b"nonsense", "holds no certificate"),
        (root.pem.encode(), other.key_pem, "not that of its certificate"),
        (leaf, Maker("x", key=key).key_pem, "may not sign others"),
    ):
        with pytest.raises(Unissued, match=said):
            pair_of(chain, secret, "shop/root")
    assert root.certificate.public_bytes(Encoding.PEM).decode() == root.pem
