"""One type of resource on an incremental stream: only what changed is sent.

``_sent`` is what the client is believed to hold, by version: what it was sent on this stream or says it kept from an
earlier one. What is due is always computed from it, so nothing is queued while an answer is unacknowledged.
"""

from collections.abc import Collection

from weft._pb.envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest
from weft.compiler.resource import CLUSTER, Resource
from weft.xds.errors import TooMuch
from weft.xds.names import CHILD_TYPES, STATE_TYPES, WILDCARD, canonical
from weft.xds.stage import Stage
from weft.xds.status import MAX_ERROR, SyncState, TypeStatus
from weft.xds.wire import Removal, Response, delta_response

MAX_ANSWER = 3 * 2**20
"""Bytes of resources in one answer: what clients of gRPC take is 4 MiB. A larger resource has an answer of its own."""

MAX_NAMES = 100_000
"""Names that one stream may subscribe to, per type."""


class DeltaType:
    """What the client wants, holds and answered.

    ``doubtful`` are keys that an earlier stream of this proxy was sent and never acknowledged: they are sent again, or
    removed, whatever the client says it has (Envoy keeps parts of what it refused and does not list them).
    """

    def __init__(self, type_url: str, doubtful: Collection[str] = ()) -> None:
        self.type_url = type_url
        self.error = ""
        self.refusals = 0
        self._names: dict[str, str] = {}
        self._wildcard = False
        self._started = False
        self.resumed = False
        self._asked: dict[str, str] = {}
        self._greet = False
        self._forced: set[str] = set()
        self._sent: dict[str, str] = {}
        self._doubtful = set(doubtful)
        self._open: dict[str, tuple[str, ...]] = {}
        self._refused: list[frozenset[str]] = []
        self._nonce = ""
        self._version = ""
        self._acked = ""
        self._seen = -1

    @property
    def waiting(self) -> bool:
        """Whether an answer is unacknowledged."""
        return bool(self._open)

    def receive(self, request: DeltaDiscoveryRequest, stage: Stage, now: float) -> None:
        """Take in a request; ``push`` answers it. A stale nonce acknowledges nothing, the names still count."""
        self._acknowledge(request)
        known: dict[str, str] = {}
        if not self._started:
            self._started = True
            known = {canonical(name): version for name, version in request.initial_resource_versions.items()}
            self.resumed = bool(known)
            self._begin(request, known, stage, now)
        for name in request.resource_names_subscribe:
            self._subscribe(name, known, stage)
        for name in request.resource_names_unsubscribe:
            self._unsubscribe(name)
        if len(self._names) > MAX_NAMES:
            raise TooMuch(f"more than {MAX_NAMES} names of {self.type_url}")

    def push(self, stage: Stage, nonce: str, forced: Collection[str] = ()) -> Response | None:
        """The answer that is due, if any; ``forced`` are keys to send although nothing about them changed.

        What does not fit into it is due at the next call.
        """
        self._forced.update(forced)
        if not self._due(stage):
            return None
        keys = {*self._asked, *self._forced, *self._new_clusters(stage)} if self.waiting else self._changed(stage)
        removed = self._removed(stage)
        keys = self._with_refused(keys, removed)
        found = ((key, stage.get(self.type_url, key)) for key in sorted(keys))
        update = [(key, self._names.get(key, ""), item) for key, item in found if item is not None]
        if not self.waiting:
            self._seen = stage.revision(self.type_url)
        update, self._forced = _fitting(update)
        greet, self._greet, self._asked = self._greet, False, {}
        if not update and not removed and not greet:
            return None
        return self._send(nonce, stage.version(self.type_url), update, removed)

    def wants(self, key: str) -> bool:
        """Whether the client subscribed to this key."""
        return self._wildcard or key in self._names

    def unsettled(self, stage: Stage) -> bool:
        """Whether the client does not (yet) use what it should."""
        return self.waiting or bool(self.error) or self._due(stage)

    def unconfirmed(self) -> tuple[str, ...]:
        """Keys that were sent and that the client never said it took."""
        unacknowledged = (key for names in self._open.values() for key in names)
        refused = (key for names in self._refused for key in names)
        return tuple(sorted({*unacknowledged, *refused}))

    def status(self, stage: Stage) -> TypeStatus:
        """How far the client is; one that came back with everything is in sync without having been sent anything."""
        state = SyncState.SYNCED
        if self.error:
            state = SyncState.NACK
        elif self.waiting or self._due(stage):
            state = SyncState.STALE
        elif not self._sent and not self._nonce:
            state = SyncState.NOT_SENT
        return TypeStatus(
            type_url=self.type_url,
            state=state,
            sent_version=self._version,
            sent_nonce=self._nonce,
            acked_version=self._acked,
            error=self.error,
        )

    def _acknowledge(self, request: DeltaDiscoveryRequest) -> None:
        names = self._open.pop(request.response_nonce, None)
        if names is None:
            return
        if request.HasField("error_detail"):
            self.error = request.error_detail.message[:MAX_ERROR] or "refused without a reason"
            self.refusals += 1
            self._refused.append(frozenset(names))
        else:
            self.error = "" if not self._refused else self.error
            self._acked = self._version

    def _begin(self, request: DeltaDiscoveryRequest, known: dict[str, str], stage: Stage, now: float) -> None:
        nameless = not request.resource_names_subscribe and not request.resource_names_unsubscribe
        self._wildcard = nameless and self.type_url in STATE_TYPES
        self._greet = self._wildcard and not known
        wanted = {canonical(name) for name in request.resource_names_subscribe}
        everything = self._wildcard or WILDCARD in wanted
        self._sent = {key: version for key, version in known.items() if everything or key in wanted}
        for key in self._doubtful:
            if everything or key in wanted:
                self._sent[key] = ""
        if self.type_url == CLUSTER:
            for key in self._sent:
                stage.claim(key, now)

    def _subscribe(self, name: str, known: dict[str, str], stage: Stage) -> None:
        if name == WILDCARD:
            self._greet = self._greet or not (self._wildcard or known)
            self._wildcard = True
            self._seen = -1
            return
        key = canonical(name)
        self._names[key] = name
        current = stage.get(self.type_url, key)
        if key in known and current is not None and self._sent.get(key) == current.version:
            return
        self._asked[key] = name

    def _unsubscribe(self, name: str) -> None:
        if name == WILDCARD:
            self._wildcard = False
            self._sent = {key: version for key, version in self._sent.items() if key in self._names}
            return
        key = canonical(name)
        if self._names.pop(key, None) is None:
            return
        self._forced.discard(key)
        if self._wildcard:
            self._asked[key] = name  # the answer says whether the wildcard still covers it
        else:
            self._asked.pop(key, None)
            self._sent.pop(key, None)
            self._forget_refused(key)

    def _due(self, stage: Stage) -> bool:
        if self._asked or self._greet or self._forced:
            return True
        if self.waiting and self.type_url != CLUSTER:
            return False
        subscribed = self._wildcard or bool(self._names)
        return subscribed and self._seen != stage.revision(self.type_url)

    def _new_clusters(self, stage: Stage) -> set[str]:
        """Clusters that the client cannot have: they do not wait, because the routes to them do not either."""
        if self.type_url != CLUSTER or self._seen == stage.revision(self.type_url):
            return set()
        present = stage.all(self.type_url)
        keys = present.keys() if self._wildcard else self._names.keys() & present.keys()
        return {key for key in keys if not self._sent.get(key)}

    def _changed(self, stage: Stage) -> set[str]:
        keys: Collection[str] = self._names
        if self._wildcard:
            keys = {*self._names, *stage.all(self.type_url)}
        changed = {*self._asked, *self._forced}
        for key in keys:
            item: Resource | None = stage.get(self.type_url, key)
            if item is not None and self._sent.get(key) != item.version:
                changed.add(key)
        return changed

    def _with_refused(self, changed: set[str], removed: list[Removal]) -> set[str]:
        """A refused batch is sent again as a whole once one of its members changed; who was at fault is not told."""
        touched = changed.union(item.key for item in removed)
        again = [names for names in self._refused if not names.isdisjoint(touched)]
        self._refused = [names for names in self._refused if names.isdisjoint(touched)]
        return changed.union(*again)

    def _forget_refused(self, key: str) -> None:
        self._refused = [rest for names in self._refused if (rest := names - {key})]
        if not self._refused:
            self.error = ""

    def _removed(self, stage: Stage) -> list[Removal]:
        gone = {key: self._spelling(key) for key in self._asked if stage.get(self.type_url, key) is None}
        if not self.waiting and self.type_url not in CHILD_TYPES:
            present = stage.all(self.type_url)
            for key in self._sent:
                if key not in present and not stage.held(self.type_url, key):
                    gone[key] = self._spelling(key)
        return [Removal(key=key, name=gone[key]) for key in sorted(gone)]

    def _spelling(self, key: str) -> str:
        return self._asked.get(key) or self._names.get(key) or key

    def _send(
        self, nonce: str, version: str, update: list[tuple[str, str, Resource]], removed: list[Removal]
    ) -> Response:
        for key, _, item in update:
            if self._wildcard or key in self._names:
                self._sent[key] = item.version
        for removal in removed:
            self._sent.pop(removal.key, None)
        response = delta_response(self.type_url, nonce, version, update, removed)
        self._open[nonce] = response.names
        self._nonce, self._version = nonce, version
        return response


def _fitting(update: list[tuple[str, str, Resource]]) -> tuple[list[tuple[str, str, Resource]], set[str]]:
    """As much of an answer as one message may have, and the keys of the rest."""
    size = 0
    for index, (_, _, item) in enumerate(update):
        size += len(item.body)
        if size > MAX_ANSWER and index:
            return update[:index], {key for key, _, _ in update[index:]}
    return update, set()
