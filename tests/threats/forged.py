"""Certificates that attackers make themselves."""

import datetime as dt
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.threats.plane import Member, kept, pem_of
from weft.ca.names import control_plane


def forged_below(member: Member, uri: str) -> Member:
    """A certificate that a member signed, as if its own were an authority's."""
    key = serialization.load_pem_private_key(member.key, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    issuer = x509.load_pem_x509_certificate(member.chain)
    own = ec.generate_private_key(ec.SECP256R1())
    leaf = _builder(uri).issuer_name(issuer.subject).public_key(own.public_key()).sign(key, hashes.SHA256())
    chain = leaf.public_bytes(serialization.Encoding.PEM) + member.chain
    return kept(member.file.parent / f"forged-{time.monotonic_ns()}.pem", pem_of(own), chain)


def of_own_root(member: Member, *uris: str, issuer: x509.Name | None = None) -> Member:
    """A certificate of a root that nobody knows, of the same name as the mesh's if its ``issuer`` is told."""
    root = ec.generate_private_key(ec.SECP256R1())
    own = ec.generate_private_key(ec.SECP256R1())
    name = issuer or x509.Name([])
    leaf = _builder(*uris).issuer_name(name).public_key(own.public_key()).sign(root, hashes.SHA256())
    chain = leaf.public_bytes(serialization.Encoding.PEM)
    return kept(member.file.parent / f"own-{time.monotonic_ns()}.pem", pem_of(own), chain)


def impostor() -> tuple[bytes, bytes]:
    """The key and certificate of somebody who says he is the control plane."""
    own = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(control_plane("cluster.local").uri).issuer_name(x509.Name([])).public_key(own.public_key())
    return pem_of(own), builder.sign(own, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _builder(*uris: str) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri) for uri in uris]
    names.append(x509.DNSName("localhost"))
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
    )
