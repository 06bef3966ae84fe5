"""What a control plane sees of its mesh, composed: the sinks that proxies tell, and what is made of it.

Apart from ``app`` so that a new sink is a line here. See ``docs/how-to-add-a-sink.md``.
"""

from collections.abc import Mapping

from weft.kit.clock import Clock
from weft.observe.access_logs import Entries, access_log_sink
from weft.observe.calls import LOG as CALLS
from weft.observe.calls import Calls
from weft.observe.decisions import LOG as DECISIONS
from weft.observe.decisions import Decision, Decisions, OnDecisions
from weft.observe.metrics import Keeper, Metrics
from weft.observe.sinks import Authenticated, SinkHandlers, UnarySink
from weft.observe.windows.track import Track


class Observing:
    """``handlers`` go to the gRPC server. ``on_decisions`` are told what access policies decided against,
    ``keeper`` keeps what proxies count; ``calls`` are those that were recorded; ``logs`` are readers of other logs by
    their names."""

    def __init__(
        self,
        clock: Clock,
        identify: Authenticated,
        keeper: Keeper[Track],
        on_decisions: tuple[OnDecisions, ...] = (),
        sinks: tuple[UnarySink, ...] = (),
        logs: Mapping[str, Entries] | None = None,
    ) -> None:
        self._on_decisions = on_decisions
        self.decisions = Decisions(clock, self._decided)
        self.calls = Calls(clock)
        self.metrics = Metrics(keeper)
        sink = access_log_sink({DECISIONS: self.decisions.read, CALLS: self.calls.read, **(logs or {})})
        self.handlers = SinkHandlers((sink, self.metrics.sink(), *sinks), identify, clock)

    def _decided(self, decisions: tuple[Decision, ...]) -> None:
        for told in self._on_decisions:
            told(decisions)
