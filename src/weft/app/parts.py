"""The parts of a control plane, each made once, and what works among them in the background.

The API over them is ``api``'s, their beginning and end ``control_plane``'s.
"""

import random
from collections.abc import Iterator
from functools import partial

from starlette.routing import BaseRoute

from weft.api.accounts import reading_by_roles
from weft.api.admin import AdminToken
from weft.api.authorizer import Authorizer
from weft.api.tokens import ApiTokens
from weft.app.agents import Workloads
from weft.app.audit import Auditing
from weft.app.callers import Callers
from weft.app.config import Config, hosts_of
from weft.app.watching import Watching
from weft.ca.ending import Ending
from weft.ca.istio_server import CertificateHandler
from weft.ca.listener import AgentListener
from weft.ca.opening import publish
from weft.ca.peer import member_of
from weft.ca.signer import Signer
from weft.ca.spiffe import Spiffe
from weft.ca.upkeep import keep
from weft.dialects.link_access import key_sources
from weft.dialects.translate import KINDS
from weft.duties.allowances import Allowances
from weft.duties.credentials import SecretDelivery
from weft.duties.demands import Demands
from weft.duties.endings import endings_of_secrets, endings_of_servers, endings_of_workloads
from weft.duties.farewells import Farewells
from weft.duties.observing import Observing
from weft.duties.recording import Recording, history_of, metrics_of
from weft.duties.reporter import Reporter
from weft.duties.starter import Starter
from weft.duties.tapping import Tapping
from weft.issuing.keeper import Keeper
from weft.issuing.placing import Placing
from weft.issuing.run import Issuing
from weft.issuing.schedule import Pace
from weft.jwks.fetching import fetched
from weft.jwks.keeper import KeyKeeper
from weft.jwks.key_sets import key_set_of
from weft.kit.clock import Clock
from weft.kit.errors import UserError
from weft.kit.loop_lag import LoopLag
from weft.kit.tasks import Tasks
from weft.limits.counting import Counters
from weft.limits.memory import MemoryCounters
from weft.limits.redis_counters import redis_counters
from weft.limits.server import LimitHandler
from weft.limits.service import LimitService
from weft.model.authentication import KeySet, KeySource
from weft.model.settings import Settings
from weft.observe.breakers import BreakerBoard
from weft.observe.log_server import log_piece_routes
from weft.observe.own_history import OwnHistory
from weft.observe.recorded import Recorder
from weft.observe.server import observe_routes
from weft.observe.traces.server import span_routes
from weft.observe.traffic import Traffic
from weft.pipeline import Pipeline
from weft.registry.farewell import farewell_routes
from weft.registry.last_good import last_good_routes
from weft.registry.start import start_routes
from weft.store.source import Store
from weft.xds.fleet import Fleet
from weft.xds.last_good import last_good
from weft.xds.server import TlsMaterial, XdsConfig, XdsServer, serve_xds


