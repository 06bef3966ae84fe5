"""What workloads meet of a control plane: joining, registering, and being told what they are to do.

Put together apart from ``app``, which knows the rest.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from weft.api.accounts import joining_by_roles, serving_by_roles
from weft.api.authorizer import Authorizer
from weft.api.https import HttpsServer
from weft.api.quotas import Quotas
from weft.api.registering import room_by_quotas
from weft.api.weft_revocations import revocation_routes
from weft.app.config import Config
from weft.attesting.attestors import Attestors, listening_locally, local_config
from weft.attesting.choice import Attestation, Local
from weft.ca.barred import REVOKED, Barred
from weft.ca.grounds import Grounds
from weft.ca.host_tokens import host_routes
from weft.ca.late import LateRenewals
from weft.ca.ledger import Ledger
from weft.ca.peer import member_of
from weft.ca.revocations import Revocations
from weft.ca.rotator import Rotator
from weft.ca.server import authority_routes
from weft.ca.signer import Signer
from weft.ca.tokens import JoinTokens
from weft.compiler.resource import Resources
from weft.dialects.translate import KINDS
from weft.duties.naming import Naming
from weft.kit.clock import Clock
from weft.kit.errors import PeerError
from weft.kit.tasks import Tasks, tasks
from weft.model.audit import Auditor
from weft.model.identity import Identity
from weft.model.trust import Bundle, bundles_of
from weft.observe.logs import LogDesk
from weft.pipeline import Pipeline
from weft.registry.errand_routes import errand_routes
from weft.registry.errands import Errands
from weft.registry.names import NamesDesk
from weft.registry.registry import NoRoom, Registry
from weft.registry.rights import MayNot, Rights
from weft.registry.server import registry_routes
from weft.store.source import Store, StoreUnavailable
from weft.view.node import parse_node
from weft.xds.errors import NotReady, Refused
from weft.xds.introduction import Introduction, Unauthenticated, certificate_of, identity_of


@asynccontextmanager
async def local_server(chosen: Local | None, app: ASGIApp) -> AsyncIterator[None]:
    """The agents' routes on a Unix socket, for the block. Raises ``UserError``."""
    if chosen is None:
        yield
        return
    with listening_locally(chosen.socket) as listener:
        server = HttpsServer(local_config(app), listener)
        async with tasks() as group:
            running = group.start(server.run_until_stopped(), "local processes")
            await server.wait_started()
            try:
                yield
            finally:
                server.stop()
                await running


