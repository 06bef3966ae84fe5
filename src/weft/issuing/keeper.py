"""Obtaining one certificate: prove the names at the gateways, then write the Secret; everything through the store.

The proofs are documents, so that every gateway of every control plane answers; the account's key is a Secret.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog

from weft.issuing.documents import (
    account_secret,
    certificate_secret,
    challenge_document,
    condition,
    field_of,
    moment,
    with_conditions,
)
from weft.issuing.errors import Unissued
from weft.issuing.keys import PrivateKey, account_key, new_private_key, pem_of_key, signing_request
from weft.issuing.local import Pair, pair_of, signed
from weft.issuing.proof import Proof
from weft.issuing.schedule import Pace
from weft.kit.clock import Clock
from weft.model.document import Document, Key
from weft.model.issuing import AcmeIssuer, Issuance, LocalIssuer, VaultIssuer
from weft.store.source import Conflict, Store

if TYPE_CHECKING:
    from weft.issuing.client import AcmeOrder

_log = structlog.get_logger()
_ATTEMPTS = 5
_ISTIO = "networking.istio.io"

_READY = {
    True: condition("Ready", True, "ACMEAccountRegistered", "the account is registered"),
    False: condition("Ready", True, "KeyPairVerified", "it signs"),
}

Placed = Callable[[tuple[Key, ...]], Awaitable[bool]]
"""Whether every gateway answers with these challenges by now."""


class Keeper:
    """Obtains certificates for a store; ``placed`` tells when proofs are in place."""

    def __init__(self, store: Store, clock: Clock, placed: Placed, pace: Pace) -> None:
        self._store = store
        self._clock = clock
        self._placed = placed
        self._pace = pace

    async def obtain(self, issuance: Issuance) -> None:
        """One certificate, from the account to the Secret. Raises ``Unissued`` and the store's errors."""
        order, issuer = issuance.order, issuance.issuer
        if not isinstance(issuer, AcmeIssuer):
            return await self._sign(issuance, issuer)
        key = await asyncio.to_thread(new_private_key, order.algorithm, order.size)
        request = signing_request(key, order.names)
        async with self._opened(issuer) as acme:
            proofs = await asyncio.to_thread(acme.begin, request)
            async with self._answered(issuance, proofs):
                for proof in proofs:
                    await asyncio.to_thread(acme.ask, proof)
                await self._proven(acme)
            chain = await self._finished(acme)
        await self._put(
            order.secret,
            lambda old: certificate_secret(issuance, chain, pem_of_key(key), old, self._clock.now()),
        )
        _log.info("a certificate was obtained", secret=str(order.secret), names=order.names, issuer=issuer.key.name)
        return None

    async def _sign(self, issuance: Issuance, issuer: LocalIssuer | VaultIssuer) -> None:
        """Have one signed by who needs no proof."""
        order = issuance.order
        key = await asyncio.to_thread(new_private_key, order.algorithm, order.size)
        if isinstance(issuer, VaultIssuer):
            from weft.issuing.vault import signed_by_vault

            secret = (await self._field(issuer.secret, issuer.secret_field)).decode("utf-8", "replace").strip()
            chain, above = await signed_by_vault(order, issuer, key, secret, self._clock)
        else:
            chain, above = signed(order, key, await self._pair(order.secret, issuer), self._clock.now())
        await self._put(
            order.secret,
            lambda old: certificate_secret(issuance, chain, pem_of_key(key), old, self._clock.now(), above),
        )
        _log.info("a certificate was signed", secret=str(order.secret), names=order.names, issuer=issuer.key.name)

    async def _pair(self, own: Key, issuer: LocalIssuer) -> Pair | None:
        """Whose key signs; ``None`` for a certificate's own."""
        if issuer.pair is None:
            return None
        if issuer.pair == own:
            raise Unissued(f"{own} would sign itself")
        chain, key = [await self._field(issuer.pair, name) for name in ("tls.crt", "tls.key")]
        return pair_of(chain, key, str(issuer.pair))

    async def _field(self, place: Key, field: str) -> bytes:
        """What a Secret of an issuer has. Raises ``Unissued``."""
        stored = await self._store.read(place)
        found = field_of(stored, field) if stored is not None else b""
        if not found:
            raise Unissued(f"what the issuer needs is missing: {place}, {field}")
        return found

    async def tell(self, issuance: Issuance, failure: str, *, ends: int | None = None) -> None:
        """Write into the status of the order's document, and of its issuer, how it went."""
        now, order = self._clock.now(), issuance.order
        ready = condition("Ready", not failure, "Failed" if failure else "Ready", failure or "the certificate is kept")
        issuing = condition("Issuing", False, "Failed" if failure else "Issued", failure)
        extra = {"notAfter": moment(ends)} if ends is not None else {}
        if order.document.kind == "Certificate":
            await self._report(order.document, (ready if not failure or ends is None else None, issuing), extra)
        elif order.document.group == _ISTIO:  # what Gateway API's say is decided elsewhere
            await self._report(order.document, (issuing,), {})
        registered = _READY[isinstance(issuance.issuer, AcmeIssuer)]
        if not failure:
            await self._report(issuance.issuer.key, (registered,), {})
        _log.debug("a certificate's status was written", document=str(order.document), at=now)

    @asynccontextmanager
    async def _opened(self, issuer: AcmeIssuer) -> AsyncIterator["AcmeOrder"]:
        """An order of the issuer's account, whose key is made at the first use."""
        account = await self._account(issuer)
        binding = b""
        if issuer.binding is not None:
            _, place, field = issuer.binding
            secret = await self._store.read(place)
            binding = field_of(secret, field) if secret is not None else b""
            if not binding:
                raise Unissued(f"the key of the account at the authority is missing: {place}, {field}")
        opened = await asyncio.to_thread(_open, issuer, account, binding.decode("ascii", "replace").strip())
        try:
            yield opened
        finally:
            opened.close()

    async def _account(self, issuer: AcmeIssuer) -> PrivateKey:
        stored = await self._store.read(issuer.account)
        pem = field_of(stored, issuer.account_field) if stored is not None else b""
        if not pem:
            made = pem_of_key(new_private_key("ECDSA", 256))
            put = await self._put(
                issuer.account,
                lambda old: (
                    None
                    if old is not None and field_of(old, issuer.account_field)
                    else account_secret(issuer.account, issuer.account_field, made, old, self._clock.now())
                ),
            )
            pem = field_of(put, issuer.account_field)
        return account_key(pem)

    @asynccontextmanager
    async def _answered(self, issuance: Issuance, proofs: tuple[Proof, ...]) -> AsyncIterator[None]:
        """Let the gateways answer for as long as the block lasts. Raises ``Unissued`` when none can."""
        documents = [challenge_document(issuance.order, proof, self._clock.now()) for proof in proofs]
        keys = tuple(document.key for document in documents)
        try:
            for document in documents:
                await self._put(document.key, lambda old, new=document: new if old is None else None)  # type: ignore[misc]
            if proofs and not await self._within(self._pace.placing, lambda: self._placed(keys)):
                raise Unissued("no gateway answers the authority: one needs a server for plaintext HTTP on port 80")
            yield
        finally:
            for key in keys:
                await asyncio.shield(self._remove(key))

    async def _proven(self, acme: "AcmeOrder") -> None:
        if not await self._within(self._pace.proving, lambda: asyncio.to_thread(acme.proven)):
            raise Unissued("the authority did not look at the proof in time")

    async def _finished(self, acme: "AcmeOrder") -> bytes:
        deadline = self._clock.monotonic() + self._pace.finishing
        while self._clock.monotonic() < deadline:
            chain = await asyncio.to_thread(acme.finish, 2.5)
            if chain:
                return chain
        raise Unissued("the authority did not sign in time")

    async def _within(self, seconds: float, done: Callable[[], Awaitable[bool]]) -> bool:
        deadline = self._clock.monotonic() + seconds
        while not await done():
            if self._clock.monotonic() >= deadline:
                return False
            await asyncio.sleep(min(self._pace.poll, seconds))
        return True

    async def _report(self, key: Key, told: tuple[dict[str, str] | None, ...], extra: dict[str, str]) -> None:
        said = tuple(one for one in told if one is not None)
        await self._put(
            key, lambda old: with_conditions(old, said, extra, self._clock.now()) if old is not None else None
        )

    async def _put(self, key: Key, make: Callable[[Document | None], Document | None]) -> Document:
        """Read, make, write; again when somebody else wrote in between."""
        for _ in range(_ATTEMPTS):
            old = await self._store.read(key)
            new = make(old)
            if new is None:
                return old if old is not None else Document(key=key, content=b"{}")
            try:
                return await (self._store.create(new) if old is None else self._store.replace(new, old.revision))
            except Conflict:
                continue
        raise Unissued(f"{key} is written by others all the time")

    async def _remove(self, key: Key) -> None:
        try:
            await self._store.delete(key, None)
        except Conflict:
            return


def _open(issuer: AcmeIssuer, key: PrivateKey, binding: str) -> "AcmeOrder":
    from weft.issuing.client import AcmeOrder

    return AcmeOrder(issuer, key, binding)
