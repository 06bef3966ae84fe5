"""One proxy's stream as a state machine: requests and offers in, responses out; no I/O, no clock of its own.

Every call returns what must be written now, in order. ``now`` is monotonic seconds. The order is that of
make-before-break: clusters, endpoints, listeners, routes; no type waits for another's acknowledgement, because Envoy
withholds that of clusters while one of them warms; and a changed cluster's endpoints follow it in the same flush,
because Envoy warms it until they come.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Protocol, cast

from weft.compiler.resource import CLUSTER, ENDPOINTS, PUSH_ORDER, TYPE_PREFIX, Resource, Resources
from weft.xds.delta import DeltaType
from weft.xds.errors import Malformed, TooMuch
from weft.xds.sotw import SotwType
from weft.xds.stage import REQUEST_GRACE, ROUTING_TYPES, Stage
from weft.xds.status import TypeStatus
from weft.xds.wire import Response, read_delta, read_sotw

MAX_TYPES = 32
"""Types of resource that one stream may name."""

Unconfirmed = Mapping[str, tuple[str, ...]]
"""By type, the keys that a proxy was sent and never said it took."""

Held = tuple[Mapping[str, Resource], Mapping[str, Resource]]
"""The clusters of a client that gets everything, and their endpoints, by name."""

_TypeState = SotwType | DeltaType


class Variant(Enum):
    """The two ways to speak the protocol."""

    SOTW = "sotw"
    DELTA = "delta"


class _Request(Protocol):
    @property
    def type_url(self) -> str: ...


class Session:
    """What one stream wants, holds and is due.

    ``implied_type`` is that of a service for one type (``StreamClusters``); "" for the aggregated one. ``doubtful`` is
    what ``unconfirmed`` said of this proxy's last stream, ``held`` what that said.
    """

    def __init__(
        self,
        variant: Variant,
        *,
        implied_type: str = "",
        doubtful: Unconfirmed | None = None,
        held: Held | None = None,
    ) -> None:
        self.variant = variant
        self._implied_type = implied_type
        self._doubtful = doubtful or {}
        self._held = held if variant is Variant.SOTW else None
        self._stage = Stage()
        self._types: dict[str, _TypeState] = {}
        self._nonces = 0
        self._answered: set[str] = set()
        self._patience: float | None = None

    def offer(self, resources: Resources, now: float) -> tuple[Response, ...]:
        """The proxy's newest resources."""
        self._stage.offer(resources, now)
        if self._held is not None:
            self._stage.recall(*self._held, now)
            self._held = None
        return self._flush(now)

    def receive(self, request: bytes, now: float) -> tuple[Response, ...]:
        """One request of the client. Raises ``Malformed`` and ``TooMuch``."""
        if self.variant is Variant.DELTA:
            delta = read_delta(request)
            self._delta(self._type_of(delta)).receive(delta, self._stage, now)
        else:
            sotw = read_sotw(request)
            self._sotw(self._type_of(sotw)).receive(sotw, self._stage, now)
        return self._flush(now)

    def tick(self, now: float) -> tuple[Response, ...]:
        """What became due because time passed; call it at ``deadline``."""
        return self._flush(now)

    def deadline(self, now: float) -> float | None:
        """When ``tick`` should be called, if no other call comes first."""
        patience = self._patience if self._patience is not None and self._patience > now else None
        times = (self._stage.deadline(now), patience)
        return min((one for one in times if one is not None), default=None)

    def status(self) -> tuple[TypeStatus, ...]:
        """How far the client is, per type that it asked for, in the order of pushes."""
        return tuple(state.status(self._stage) for state in self._in_order())

    @property
    def refusals(self) -> int:
        """How often the client refused something."""
        return sum(state.refusals for state in self._types.values())

    @property
    def settled(self) -> bool:
        """Whether the client uses everything that it asked for, of the newest offer."""
        return bool(self._types) and not any(state.unsettled(self._stage) for state in self._types.values())

    @property
    def lags(self) -> bool:
        """Whether the client asked for something of the newest offer that it does not use yet."""
        return bool(self._types) and not self.settled

    def uses(self, type_url: str) -> bool:
        """Whether the client uses all of one type that it asked for, of the newest offer."""
        state = self._types.get(type_url)
        return state is None or not state.unsettled(self._stage)

    def unconfirmed(self) -> Unconfirmed:
        """What the client may or may not have, for the session of its next stream."""
        found = {type_url: state.unconfirmed() for type_url, state in self._types.items()}
        rest = {type_url: keys for type_url, keys in self._doubtful.items() if type_url not in self._types}
        return {type_url: keys for type_url, keys in {**rest, **found}.items() if keys}

    def held(self) -> Held | None:
        """What a client that gets everything has by now, ``None`` where nobody has to remember it: a client of deltas
        says so itself."""
        state = self._types.get(CLUSTER)
        if not isinstance(state, SotwType):
            return None
        clusters = {name: one for name, one in self._stage.all(CLUSTER).items() if state.has(name)}
        found = ((name, self._stage.get(ENDPOINTS, name)) for name in clusters)
        return clusters, {name: one for name, one in found if one is not None}

    def _type_of(self, request: _Request) -> str:
        type_url = request.type_url or self._implied_type
        if not type_url:
            raise Malformed("a request on the aggregated stream needs a type_url")
        if self._implied_type and type_url != self._implied_type:
            raise Malformed(f"this stream is for {self._implied_type.removeprefix(TYPE_PREFIX)} only")
        if type_url not in self._types and len(self._types) >= MAX_TYPES:
            raise TooMuch(f"more than {MAX_TYPES} types on one stream")
        return type_url

    def _delta(self, type_url: str) -> DeltaType:
        if type_url not in self._types:
            self._types[type_url] = DeltaType(type_url, self._doubtful.get(type_url, ()))
        return cast(DeltaType, self._types[type_url])

    def _sotw(self, type_url: str) -> SotwType:
        if type_url not in self._types:
            self._types[type_url] = SotwType(type_url)
        return cast(SotwType, self._types[type_url])

    def _in_order(self) -> list[_TypeState]:
        known = [self._types[type_url] for type_url in PUSH_ORDER if type_url in self._types]
        return known + [state for type_url, state in self._types.items() if type_url not in PUSH_ORDER]

    def _flush(self, now: float) -> tuple[Response, ...]:
        self._release(now)
        responses = self._push_all(now)
        if self._release(now):
            responses += self._push_all(now)
        return tuple(responses)

    def _release(self, now: float) -> bool:
        """Let clusters go that nothing routes to any more."""
        return self._stage.release(now, self._settled(), all(item in self._types for item in ROUTING_TYPES))

    def _push_all(self, now: float) -> list[Response]:
        responses: list[Response] = []
        warming: tuple[str, ...] = ()
        held = self._holds_routes(now)
        for state in self._in_order():
            if held and state.type_url in self._answered:
                continue
            forced = warming if state.type_url == ENDPOINTS else ()
            while (response := state.push(self._stage, str(self._nonces + 1), forced)) is not None:
                self._nonces += 1
                responses.append(response)
                self._answered.update({state.type_url}.intersection(ROUTING_TYPES))
                forced = ()
                if state.type_url == CLUSTER:
                    warming += self._warming(state, response)
        return responses

    def _holds_routes(self, now: float) -> bool:
        """Whether changed listeners and routes wait for the client's first request for endpoints.

        A client that had no cluster with endpoints does not take them unasked. Until it has asked, which it does when
        it gets the first such cluster, the cluster is not there for routes. It is waited for one second.
        """
        asks = ENDPOINTS in self._types or CLUSTER not in self._types or not self._stage.all(ENDPOINTS)
        if asks or not self._answered:
            self._patience = None
            return False
        if self._patience is None:
            self._patience = now + REQUEST_GRACE
        return now < self._patience

    def _warming(self, clusters: _TypeState, response: Response) -> tuple[str, ...]:
        """Clusters whose endpoints follow at once.

        Beside those that the client asked endpoints for, once it is past its start (before, it takes none unasked):
        the new ones too, so that they are warm when the routes to them come. It asks for them again by itself.
        """
        started = clusters.resumed or any(item in self._types for item in ROUTING_TYPES)
        asked = self._types.get(ENDPOINTS)
        return tuple(
            key
            for key in response.changed
            if (asked is not None and asked.wants(key)) or (started and key in self._stage.all(ENDPOINTS))
        )

    def _settled(self) -> bool:
        """Whether the client uses the listeners and routes of the offer."""
        states = (self._types.get(type_url) for type_url in ROUTING_TYPES)
        return not any(state.unsettled(self._stage) for state in states if state is not None)
