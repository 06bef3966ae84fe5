"""A private key that never leaves its PKCS #11 token (an HSM, a smart card, SoftHSM), as the library takes keys.

``cryptography`` calls ``sign`` of whatever is an ``EllipticCurvePrivateKey`` or an ``RSAPrivateKey``; these hand the
digest or the data to the token. Needs ``python-pkcs11`` (``weft[pkcs11]``), imported when it is used.
"""

import hashlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from weft.ca.certificates import SigningKey
from weft.ca.signer import SignerAway
from weft.kit.errors import UserError
from weft.kit.value import Value

if TYPE_CHECKING:
    import pkcs11

_INSTALL = "install it with: pip install 'weft[pkcs11]'"


class TokenPlace(Value):
    """Where a key is: the library of the token's maker, the token's label and the key's."""

    module: Path
    token: str
    key: str


class TokenSession:
    """An open session; used from any thread, by one at a time. A token that was away is opened again."""

    def __init__(self, place: TokenPlace, pin: str) -> None:
        self._place = place
        self._pin = pin
        self._lock = threading.Lock()
        self._session: pkcs11.Session | None = None
        self._found: Any = None

    def __repr__(self) -> str:
        """Without the PIN."""
        return f"TokenSession({self._place})"

    def sign(self, data: bytes, mechanism: str) -> bytes:
        """The token's signature by a PKCS #11 mechanism. Raises ``SignerAway``, ``UserError``."""
        from pkcs11 import Mechanism
        from pkcs11.exceptions import PKCS11Error

        with self._lock:
            for last in (False, True):
                try:
                    return bytes(self._key().sign(data, mechanism=getattr(Mechanism, mechanism)))
                except PKCS11Error as broken:
                    self._close()
                    if last:
                        raise SignerAway(f"the token {self._place.token} does not sign ({_named(broken)})") from broken
        raise AssertionError

    def make_key(self) -> ec.EllipticCurvePublicKey:
        """Make a P-256 key in the token, never to be taken out, and return the public half. Raises ``UserError``."""
        from pkcs11 import Attribute, KeyType
        from pkcs11.exceptions import PKCS11Error
        from pkcs11.util.ec import encode_named_curve_parameters

        with self._lock, self._opened(writable=True) as session:
            if list(session.get_objects({Attribute.LABEL: self._place.key})):
                raise UserError(f"the token {self._place.token} has a key {self._place.key} already")
            try:
                curve = session.create_domain_parameters(
                    KeyType.EC, {Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}, local=True
                )
                held = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
                public, _ = curve.generate_keypair(
                    store=True, label=self._place.key, id=_identifier(self._place.key), private_template=held
                )
            except PKCS11Error as refused:
                raise UserError(f"the token {self._place.token} makes no key ({_named(refused)})") from refused
            return _point(bytes(public[Attribute.EC_POINT]))

    def _key(self) -> Any:
        if self._found is None:
            self._session = self._opened(writable=False)
            self._found = self._private_key(self._session)
        return self._found

    def _private_key(self, session: "pkcs11.Session") -> Any:
        from pkcs11 import Attribute, ObjectClass

        private = list(session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY}))
        named = [key for key in private if key[Attribute.LABEL] == self._place.key]
        if len(named) != 1:
            kept = sorted(str(key[Attribute.LABEL]) for key in private)
            raise UserError(
                f"the token {self._place.token} has not one private key {self._place.key}",
                help=f"its private keys are {', '.join(kept) or 'none'}",
            )
        return named[0]

    def _opened(self, *, writable: bool) -> "pkcs11.Session":
        try:
            import pkcs11
        except ImportError:
            raise UserError("a key in a token needs python-pkcs11", help=_INSTALL) from None
        from pkcs11.exceptions import NoSuchToken, PKCS11Error, UserAlreadyLoggedIn

        try:
            library = pkcs11.lib(str(self._place.module))
        except RuntimeError as absent:  # PKCS11Error is one
            raise UserError(f"{self._place.module} is no PKCS #11 library", help="name that of the token") from absent
        try:
            token = library.get_token(token_label=self._place.token)
            try:
                return token.open(user_pin=self._pin, rw=writable)
            except UserAlreadyLoggedIn:  # another session of this process did
                return token.open(rw=writable)
        except NoSuchToken as absent:
            raise UserError(f"there is no token {self._place.token}", help=f"see: {_LIST}") from absent
        except PKCS11Error as refused:
            problem = f"the token {self._place.token} cannot be opened ({_named(refused)})"
            raise UserError(problem, help="check the PIN") from refused

    def _close(self) -> None:
        from pkcs11.exceptions import PKCS11Error

        session, self._session, self._found = self._session, None, None
        if session is not None:
            try:
                session.close()
            except PKCS11Error:
                return


