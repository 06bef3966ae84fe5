"""Where alerts go: the operator's places, and what documents say, whose addresses may stand in Secrets.

An address is a credential (whoever knows a Slack webhook can post to it), so it is in no log and in no answer.
"""

import base64
import binascii
from ipaddress import ip_network
from pathlib import Path
from typing import Protocol

import msgspec

from weft.jwks.places import Network
from weft.kit.errors import UserError, WeftError
from weft.kit.value import Value
from weft.model.document import Document, Key
from weft.model.objective import Target

EVERYWHERE: tuple[Network, ...] = (ip_network("0.0.0.0/0"), ip_network("::/0"))
"""The operator's own places are nobody else's choice."""
KINDS = ("webhook", "slack", "alertmanager")
_HELP = "write KIND+URL or KIND+@FILE, KIND being webhook, slack or alertmanager; the file holds the URL, then a key"


class Unusable(WeftError):
    """A target whose address cannot be had; the message says why."""


class Address(Value):
    """Where to post, and what to sign with, if anything."""

    url: str
    key: bytes = b""


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
        """The address now; a file is read each time, so that it can be changed. Raises ``Unusable``."""
        if self.address is not None:
            return self.address
        try:
            lines = Path(self.file).read_text("utf-8").split()
        except (OSError, UnicodeError):
            raise Unusable("the file of the address cannot be read") from None
        if not lines:
            raise Unusable("the file of the address is empty")
        return Address(url=lines[0], key=lines[1].encode() if len(lines) > 1 else b"")


def place_of(text: str) -> Place:
    """Read a place as ``weft up --alerts-to`` has it. Raises ``UserError``."""
    kind, plus, rest = text.partition("+")
    if kind not in KINDS or not plus or not rest:
        raise UserError(f"{kind[:20]}... is no place for alerts" if plus else "this is no place for alerts", help=_HELP)
    if rest.startswith("@"):
        return Place(kind=kind, told=f"{kind} of {rest[1:]}", file=rest[1:])
    if not rest.startswith(("https://", "http://")):
        raise UserError(f"a place of {kind} needs a URL of http or https", help=_HELP)
    host = rest.partition("://")[2].partition("/")[0].rpartition("@")[2]
    return Place(kind=kind, told=f"{kind} at {host}", address=Address(url=rest))


class Documents(Protocol):
    """The part of a store that has Secrets."""

    async def read(self, key: Key) -> Document | None:
        """One document."""
        ...


async def address_of(target: Target, documents: Documents) -> Address:
    """The address of a document's target. Raises ``Unusable``."""
    if not target.secret:
        return Address(url=target.url)
    found = await documents.read(Key(kind="Secret", namespace=target.namespace, name=target.secret))
    if found is None:
        raise Unusable(f"there is no Secret {target.secret} in {target.namespace}")
    data = _data(found.content)
    if not data.get("url"):
        raise Unusable(f"the Secret {target.secret} in {target.namespace} has no url")
    return Address(url=data["url"].decode("utf-8", errors="replace").strip(), key=data.get("key", b"").strip())


class _Secret(msgspec.Struct):
    data: dict[str, str] = {}


def _data(content: bytes) -> dict[str, bytes]:
    try:
        secret = msgspec.json.decode(content, type=_Secret)
        return {name: base64.b64decode(value) for name, value in secret.data.items() if name in ("url", "key")}
    except (msgspec.MsgspecError, binascii.Error):
        return {}
