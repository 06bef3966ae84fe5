"""Whom a mesh believes that signs with a mount of Vault's: every root that the mount has, not only the one that signs.

A mount may have several issuers (Vault since 1.11, and OpenBao), of which one signs by default. A root is replaced
there by making the next one beside it, and letting that sign later: in between, both must be believed.
"""

from typing import Any, Protocol
from urllib.parse import quote

import httpx2
from cryptography import x509

from weft.ca.chains import certificates_in, is_self_signed
from weft.ca.issuer import fingerprint_of
from weft.kit.errors import UserError

_LARGEST = 1024 * 1024
_MOST = 100


class Ask(Protocol):
    """Gets a path that anybody may read; ``optional``: 404 is an answer. Raises ``UserError`` and ``SignerAway``."""

    async def __call__(self, path: str, *, optional: bool) -> httpx2.Response:
        """The answer."""
        ...


class MountRoots:
    """Asks one mount."""

    def __init__(self, ask: Ask, mount: str, owner: str) -> None:
        self._ask = ask
        self._mount = mount
        self._owner = owner

    async def found(self) -> tuple[x509.Certificate, ...]:
        """The self-signed certificates of the mount. Raises ``UserError`` and ``SignerAway``."""
        issuers = await self._issuers()
        above = certificates_in(await self._chain(optional=bool(issuers)), f"the chain of {self._mount}")
        roots = {fingerprint_of(one): one for one in (*issuers, *above) if is_self_signed(one)}
        if not roots:
            raise UserError(
                f"{self._mount} in {self._owner} has no root",
                help="name a file of the root with roots:, or import it into the mount",
            )
        return tuple(root for _, root in sorted(roots.items()))

    async def _issuers(self) -> tuple[x509.Certificate, ...]:
        """Those of all issuers that are not revoked; none of a Vault that knows a single one."""
        listed = _data(await self._ask(f"{self._mount}/issuers?list=true", optional=True)).get("keys")
        names = [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
        if len(names) > _MOST:
            raise UserError(
                f"{self._mount} in {self._owner} has more than {_MOST} issuers", help="name a file by roots:"
            )
        found: list[x509.Certificate] = []
        for name in names:
            issuer = _data(await self._ask(f"{self._mount}/issuer/{quote(name, safe='')}/json", optional=True))
            if issuer.get("revoked") is not True and isinstance(issuer.get("certificate"), str):
                found += certificates_in(issuer["certificate"].encode(), f"an issuer of {self._mount}")
        return tuple(found)

    async def _chain(self, *, optional: bool) -> bytes:
        answer = await self._ask(f"{self._mount}/ca_chain", optional=optional)
        return answer.content[:_LARGEST] if answer.status_code == 200 else b""


def _data(answer: httpx2.Response) -> dict[str, Any]:
    if answer.status_code != 200:
        return {}
    try:
        found = answer.json()
    except ValueError:
        return {}
    data = found.get("data") if isinstance(found, dict) else None
    return data if isinstance(data, dict) else {}
