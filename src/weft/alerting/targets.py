"""Where alerts go: the operator's places, and what documents say, whose addresses may stand in Secrets.

An address is a credential (whoever knows a Slack webhook can post to it), so it is in no log and in no answer.
"""

import base64
import binascii
from collections import Counter
from collections.abc import Iterable
from ipaddress import ip_network
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import msgspec
from msgspec.structs import replace

from weft.jwks.places import Network
from weft.kit.errors import UserError, WeftError
from weft.kit.value import Value
from weft.model.document import Document, Key
from weft.model.objective import Target

EVERYWHERE: tuple[Network, ...] = (ip_network("0.0.0.0/0"), ip_network("::/0"))
"""The operator's own places are nobody else's choice."""
KINDS = ("webhook", "slack", "alertmanager")
_KEYS = ("url", "key", "ca")
"""What a Secret says of a target."""
_HELP = "write KIND+URL or KIND+@FILE, KIND being webhook, slack or alertmanager; the file holds the URL, then a key"


class Unusable(WeftError):
    """A target whose address cannot be had; the message says why."""


class Address(Value):
    """Where to post, and what to sign with, if anything. ``authorization`` is the header, if there is one; ``trust`` is
    whom the server's certificate may be of, as PEM, "" for those whom the system trusts."""

    url: str
    key: bytes = b""
    authorization: str = ""
    trust: str = ""


class Place(Value):
    """A place of the operator's. ``told`` is what it may be called."""

    kind: str
    told: str
    address: Address | None = None
    file: str = ""

    @property
    def id(self) -> str:
        """Its name in the book."""
        return f"operator {self.told}"

    def current(self) -> Address:
        """The address now; files are read each time, so that they can be changed. Raises ``Unusable``."""
        if self.address is not None:
            return _trusting(self.address)
        lines = _read(self.file, "the file of the address").split()
        if not lines:
            raise Unusable("the file of the address is empty")
        return _trusting(_address(lines[0], lines[1].encode() if len(lines) > 1 else b""))


def place_of(text: str) -> Place:
    """Read a place as ``weft up --alerts-to`` has it. Raises ``UserError``."""
    kind, plus, rest = text.partition("+")
    if kind not in KINDS or not plus or not rest:
        raise UserError(f"{kind[:20]}... is no place for alerts" if plus else "this is no place for alerts", help=_HELP)
    if rest.startswith("@"):
        return Place(kind=kind, told=f"{kind} of {rest[1:]}", file=rest[1:])
    if not rest.startswith(("https://", "http://")):
        raise UserError(f"a place of {kind} needs a URL of http or https", help=_HELP)
    try:
        place = _address(rest)
    except Unusable as wrong:
        raise UserError(f"a place of {kind} has an address that is none", help=_HELP) from wrong
    return Place(kind=kind, told=f"{kind} at {urlsplit(place.url).netloc}", address=place)


def places_of(texts: Iterable[str]) -> tuple[Place, ...]:
    """Read all places; of those that would be called alike, each has a name of its own. Raises ``UserError``."""
    places, seen = [], Counter[str]()
    for place in map(place_of, texts):
        seen[place.told] += 1
        number = seen[place.told]
        places.append(place if number == 1 else replace(place, told=f"{place.told} ({number})"))
    return tuple(places)


def _address(url: str, key: bytes = b"") -> Address:
    """A URL; its user and password become a header, for no request has them in its URL. Raises ``Unusable``."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise Unusable("the address is no URL") from None
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return Address(url=url, key=key)
    pair = ":".join(unquote(part) for part in user.partition(":")[::2])
    authorization = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return Address(url=parts._replace(netloc=host).geturl(), key=key, authorization=authorization)


def _trusting(address: Address) -> Address:
    """An operator's address: ``?ca=FILE`` is whom to trust, and is not sent. Raises ``Unusable``."""
    parts = urlsplit(address.url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if not (file := options.pop("ca", "")):
        return address
    url = parts._replace(query=urlencode(options)).geturl()
    return replace(address, url=url, trust=_certificates(_read(file, "the file of the address's ca")))


def _certificates(text: str) -> str:
    """PEM that a connection can be made with. Raises ``Unusable``."""
    if not text.isascii() or "BEGIN CERTIFICATE" not in text:
        raise Unusable("the ca of the address holds no certificate")
    return text


def _read(file: str, what: str) -> str:
    try:
        return Path(file).read_text("utf-8")
    except (OSError, UnicodeError):
        raise Unusable(f"{what} cannot be read") from None


class Documents(Protocol):
    """The part of a store that has Secrets."""

    async def read(self, key: Key) -> Document | None:
        """One document."""
        ...


async def address_of(target: Target, documents: Documents) -> Address:
    """The address of a document's target. Raises ``Unusable``."""
    if not target.secret:
        return _address(target.url)
    found = await documents.read(Key(kind="Secret", namespace=target.namespace, name=target.secret))
    if found is None:
        raise Unusable(f"there is no Secret {target.secret} in {target.namespace}")
    data = _data(found.content)
    if not data.get("url"):
        raise Unusable(f"the Secret {target.secret} in {target.namespace} has no url")
    found_at = _address(_text(data["url"]), data.get("key", b"").strip())
    return replace(found_at, trust=_certificates(_text(data["ca"])) if "ca" in data else "")


def _text(value: bytes) -> str:
    return value.decode("utf-8", errors="replace").strip()


class _Secret(msgspec.Struct):
    data: dict[str, str] = {}


def _data(content: bytes) -> dict[str, bytes]:
    try:
        secret = msgspec.json.decode(content, type=_Secret)
        return {name: base64.b64decode(value) for name, value in secret.data.items() if name in _KEYS}
    except (msgspec.MsgspecError, binascii.Error):
        return {}