class Workloads:
    """The parts that workloads meet, each made once."""

    def __init__(
        self,
        config: Config,
        authority: Signer,
        store: Store,
        pipeline: Pipeline,
        authorizer: Authorizer,
        clock: Clock,
        changed: Callable[[], None],
    ) -> None:
        """``changed`` is called when the authority signs or is believed differently. Raises ``UserError``."""
        self.quotas = Quotas(store)
        self.registry = Registry(store, clock, room_by_quotas(self.quotas, KINDS, NoRoom))
        self.errands = Errands()
        self.ledger = Ledger(store, clock, keep=config.late_renewal)
        self.revocations = Revocations(store, self.ledger, clock, pipeline.revoke)
        self.tokens = JoinTokens(store, clock, config.trust_domain)
        self.attestors = Attestors(config.attestation or Attestation(), config.trust_domain, clock)
        self.grounds = Grounds(store, self.attestors.judge)
        self.logs = LogDesk()
        self.rotator = Rotator(authority, clock, changed)
        self.names = NamesDesk(Naming(pipeline.latest).tables, member_of(authority.trust_domain))
        self._may_let_join = joining_by_roles(authorizer)
        self._rights = Rights(store, serving_by_roles(authorizer), config.workload_addresses)
        self.admission = Admission(pipeline, self._rights, self.revocations)
        self._config = config
        self._authority = authority
        self._pipeline = pipeline
        self._clock = clock

    async def recall(self) -> None:
        """Remember who is there, and who is not to be heard."""
        await self.revocations.load()
        await self.registry.recover()

    def start(self, group: Tasks) -> None:
        """Begin what goes on as long as the control plane does."""
        group.start(self.registry.run(), "registry")
        group.start(self.revocations.run(), "revocations")
        group.start(self.rotator.run(), "rotation of the root")

    def app(self, xds_address: str, auditor: Auditor, others: Iterable[BaseRoute]) -> Barred:
        """The agents' routes; ``others`` are those that they share with them."""
        certificates = authority_routes(
            self._authority,
            self.tokens,
            self._clock,
            xds_address=xds_address,
            auditor=auditor,
            rotator=self.rotator,
            ledger=self.ledger,
            revocations=self.revocations,
            trust=self._trusted,
            grounds=self.grounds,
            attest=self.attestors.attest if self._config.attestation else None,
            late=LateRenewals(self.ledger, self._clock, self._config.late_renewal),
        )
        member = member_of(self._authority.trust_domain)
        registrations = registry_routes(self.registry, member, self._rights, self._clock, auditor, self._also)
        hosts = host_routes(self.tokens, self._may_let_join, member, auditor)
        errands = errand_routes(self.errands, member)
        routes = Starlette(routes=[*certificates, *registrations, *self.names.routes(), *errands, *hosts, *others])
        return Barred(routes, self.revocations, self._clock, auditor)

    def revocation_routes(self, authorizer: Authorizer) -> list[BaseRoute]:
        """The API's questions about who is not to be heard."""
        return revocation_routes(self.revocations, self.ledger, self.registry, authorizer, self._clock)

    def _also(self, identity: Identity, workload: str) -> dict[str, Any]:
        """What a workload is told beside its lease."""
        errand = {"errand": True} if self.errands.waiting(identity, workload) else {}
        return self.logs.wanted(identity, workload) | errand

    def _trusted(self, own: str) -> tuple[Bundle, ...]:
        mesh = self._pipeline.latest.value
        return bundles_of(mesh.settings, own) if mesh else ()


class Admission:
    """Lets proxies subscribe that say of themselves what their certificates allow, as long as these count."""

    def __init__(self, pipeline: Pipeline, rights: Rights, revocations: Revocations) -> None:
        self._pipeline = pipeline
        self._rights = rights
        self._revocations = revocations

    def identify(self, auth: Mapping[str, Sequence[bytes]]) -> Identity:
        """Who is at the other end of a gRPC call. Raises ``Unauthenticated``."""
        identity = identity_of(auth)
        if self._revocations.news.value and self._revocations.bars(identity, certificate_of(auth)):
            raise Unauthenticated(REVOKED)
        return identity

    async def until_barred(self, introduction: Introduction) -> str:
        """Wait until a proxy's certificate is revoked, and say so."""
        async for _ in self._revocations.news:
            if self._revocations.bars(introduction.identity, introduction.certificate):
                break
        return REVOKED

    async def subscribe(self, introduction: Introduction) -> AsyncGenerator[Resources, None]:
        """One proxy's resources, newest first, for ever. Raises ``Refused`` and ``NotReady``."""
        await self._require(introduction)
        async with aclosing(self._pipeline.subscribe(introduction)) as offers:
            async for resources in offers:
                yield resources

    async def _require(self, introduction: Introduction) -> None:
        """A proxy is given what is meant for the service that it says it is of (its label ``app``)."""
        if self._revocations.bars(introduction.identity, introduction.certificate):
            raise Refused(REVOKED)
        try:
            node = parse_node(introduction.identity, introduction.node_id, introduction.metadata)
            service = dict(node.labels).get("app")
            if service is not None:
                await self._rights.require_service(service, node.identity)
        except StoreUnavailable as away:
            raise NotReady("the control plane cannot read who may serve what") from away
        except MayNot as refused:
            raise Refused(f"{refused}: {refused.help}") from refused
        except PeerError as wrong:
            raise Refused(str(wrong)) from wrong