class Composed:
    """The parts. What is named here is for ``control_plane`` and ``api`` alone."""

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
        self.config = config
        self.clock = clock
        self.store = store
        self.authority = authority
        self.spiffe = spiffe
        self.fleet = Fleet()
        self.started = clock.now()
        self.lag = LoopLag()
        self.own = OwnHistory(clock)
        self.authorizer = Authorizer(store, KINDS)
        secrets = SecretDelivery(store, reading_by_roles(self.authorizer))
        self.tapping = Tapping(config.hidden)
        self.demands = Demands(clock, self.tapping.altered)
        self.pipeline = Pipeline(store, settings, secrets=secrets.added, clock=clock, alter=self.demands.altered)
        self.demands.follow(self.pipeline.latest, self.pipeline.again)
        self.tapping.follow(self.pipeline.latest, self.pipeline.nodes, self.pipeline.again)
        about = (config, authority, store, self.pipeline, self.authorizer, clock)
        self.workloads = Workloads(*about, self._believed_differently)
        self.breakers = BreakerBoard(clock)
        self.admission = self.workloads.admission
        self.recording = Recording(config.state, clock, config.traces_to)
        self.traffic = Traffic(history_of(config.prometheus_url, self.recording.windows), clock)
        self.watching = Watching(config, store, self.pipeline.latest, self.recording.windows, clock)
        self.metrics = metrics_of(config.prometheus_url, self.recording.windows, self.own, clock)
        self.counters = _counters(config, clock)
        allowances = Allowances(self.pipeline.latest, self.pipeline.nodes_of)
        self.limits = LimitService(self.counters, allowances.limits_of)
        self.auditing = Auditing(config.state.audit, clock, store, config.audit_ships)
        self.audit = self.auditing.logs
        self.observing = Observing(
            clock,
            self.admission.identify,
            Recorder(self.recording.windows),
            on_decisions=(self.auditing.decisions.told,),
            sinks=(self.recording.tracing.sink(),),
            logs={**self.tapping.board.readers(), **self.recording.tracing.readers()},
        )
        self.api_tokens = ApiTokens(store, clock)
        auditor, barred = self.audit.write, self.workloads.revocations.bars
        self.callers = Callers(config, authority, admin, self.api_tokens, clock, auditor, barred)
        self.identification = self.callers.identification
        self.issuers = self.workloads.attestors.issuers
        hosts = hosts_of(config.address)
        self.certificate = self.callers.listener
        self.agent_listener = AgentListener(authority, hosts, clock)
        self.servers = (("the API and xDS", self.certificate), ("the agents' listener", self.agent_listener))
        self.keys = KeyKeeper(
            wanted=self._wanted_keys,
            found=self._know,
            fetch=self._keys_of,
            records=store,
            clock=clock,
            stale=lambda: (*self.identification.stale(), *self.issuers.stale()),
        )

    def _wanted_keys(self) -> dict[KeySource, int]:
        known = key_sources(self.pipeline.latest.value) | self.identification.sources()
        return known | self.issuers.sources()

    async def _keys_of(self, source: KeySource, seconds: float) -> str:
        trust = self.identification.trust(source) or self.issuers.trust(source)
        return await key_set_of(source, lambda uri: fetched(uri, self.config.keys_from, seconds, trust))

    def _know(self, keys: tuple[KeySet, ...]) -> None:
        self.pipeline.know(keys)
        self.identification.know(keys)
        self.issuers.know(keys)

    def _believed_differently(self) -> None:
        """Let the listeners show and believe what the authority does now."""
        publish(self.authority, self.config.state.authority)
        self.certificate.renew()
        self.agent_listener.renew()

    def _issuing(self) -> Issuing:
        latest, pace = self.pipeline.latest, Pace()
        keeper = Keeper(self.store, self.clock, Placing(latest, self.fleet).placed, pace)
        return Issuing(self.store, latest, keeper, self.clock, random.Random(), pace)  # noqa: S311  spreads pauses

    def _material(self) -> TlsMaterial:
        current = self.certificate.current
        return TlsMaterial(key=current.key, chain=current.chain, roots=self.authority.bundle.encode())

    def certificates(self) -> tuple[Ending, ...]:
        """What ends of the control plane's own."""
        return (*endings_of_servers(self.servers), *self.authority.endings())

    def _ending(self) -> tuple[Ending, ...]:
        return (*self.authority.endings(), *self.others_ending())

    def others_ending(self) -> tuple[Ending, ...]:
        """What ends besides the authority."""
        holders = endings_of_workloads(self.workloads.rotator.present(), self.authority.lifetime, self.clock.now())
        return (*endings_of_servers(self.servers), *holders, *endings_of_secrets(self.pipeline.latest.value))

    def for_agents(self) -> Iterator[BaseRoute]:
        """What agents ask beside certificates and registrations."""
        yield from self.spiffe.routes(self.audit.write)
        member = member_of(self.authority.trust_domain)
        yield from observe_routes(self.breakers, member)
        yield from log_piece_routes(self.workloads.logs, member)
        yield from span_routes(self.recording.tracing, member)
        yield from start_routes(Starter(self.pipeline.latest).answer, member)
        yield from last_good_routes(partial(last_good, self.fleet), member)
        farewells = Farewells(self.fleet, self.pipeline.reached, self.store.revision, self.clock)
        yield from farewell_routes(farewells.told, member)

    async def begin(self, group: Tasks) -> None:
        """Remember what was, and start what works in the background; there is a complete mesh afterwards."""
        group.start(self.lag.run(), "lag of the event loop")
        await self.keys.recall()
        await self.workloads.recall()
        group.start(self.pipeline.run(), "pipeline")
        group.start(self.keys.run(), "keys of token issuers")
        group.start(self.tapping.run(), "live requests")
        group.start(self.demands.run(), "traces on demand")
        await self.auditing.start(group)
        self.recording.start(group)
        await self.pipeline.latest.first()
        self.workloads.start(group)
        await self.watching.start(group)
        self.audit.listeners.append(self.watching.chronicle.audited)
        self.watching.chronicle.start(
            group, self.fleet.proxies, self.pipeline.latest, self._ending, self.breakers.events
        )
        group.start(Reporter(self.store, self.pipeline.latest).run(), "reporter")
        group.start(self._issuing().run(), "issuing")
        self.callers.start(group)
        group.start(self.agent_listener.keep_fresh(), "certificate of the agents' listener")
        group.start(keep(self.authority, self._believed_differently, self.clock), "certificate authority")

    async def serve_xds(self) -> XdsServer:
        """Answer proxies. Raises ``UserError`` when the port is taken."""
        config = XdsConfig(host=self.config.address, port=self.config.xds_port)
        identify = self.admission.identify
        try:
            return await serve_xds(
                config=config,
                subscribe=self.admission.subscribe,
                fleet=self.fleet,
                tls=self._material,
                clock=self.clock,
                others=(
                    LimitHandler(self.limits, identify),
                    CertificateHandler(
                        self.authority,
                        self.admission.identify,
                        self.workloads.ledger,
                        self.clock,
                        self.audit.write,
                        self.workloads.grounds,
                    ),
                    self.observing.handlers,
                ),
                until_barred=self.admission.until_barred,
            )
        except OSError as taken:
            raise UserError(
                f"cannot listen on {config.host}:{config.port} (address already in use)",
                help="another program has the port; choose another with --xds-port",
            ) from taken


def _counters(config: Config, clock: Clock) -> Counters:
    """Where shared limits are counted. Raises ``UserError``."""
    return redis_counters(config.limits_redis) if config.limits_redis else MemoryCounters(clock)