class _Kept:
    """What no key in a token does."""

    def private_bytes(self, *_: Any) -> NoReturn:
        """The key does not leave the token."""
        raise TypeError("the key is in a token")

    def private_numbers(self) -> NoReturn:
        """The key does not leave the token."""
        raise TypeError("the key is in a token")

    exchange = decrypt = private_bytes


class TokenEcKey(_Kept, ec.EllipticCurvePrivateKey):
    """An ECDSA key in a token."""

    def __init__(self, session: TokenSession, public: ec.EllipticCurvePublicKey) -> None:
        self._session = session
        self._public = public

    @property
    def curve(self) -> ec.EllipticCurve:
        """The curve of the key."""
        return self._public.curve

    @property
    def key_size(self) -> int:
        """Bits."""
        return self._public.key_size

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The public half."""
        return self._public

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """A DER signature."""
        algorithm = signature_algorithm.algorithm
        assert isinstance(algorithm, hashes.HashAlgorithm)
        raw = self._session.sign(hashlib.new(algorithm.name, data).digest(), "ECDSA")
        half = len(raw) // 2
        return encode_dss_signature(int.from_bytes(raw[:half]), int.from_bytes(raw[half:]))

    def __copy__(self) -> "TokenEcKey":
        """Itself."""
        return self

    def __deepcopy__(self, memo: dict[Any, Any]) -> "TokenEcKey":
        """Itself."""
        return self


class TokenRsaKey(_Kept, rsa.RSAPrivateKey):
    """An RSA key in a token."""

    def __init__(self, session: TokenSession, public: rsa.RSAPublicKey) -> None:
        self._session = session
        self._public = public

    @property
    def key_size(self) -> int:
        """Bits."""
        return self._public.key_size

    def public_key(self) -> rsa.RSAPublicKey:
        """The public half."""
        return self._public

    def sign(self, data: Any, padding_: Any, algorithm: Any) -> bytes:
        """A PKCS #1 signature; the token makes the digest."""
        assert isinstance(padding_, padding.PKCS1v15)
        return self._session.sign(data, f"{algorithm.name.upper()}_RSA_PKCS")

    def __copy__(self) -> "TokenRsaKey":
        """Itself."""
        return self

    def __deepcopy__(self, memo: dict[Any, Any]) -> "TokenRsaKey":
        """Itself."""
        return self


def key_in_token(session: TokenSession, public: object) -> SigningKey:
    """The key whose public half a certificate has. Raises ``UserError`` when the token's is another or of no use."""
    key: TokenEcKey | TokenRsaKey
    match public:
        case ec.EllipticCurvePublicKey():
            key = TokenEcKey(session, public)
        case rsa.RSAPublicKey():
            key = TokenRsaKey(session, public)
        case _:
            raise UserError("a key in a token must be ECDSA or RSA")
    return key


def _point(encoded: bytes) -> ec.EllipticCurvePublicKey:
    """The public key of P-256 in an ``EC_POINT``: an uncompressed point in an OCTET STRING, which some leave out."""
    point = encoded[2:] if encoded[:2] == b"\x04\x41" else encoded
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)


def _identifier(label: str) -> bytes:
    return hashlib.sha256(label.encode()).digest()[:20]


def _named(error: Exception) -> str:
    return str(error) or type(error).__name__


_LIST = "pkcs11-tool --list-slots, or softhsm2-util --show-slots"
