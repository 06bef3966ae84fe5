"""Certificates in Secrets and ConfigMaps: their content for the proxy that may have it, and what everybody may know.

The keys are istiod's: ``cert`` and ``key``, else ``tls.crt`` and ``tls.key``; of authorities ``cacert`` and ``crl``,
else ``ca.crt`` and ``ca.crl``. What Envoy would refuse is told as a fault and is not sent to it.
"""

import hashlib
from collections.abc import Callable
from math import gcd
from typing import Any, NamedTuple

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509 import ocsp

from weft.dialects.wire import bytes_of
from weft.model.credential import StoredCredential
from weft.model.document import Document

_PAIRS = (("cert", "key"), ("tls.crt", "tls.key"))
_ROOTS = (("cacert", "crl"), ("ca.crt", "ca.crl"))
_STAPLE = "tls.ocsp-staple"
_SHORTEST_RSA = 2048
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)

_decode = msgspec.json.Decoder().decode
_facts = msgspec.json.Decoder(StoredCredential).decode


class Material:
    """PEMs of one document (``staple``: DER); empty what it has not. Never shown, compared or kept."""

    __slots__ = ("authorities", "chain", "key", "names", "revoked", "staple")

    def __init__(self, found: dict[str, bytes]) -> None:
        pair = next((pair for pair in _PAIRS if all(found.get(name) for name in pair)), _PAIRS[1])
        roots = next((roots for roots in _ROOTS if found.get(roots[0])), _ROOTS[1])
        self.names = (*pair, *roots)
        self.chain, self.key = (found.get(name, b"") for name in pair)
        self.authorities, self.revoked = (found.get(name, b"") for name in roots)
        self.staple = found.get(_STAPLE, b"")


