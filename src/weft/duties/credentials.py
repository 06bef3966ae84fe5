"""The way of kept certificates to the proxies that use them: from the store straight into one stream.

Views, resources and caches know names alone. A secret is read for a proxy whose resources name it and which may have
it; what is forbidden, unknown or broken looks the same to the proxy, and takes nothing else with it.
"""

from collections.abc import Awaitable, Callable, Mapping

import structlog
from msgspec.structs import replace

from weft.compiler.credentials import authorities_secret, certificate_secret
from weft.compiler.resource import SECRET, Resource, Resources, SecretUse
from weft.dialects.kubernetes.credentials import Material, material_of, stored_credential
from weft.model.credential import permitted, places_of
from weft.model.document import Document, Key
from weft.model.finding import Finding, Severity
from weft.model.identity import Identity
from weft.store.source import Store, StoreUnavailable
from weft.view.node import Node

_log = structlog.get_logger()

MayRead = Callable[[Identity, str], Awaitable[bool]]
"""Whether an account may have the key in a Secret of a name. Raises ``StoreUnavailable``."""


class SecretDelivery:
    """Adds to a proxy's resources the secrets that they name."""

    def __init__(self, store: Store, may_read: MayRead | None = None) -> None:
        """``may_read`` says whose keys an account may have; without it, those of its namespace."""
        self._store = store
        self._may_read = may_read
        self._made: dict[tuple[str, Key], tuple[Document, Resource | None]] = {}

    async def added(self, resources: Resources, node: Node, last: Resources | None) -> Resources:
        """The resources with their secrets. One that was broken since ``last`` stays as it was there."""
        before = {one.name: one for one in last.resources if one.type_url == SECRET} if last else {}
        found: dict[str, Resource] = {}
        refused: list[Finding] = []
        for use in resources.secrets:
            if not permitted(use.credential, node.namespace, gateway=node.gateway is not None):
                _log.info("a proxy is not given a secret that its configuration names", proxy=node.id, secret=use.name)
                continue
            if not await self._may_have(use, node, before):
                refused.append(_refusal(use, node))
                continue
            secret = await self._secret(use, node, before.get(use.name))
            if secret is not None:
                found[use.name] = secret
        others = (one for one in resources.resources if one.type_url != SECRET)
        ordered = sorted((*others, *found.values()), key=lambda one: (one.type_url, one.name))
        return replace(resources, resources=tuple(ordered), findings=(*resources.findings, *refused))

    async def _may_have(self, use: SecretUse, node: Node, before: Mapping[str, Resource]) -> bool:
        """Who says of itself that it is a gateway, or has labels, is not given keys for that: a role must say so.

        While roles cannot be read, nobody gets a key and nobody loses one.
        """
        if self._may_read is None or use.authorities:
            return True
        try:
            return await self._may_read(node.identity, use.credential.name)
        except StoreUnavailable:
            return use.name in before

    async def _secret(self, use: SecretUse, node: Node, before: Resource | None) -> Resource | None:
        for place in places_of(use.credential, node.namespace, authorities=use.authorities):
            try:
                document = await self._store.read(place)
            except StoreUnavailable:
                return before
            if document is not None:
                return self._of(document, use) or before
            self._made.pop((use.name, place), None)
        return None

    def _of(self, document: Document, use: SecretUse) -> Resource | None:
        """The secret that a document makes, made once as long as the document stays; ``None`` if it is broken."""
        place = (use.name, document.key)
        known = self._made.get(place)
        if known is None or known[0] != document:
            facts = stored_credential(document)
            usable = facts.authorities if use.authorities else facts.certificate
            known = self._made[place] = (document, _message(use, material_of(document)) if usable else None)
        return known[1]


def _refusal(use: SecretUse, node: Node) -> Finding:
    account = f"{node.identity.namespace}/{node.identity.account}"
    name = use.credential.name
    return Finding(
        code="W0256",
        severity=Severity.WARNING,
        message=f"the account {account} may not read the Secret {name}, so its proxies are not given the certificate",
        document=Key(kind="Secret", namespace=use.credential.namespace or node.namespace, name=name),
        help="give it a role with the verb get on the Secret, as weft token create --gateway does",
    )


def _message(use: SecretUse, material: Material) -> Resource:
    if use.authorities:
        return authorities_secret(use.name, material.authorities, material.revoked)
    return certificate_secret(use.name, material.chain, material.key, material.staple)
