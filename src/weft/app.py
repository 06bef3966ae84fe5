"""The composition of a control plane: alone knows every class, decides nothing.

Started from the bottom up: store, authority, pipeline; sidecars, agents and users are answered only when the first
complete mesh is there. Stopped the other way round.
"""

import asyncio
import gc
import os
import random
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version

import msgspec
import structlog
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from weft.allowances import Allowances
from weft.api.accounts import reading_by_roles
from weft.api.admin import AdminToken, load_admin_token
from weft.api.authorizer import Authorizer
from weft.api.diff import diff_routes
from weft.api.gate import LOCAL_HOSTS
from weft.api.guards import GuardInsight, guard_routes
from weft.api.https import HttpsServer, https_config, listen
from weft.api.listener import CertificateProtocol
from weft.api.server import build_api
from weft.api.tokens import ApiTokens
from weft.api.weft import Insight, weft_routes
from weft.api.weft_audit import audit_routes
from weft.api.weft_ca import ca_routes
from weft.api.weft_calls import call_routes
from weft.api.weft_metrics import metrics_routes
from weft.api.weft_prometheus import prometheus_routes
from weft.api.weft_report import ReportSources, report_routes
from weft.api.weft_tokens import token_routes
from weft.api.weft_traces import trace_routes
from weft.api.weft_traffic import traffic_routes
from weft.app_agents import Workloads, local_server
from weft.app_audit import Auditing
from weft.app_callers import Callers
from weft.app_config import Addresses, Config, addresses_of, check_trust_domain, hosts_of
from weft.ca.ending import Ending
from weft.ca.istio_server import CertificateHandler
from weft.ca.listener import AgentListener
from weft.ca.opening import Place, opened_unless, publish
from weft.ca.peer import member_of
from weft.ca.signer import Signer
from weft.ca.spiffe import Spiffe
from weft.ca.upkeep import keep
from weft.credentials import SecretDelivery
from weft.dialects.link_access import key_sources
from weft.dialects.translate import KINDS, completed_document
from weft.endings import endings_of_secrets, endings_of_servers, endings_of_workloads
from weft.issuing.keeper import Keeper
from weft.issuing.placing import Placing
from weft.issuing.run import Issuing
from weft.issuing.schedule import Pace
from weft.jwks.fetching import fetched
from weft.jwks.keeper import KeyKeeper
from weft.jwks.key_sets import key_set_of
from weft.kit.clock import Clock, SystemClock
from weft.kit.errors import UserError
from weft.kit.files import write_whole
from weft.kit.notify import notify
from weft.kit.state_dir import alone, usable
from weft.kit.tasks import Tasks, tasks
from weft.limits.counting import Counters
from weft.limits.memory import MemoryCounters
from weft.limits.redis_counters import redis_counters
from weft.limits.server import LimitHandler
from weft.limits.service import LimitService
from weft.model.authentication import KeySet, KeySource
from weft.model.settings import Settings
from weft.numbers import Parts, numbers
from weft.observe.breakers import BreakerBoard
from weft.observe.recorded import recorder
from weft.observe.server import observe_routes
from weft.observe.traces.server import span_routes
from weft.observing import Observing
from weft.pipeline import Pipeline
from weft.recording import Recording, metrics_of
from weft.registry.start import start_routes
from weft.rekey import open_sealed
from weft.reporter import Reporter
from weft.starter import Starter
from weft.store.addressed import addressed
from weft.store.keys import Keys, find_keys, key_source
from weft.store.source import Store
from weft.xds.fleet import Fleet
from weft.xds.server import TlsMaterial, XdsConfig, XdsServer, serve_xds

__all__ = ["Addresses", "Config", "ControlPlane"]

_log = structlog.get_logger()


