"""One type of resource on a state-of-the-world stream: every answer holds all that the client subscribed to."""

from collections.abc import Collection

from weft._pb.envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest
from weft.compiler.resource import Resource
from weft.xds.names import STATE_TYPES, WILDCARD, canonical
from weft.xds.stage import Stage, combined_version
from weft.xds.status import MAX_ERROR, SyncState, TypeStatus
from weft.xds.wire import Response, sotw_response


class SotwType:
    """What the client wants, was sent and answered. Requests with a stale nonce change nothing."""

    def __init__(self, type_url: str) -> None:
        self.type_url = type_url
        self.waiting = False
        self.resumed = False
        self.error = ""
        self.refusals = 0
        self._names: frozenset[str] = frozenset()
        self._wildcard = False
        self._named = False
        self._urgent = False
        self._sent: dict[str, str] = {}
        self._nonce = ""
        self._version = ""
        self._acked = ""
        self._seen = -1

    def receive(self, request: DiscoveryRequest, stage: Stage, now: float) -> None:
        """Take in a request; ``push`` answers it."""
        nonce = request.response_nonce
        if self._nonce and nonce and nonce != self._nonce:
            return
        repeated = False
        if self._nonce and nonce:
            repeated = not self.waiting
            self._acknowledge(request)
        before, was_wildcard = self._names, self._wildcard
        self._subscribe(request.resource_names)
        if not self._subscribed():
            return
        again = repeated and not self.error and bool(self._names)
        grown = bool(self._names - before) or self._wildcard != was_wildcard
        if not nonce or grown or not self._nonce or again:
            self._urgent = True

    def push(self, stage: Stage, nonce: str, forced: Collection[str] = ()) -> Response | None:
        """The answer that is due, if any; ``forced`` are keys to send although nothing about them changed."""
        if forced and self._subscribed():
            self._seen = -1
            self._sent = {key: version for key, version in self._sent.items() if key not in forced}
        if not self._due(stage) or (self.waiting and not self._urgent):
            return None
        chosen = self._chosen(stage, forced)
        differs = self._urgent or self._differs(chosen)
        self._urgent = False
        self._seen = stage.revision(self.type_url)
        if not differs or (not chosen and not self._may_be_empty()):
            return None
        version = combined_version(tuple(item for _, item in chosen))
        changed = tuple(key for key, item in chosen if self._sent.get(key) != item.version)
        self._sent = {key: item.version for key, item in chosen}
        self._nonce, self._version, self.waiting = nonce, version, True
        return sotw_response(self.type_url, nonce, version, chosen, changed)

    def wants(self, key: str) -> bool:
        """Whether the client subscribed to this key."""
        return self._wildcard or key in self._names

    def has(self, key: str) -> bool:
        """Whether the client was sent this key."""
        return key in self._sent

    def unsettled(self, stage: Stage) -> bool:
        """Whether the client does not (yet) use what it should."""
        return self.waiting or bool(self.error) or self._due(stage)

    def unconfirmed(self) -> tuple[str, ...]:
        """Nothing: a client that comes back is answered in full."""
        return ()

    def status(self, stage: Stage) -> TypeStatus:
        """How far the client is."""
        state = SyncState.SYNCED
        if not self._nonce:
            state = SyncState.NOT_SENT
        elif self.error:
            state = SyncState.NACK
        elif self.waiting or self._due(stage):
            state = SyncState.STALE
        return TypeStatus(
            type_url=self.type_url,
            state=state,
            sent_version=self._version,
            sent_nonce=self._nonce,
            acked_version=self._acked,
            error=self.error,
        )

    def _acknowledge(self, request: DiscoveryRequest) -> None:
        self.waiting = False
        if request.HasField("error_detail"):
            self.error = request.error_detail.message[:MAX_ERROR] or "refused without a reason"
            self.refusals += 1
        else:
            self.error = ""
            self._acked = self._version

    def _subscribe(self, wanted: Collection[str]) -> None:
        names = frozenset(canonical(name) for name in wanted)
        self._named = self._named or bool(names)
        self._wildcard = WILDCARD in names or (not names and not self._named and self.type_url in STATE_TYPES)
        self._names = names - {WILDCARD}
        if not self._wildcard:
            self._sent = {key: version for key, version in self._sent.items() if key in self._names}

    def _subscribed(self) -> bool:
        return self._wildcard or bool(self._names)

    def _due(self, stage: Stage) -> bool:
        return self._subscribed() and (self._urgent or self._seen != stage.revision(self.type_url))

    def _chosen(self, stage: Stage, forced: Collection[str]) -> list[tuple[str, Resource]]:
        keys = self._names | stage.all(self.type_url).keys() if self._wildcard else self._names.union(forced)
        found = ((key, stage.get(self.type_url, key)) for key in sorted(keys))
        return [(key, item) for key, item in found if item is not None]

    def _differs(self, chosen: list[tuple[str, Resource]]) -> bool:
        if any(self._sent.get(key) != item.version for key, item in chosen):
            return True
        return self.type_url in STATE_TYPES and len(chosen) != len(self._sent)

    def _may_be_empty(self) -> bool:
        """Nothing at all is news only where being left out means removal."""
        return self._wildcard or (self.type_url in STATE_TYPES and bool(self._sent))