def material_of(document: Document) -> Material:
    """What the document holds for proxies; nothing where it is not as it should be, no staple that Envoy refuses."""
    try:
        content = _decode(document.content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        content = None
    material = Material(_contents(content, document.key.kind) if isinstance(content, dict) else {})
    if material.staple and _staple_fault(material):
        material.staple = b""
    return material


def stored_credential(document: Document) -> StoredCredential:
    """What may be known of a document, whether its content is that alone already or not."""
    try:
        facts = _facts(document.content)
        if facts.key == document.key:
            return facts
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    material = material_of(document)
    fault, leaf, key = _pair(material)
    return StoredCredential(
        key=document.key,
        certificate=not fault,
        authorities=not (roots_fault := _roots_fault(material)),
        certificate_fault=fault,
        authorities_fault=roots_fault,
        names=_names(leaf) if leaf is not None else (),
        not_before=int(leaf.not_valid_before_utc.timestamp()) if leaf is not None else None,
        not_after=int(leaf.not_valid_after_utc.timestamp()) if leaf is not None else None,
        version=_version(material, key),
    )


def pair_fault(found: dict[str, bytes]) -> tuple[str, str]:
    """The key of the data at fault and what is wrong with it; two empty texts if nothing is."""
    material = Material(found)
    fault, *_ = _pair(material)
    if not fault and material.staple:
        fault = _staple_fault(material)
        return (_STAPLE, f"{fault}, so it is left out") if fault else ("", "")
    return (material.names[0], fault) if fault else ("", "")


def _staple_fault(material: Material) -> str:
    """What Envoy refuses: anything but one response, in DER, about the certificate."""
    try:
        leaf = x509.load_pem_x509_certificates(material.chain)[0]
        response = ocsp.load_der_ocsp_response(material.staple)
        about = [one.serial_number for one in response.responses]
    except (ValueError, TypeError, IndexError):
        return f"{_STAPLE} is no OCSP response in DER"
    return "" if about == [leaf.serial_number] else f"{_STAPLE} is not about the certificate"


def _contents(content: dict[str, Any], kind: str) -> dict[str, bytes]:
    """Bytes by key. A manifest that was not sent yet may have texts."""
    encoded, plain = ("data", "stringData") if kind == "Secret" else ("binaryData", "data")
    found = _decoded(content.get(encoded), bytes_of)
    return found | _decoded(content.get(plain), lambda text: text.encode(errors="surrogatepass"))


def _decoded(values: object, read: Callable[[str], bytes]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for name, text in values.items() if isinstance(values, dict) else ():
        if isinstance(name, str) and isinstance(text, str):
            try:
                found[name] = read(text)
            except ValueError:
                continue
    return found


class _Pair(NamedTuple):
    """What is wrong with a certificate and its key, and both of them as far as they can be read."""

    fault: str
    leaf: x509.Certificate | None = None
    key: PrivateKeyTypes | None = None


def _pair(material: Material) -> _Pair:
    certificate, key, *_ = material.names
    if not material.chain or not material.key:
        return _Pair(f"it has no {certificate if not material.chain else key}")
    try:
        leaf = x509.load_pem_x509_certificates(material.chain)[0]
        public = leaf.public_key()
    except (ValueError, TypeError, IndexError):
        return _Pair(f"{certificate} is no certificate in PEM")
    try:
        # The library's own proof that the factors are prime takes a tenth of a second and more.
        private = load_pem_private_key(material.key, None, unsafe_skip_rsa_key_validation=True)
    except TypeError:
        return _Pair(f"{key} is protected by a password", leaf)
    except (ValueError, UnsupportedAlgorithm):
        return _Pair(f"{key} is no private key in PEM", leaf)
    if private.public_key() != public:
        return _Pair(f"{key} is not the key of the certificate in {certificate}", leaf, private)
    if isinstance(private, rsa.RSAPrivateKey) and not _is_sound(private):
        return _Pair(f"the parts of the RSA key in {key} do not fit together", leaf, private)
    return _Pair(_weakness(public, certificate), leaf, private)


def _is_sound(key: rsa.RSAPrivateKey) -> bool:
    numbers = key.private_numbers()
    factors = (numbers.p - 1) * (numbers.q - 1)
    product = numbers.p * numbers.q == numbers.public_numbers.n
    return product and numbers.d * numbers.public_numbers.e % (factors // gcd(numbers.p - 1, numbers.q - 1)) == 1


def _weakness(public: object, certificate: str) -> str:
    """What Envoy refuses (its ``ContextImpl``)."""
    if isinstance(public, rsa.RSAPublicKey):
        short = public.key_size < _SHORTEST_RSA
        return f"the RSA key of {certificate} has {public.key_size} bits, less than {_SHORTEST_RSA}" if short else ""
    if isinstance(public, ec.EllipticCurvePublicKey):
        known = isinstance(public.curve, _CURVES)
        return "" if known else f"the curve of {certificate} is {public.curve.name}, not P-256, P-384 or P-521"
    return f"the key of {certificate} is neither RSA nor ECDSA"


def _roots_fault(material: Material) -> str:
    *_, roots, revoked = material.names
    if not material.authorities:
        return f"it has no {roots}"
    try:
        x509.load_pem_x509_certificates(material.authorities)
    except (ValueError, TypeError):
        return f"{roots} has no certificates in PEM"
    try:
        if material.revoked:
            x509.load_pem_x509_crl(material.revoked)
    except (ValueError, TypeError):
        return f"{revoked} is no list of revoked certificates in PEM"
    return ""


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    addresses = (str(address) for address in names.get_values_for_type(x509.IPAddress))
    return (*(name.lower() for name in names.get_values_for_type(x509.DNSName)), *addresses)


def _version(material: Material, key: PrivateKeyTypes | None) -> str:
    """Of public things alone: nothing can be guessed from it, and a key without its certificate is of no use."""
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    public = key.public_key().public_bytes(*form) if key is not None else b""
    digest = hashlib.sha256()
    for part in (material.chain, public, material.staple, material.authorities, material.revoked):
        digest.update(len(part).to_bytes(8) + part)
    return digest.hexdigest()[:32]