class ControlPlane:
    """One control plane: ``run`` it once, ``stop`` it from the same loop."""

    def __init__(self, config: Config, clock: Clock | None = None) -> None:
        self._config = config
        self._clock = clock or SystemClock()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Ask ``run`` to end in good order."""
        self._stopping.set()

    async def run(self, ready: Callable[[Addresses], None]) -> None:
        """Serve until ``stop``; ``ready`` is called once everybody is answered.

        Raises ``UserError`` when the state directory is in use or cannot be used, or a port is taken.
        """
        check_trust_domain(self._config.trust_domain)
        state = self._config.state
        with alone(state), _listening(self._config) as (api, agents):
            settings = msgspec.structs.replace(self._config.mesh, trust_domain=self._config.trust_domain)
            with usable(state):
                keys = find_keys(key_source(state.encryption_key, self._config.encryption_key_file, os.environ))
                admin = load_admin_token(state.admin_token)
                place = Place(
                    directory=state.authority,
                    trust_domain=settings.trust_domain,
                    lifetime=self._config.leaf_lifetime,
                    hosts=hosts_of(self._config.address),
                )
                authority = await opened_unless(self._stopping, self._config.signer, place, keys.ring, self._clock)
            if authority is None:
                return
            try:
                await self._serve(authority, keys, admin, settings, (api, agents), ready)
            finally:
                await authority.close()

    async def _serve(
        self,
        authority: Signer,
        keys: Keys,
        admin: AdminToken,
        settings: Settings,
        sockets: tuple[socket.socket, socket.socket],
        ready: Callable[[Addresses], None],
    ) -> None:
        with usable(self._config.state):
            spiffe = Spiffe(self._config.state.authority, keys.ring, authority, self._clock)
        opened = await open_sealed(self._config.state.database, keys, self._clock)
        try:
            store = await addressed(opened, completed_document)
            composed = _Composed(self._config, self._clock, settings, authority, spiffe, admin, store)
            await composed.serve(*sockets, ready, self._stopping)
        finally:
            await opened.close()


class _Composed:
    """The parts, each made once."""

    def __init__(
        self,
        config: Config,
        clock: Clock,
        settings: Settings,
        authority: Signer,
        spiffe: Spiffe,
        admin: AdminToken,
        store: Store,
    ) -> None:
        self._config = config
        self._clock = clock
        self._store = store
        self._authority = authority
        self._spiffe = spiffe
        self._fleet = Fleet()
        self._started = clock.now()
        self._authorizer = Authorizer(store, KINDS)
        secrets = SecretDelivery(store, reading_by_roles(self._authorizer))
        self._pipeline = Pipeline(store, settings, secrets=secrets.added, clock=clock)
        about = (config, authority, store, self._pipeline, self._authorizer, clock)
        self._workloads = Workloads(*about, self._believed_differently)
        self._breakers = BreakerBoard(clock)
        self._admission = self._workloads.admission
        self._recording = Recording(config.state, clock, config.traces_to)
        self._metrics = metrics_of(config.prometheus_url, self._recording.windows, clock)
        self._counters = _counters(config, clock)
        allowances = Allowances(self._pipeline.latest, self._pipeline.nodes_of)
        self._limits = LimitService(self._counters, allowances.limits_of)
        self._auditing = Auditing(config.state.audit, clock, store, config.audit_ships)
        self._audit = self._auditing.logs
        self._observing = Observing(
            clock,
            self._admission.identify,
            on_decisions=(self._auditing.decisions.told,),
            sinks=(self._recording.tracing.sink(),),
            on_increments=(recorder(self._recording.windows),),
        )
        self._api_tokens = ApiTokens(store, clock)
        auditor, barred = self._audit.write, self._workloads.revocations.bars
        self._callers = Callers(config, authority, admin, self._api_tokens, clock, auditor, barred)
        self._identification = self._callers.identification
        self._issuers = self._workloads.attestors.issuers
        hosts = hosts_of(config.address)
        self._certificate = self._callers.listener
        self._agent_listener = AgentListener(authority, hosts, clock)
        self._servers = (("the API and xDS", self._certificate), ("the agents' listener", self._agent_listener))
        self._keys = KeyKeeper(
            wanted=self._wanted_keys,
            found=self._know,
            fetch=self._keys_of,
            records=store,
            clock=clock,
            stale=lambda: (*self._identification.stale(), *self._issuers.stale()),
        )

    def _wanted_keys(self) -> dict[KeySource, int]:
        known = key_sources(self._pipeline.latest.value) | self._identification.sources()
        return known | self._issuers.sources()

    async def _keys_of(self, source: KeySource, seconds: float) -> str:
        trust = self._identification.trust(source) or self._issuers.trust(source)
        return await key_set_of(source, lambda uri: fetched(uri, self._config.keys_from, seconds, trust))

    def _know(self, keys: tuple[KeySet, ...]) -> None:
        self._pipeline.know(keys)
        self._identification.know(keys)
        self._issuers.know(keys)

    def _believed_differently(self) -> None:
        """Let the listeners show and believe what the authority does now."""
        publish(self._authority, self._config.state.authority)
        self._certificate.renew()
        self._agent_listener.renew()

    async def serve(
        self,
        api_socket: socket.socket,
        agent_socket: socket.socket,
        ready: Callable[[Addresses], None],
        stopping: asyncio.Event,
    ) -> None:
        """Start, wait for ``stopping``, stop."""
        async with tasks() as group:
            await self._begin(group)
            xds = await self._serve_xds()
            try:
                addresses = addresses_of(self._config, api_socket, agent_socket, xds.port)
                config = https_config(self._api(), self._certificate.context, CertificateProtocol)
                api = HttpsServer(config, api_socket)
                app = self._workloads.app(addresses.xds, self._audit.write, self._for_agents())
                own = self._agent_listener.config(app, self._config.address, self._config.agent_port)
                agents = HttpsServer(own, agent_socket)
                done = [await _started(group, server, name) for server, name in ((api, "API"), (agents, "agents"))]
                local = self._config.attestation.local if self._config.attestation else None
                async with local_server(local, app):
                    self._announce(addresses, ready)
                    await stopping.wait()
                    self._farewell()
                agents.stop()
                api.stop()
            finally:
                await xds.stop()
                await self._counters.close()
                await self._metrics.close()
            await asyncio.gather(*done)
        await self._recording.close()
        await self._auditing.close()
        _log.info("stopped")

    async def _begin(self, group: Tasks) -> None:
        """Remember what was, and start what works in the background; there is a complete mesh afterwards."""
        await self._keys.recall()
        await self._workloads.recall()
        group.start(self._pipeline.run(), "pipeline")
        group.start(self._keys.run(), "keys of token issuers")
        await self._auditing.start(group)
        self._recording.start(group)
        await self._pipeline.latest.first()
        self._workloads.start(group)
        group.start(Reporter(self._store, self._pipeline.latest).run(), "reporter")
        group.start(self._issuing().run(), "issuing")
        self._callers.start(group)
        group.start(self._agent_listener.keep_fresh(), "certificate of the agents' listener")
        group.start(keep(self._authority, self._believed_differently, self._clock), "certificate authority")

    async def _serve_xds(self) -> XdsServer:
        config = XdsConfig(host=self._config.address, port=self._config.xds_port)
        identify = self._admission.identify
        try:
            return await serve_xds(
                config=config,
                subscribe=self._admission.subscribe,
                fleet=self._fleet,
                tls=self._material,
                clock=self._clock,
                others=(
                    LimitHandler(self._limits, identify),
                    CertificateHandler(
                        self._authority,
                        self._admission.identify,
                        self._workloads.ledger,
                        self._clock,
                        self._audit.write,
                    ),
                    self._observing.handlers,
                ),
                until_barred=self._admission.until_barred,
            )
        except OSError as taken:
            raise UserError(
                f"cannot listen on {config.host}:{config.port} (address already in use)",
                help="another program has the port; choose another with --xds-port",
            ) from taken

    def _issuing(self) -> Issuing:
        latest, pace = self._pipeline.latest, Pace()
        keeper = Keeper(self._store, self._clock, Placing(latest, self._fleet).placed, pace)
        return Issuing(self._store, latest, keeper, self._clock, random.Random(), pace)  # noqa: S311  spreads pauses

    def _material(self) -> TlsMaterial:
        current = self._certificate.current
        return TlsMaterial(key=current.key, chain=current.chain, roots=self._authority.bundle.encode())

    def _api(self) -> Starlette:
        workloads = self._workloads
        insight = Insight(
            fleet=self._fleet,
            latest=self._pipeline.latest,
            node=self._pipeline.node,
            tokens=self._workloads.tokens,
            authorizer=self._authorizer,
            certificates=self._certificates,
            clock=self._clock,
            version=version("weft"),
            troubles=lambda: (*self._identification.troubles(), *self._auditing.troubles()),
        )
        guards = GuardInsight(
            latest=self._pipeline.latest,
            board=self._breakers,
            tallies=self._limits.tallies,
            authorizer=self._authorizer,
        )
        return build_api(
            store=self._store,
            review=self._pipeline.review,
            authenticate=self._identification.by_token,
            by_certificate=self._identification.by_certificate,
            authorizer=self._authorizer,
            auditor=self._audit.write,
            extra_routes=(
                *weft_routes(insight),
                *diff_routes(self._pipeline.preview, self._authorizer),
                *guard_routes(guards),
                *prometheus_routes(self._metrics, self._authorizer),
                *traffic_routes(self._observing.flows, self._authorizer),
                *metrics_routes(lambda: numbers(self._parts()), self._authorizer),
                *trace_routes(self._recording.traces, self._authorizer, self._clock),
                *token_routes(self._api_tokens, self._authorizer, self._clock),
                *audit_routes(self._audit, self._auditing.shippers, self._authorizer, self._clock),
                *call_routes(self._observing.calls, self._authorizer),
                *report_routes(self._report_sources(), self._authorizer),
                *ca_routes(self._authority, workloads.rotator, self._authorizer, self._clock, self._others_ending),
                *workloads.revocation_routes(self._authorizer),
            ),
            hosts=(*LOCAL_HOSTS, *hosts_of(self._config.address)),
            clock=self._clock,
        )

    def _parts(self) -> Parts:
        return Parts(
            fleet=self._fleet,
            latest=self._pipeline.latest,
            observing=self._observing,
            windows=self._recording.windows,
            endings=self._certificates,
            version=version("weft"),
            started=self._started,
        )

    def _report_sources(self) -> ReportSources:
        return ReportSources(
            latest=self._pipeline.latest,
            audit=self._audit,
            windows=self._recording.windows,
            endings=lambda: (*self._authority.endings(), *self._others_ending()),
            clock=self._clock,
        )

    def _certificates(self) -> tuple[Ending, ...]:
        """What ends of the control plane's own."""
        return (*endings_of_servers(self._servers), *self._authority.endings())

    def _others_ending(self) -> tuple[Ending, ...]:
        """What ends besides the authority."""
        holders = endings_of_workloads(self._workloads.rotator.present(), self._authority.lifetime, self._clock.now())
        return (*endings_of_servers(self._servers), *holders, *endings_of_secrets(self._pipeline.latest.value))

    def _for_agents(self) -> Iterator[BaseRoute]:
        """What agents ask beside certificates and registrations."""
        yield from self._spiffe.routes(self._audit.write)
        member = member_of(self._authority.trust_domain)
        yield from observe_routes(self._breakers, member)
        yield from span_routes(self._recording.tracing, member)
        yield from start_routes(Starter(self._pipeline.latest).answer, member)

    def _announce(self, addresses: Addresses, ready: Callable[[Addresses], None]) -> None:
        """Say that everybody is answered; what is there by now stays, so the collector need not look at it again."""
        with usable(self._config.state):
            write_whole(self._config.state.ports, msgspec.json.encode(addresses), 0o600)
        gc.collect()
        gc.freeze()
        notify("READY=1")
        _log.info("ready", **msgspec.structs.asdict(addresses))
        ready(addresses)

    def _farewell(self) -> None:
        _log.info("stopping")
        notify("STOPPING=1")
        self._config.state.ports.unlink(missing_ok=True)


async def _started(group: Tasks, server: HttpsServer, name: str) -> "asyncio.Task[None]":
    task = group.start(server.run_until_stopped(), name)
    await server.wait_started()
    return task


@contextmanager
def _listening(config: Config) -> Iterator[tuple[socket.socket, socket.socket]]:
    """The sockets of the API and of the agents, had before anything is started."""
    with (
        listen(config.address, config.api_port, option="--api-port") as api,
        listen(config.address, config.agent_port, option="--agent-port") as agents,
    ):
        yield api, agents


def _counters(config: Config, clock: Clock) -> Counters:
    """Where shared limits are counted. Raises ``UserError``."""
    return redis_counters(config.limits_redis) if config.limits_redis else MemoryCounters(clock)
