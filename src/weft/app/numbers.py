"""Which numbers the control plane tells of itself at ``/metrics``, gathered from its parts when somebody asks."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from weft.ca.ending import Ending
from weft.duties.observing import Observing
from weft.kit.latest import Latest
from weft.kit.loop_lag import BOUNDS as LAG_BOUNDS
from weft.kit.loop_lag import LoopLag
from weft.kit.state_dir import StateDir
from weft.kit.value import Value
from weft.model.finding import Severity
from weft.model.mesh import Mesh
from weft.observe.own_metrics import Metric, Sample, Spread, by_label, counter, gauge, process_metrics, text_of
from weft.observe.windows.store import Windows
from weft.xds.fleet import Fleet
from weft.xds.status import SyncState, TypeStatus
from weft.xds.tally import CONVERGENCE_BOUNDS

_STATES = {SyncState.NACK: 0, SyncState.STALE: 1, SyncState.NOT_SENT: 2, SyncState.SYNCED: 3}


class Parts(Value):
    """Where the numbers come from. ``endings`` are certificates of the control plane; ``started`` is seconds since the
    epoch."""

    fleet: Fleet
    latest: Latest[Mesh]
    observing: Observing
    windows: Windows
    lag: LoopLag
    state: StateDir
    deeds: Callable[[], Mapping[str, float]]
    dropped: Callable[[], Mapping[str, float]]
    others: Callable[[], Iterable[Metric]]
    endings: Callable[[], tuple[Ending, ...]]
    version: str
    started: float


def numbers(parts: Parts) -> str:
    """Everything, in Prometheus' text format."""
    return text_of(metrics(parts))


def metrics(parts: Parts) -> Iterator[Metric | Spread]:
    """Everything."""
    yield _build(parts)
    yield _lag(parts.lag)
    yield from _discovery(parts.fleet)
    yield from _mesh(parts.latest.value)
    yield _endings(parts)
    yield _files(parts.state)
    yield by_label("weft_audit_entries_total", "What was done, by verb and outcome.", "deed", parts.deeds())
    yield _certificates(parts.deeds())
    yield from _seen(parts)
    yield from parts.others()
    yield from process_metrics(parts.started)


def _build(parts: Parts) -> Metric:
    sample = Sample(value=1, labels=(("version", parts.version),))
    return Metric(name="weft_build_info", help="The version that runs.", kind="gauge", samples=(sample,))


def _lag(lag: LoopLag) -> Spread:
    return Spread(
        name="weft_event_loop_lag_seconds",
        help="How late the event loop was, looked at four times a second.",
        bounds=LAG_BOUNDS,
        counts=tuple(lag.counts),
        total=lag.total,
    )


def _discovery(fleet: Fleet) -> Iterator[Metric | Spread]:
    tally, states = fleet.tally, Counter({state.value: 0 for state in SyncState})
    states.update(_state(one.types) for one in fleet.proxies())
    yield by_label("weft_xds_proxies", "Connected proxies by how far they are.", "state", states, "gauge")
    yield gauge("weft_xds_streams", "Open streams of discovery.", fleet.streams())
    pushes = {_short(name): float(count) for name, count in tally.pushes.items()}
    yield by_label("weft_xds_pushes_total", "Responses that were sent, by type.", "type", pushes)
    sizes = {_short(name): float(size) for name, size in tally.bytes.items()}
    yield by_label("weft_xds_pushed_bytes_total", "Their bytes.", "type", sizes)
    yield counter("weft_xds_rejections_total", "Responses that proxies refused (NACK).", tally.refusals)
    yield Spread(
        name="weft_xds_convergence_seconds",
        help="From an offer to the moment at which a proxy uses all of it.",
        bounds=CONVERGENCE_BOUNDS,
        counts=tuple(tally.converged),
        total=tally.seconds,
    )


def _state(types: tuple[TypeStatus, ...]) -> str:
    """The worst state of a proxy's types."""
    return min((one.state for one in types), key=_STATES.__getitem__, default=SyncState.NOT_SENT).value


def _short(type_url: str) -> str:
    return type_url.rpartition(".")[2]


def _mesh(mesh: Mesh | None) -> Iterator[Metric]:
    if mesh is None:
        return
    yield gauge("weft_store_revision", "The revision of the store that is served.", mesh.revision)
    sizes = {"services": len(mesh.services), "workloads": len(mesh.workloads), "gateways": len(mesh.gateways)}
    yield by_label(
        "weft_mesh_objects", "What the mesh has.", "kind", {name: float(size) for name, size in sizes.items()}, "gauge"
    )
    well = sum(one.healthy for one in mesh.workloads)
    health = {"true": float(well), "false": float(len(mesh.workloads) - well)}
    yield by_label("weft_registry_workloads", "Registered workloads.", "healthy", health, "gauge")
    found = Counter({severity.value: 0 for severity in Severity})
    found.update(one.severity.value for one in mesh.findings)
    yield by_label("weft_findings", "What is wrong with documents.", "severity", found, "gauge")


def _endings(parts: Parts) -> Metric:
    samples = tuple(
        Sample(value=one.expires, labels=(("kind", one.kind), ("name", one.name))) for one in parts.endings()
    )
    about = "When a certificate of the control plane ends, in seconds since the epoch."
    return Metric(name="weft_ca_certificate_expiry_timestamp_seconds", help=about, kind="gauge", samples=samples)


def _files(state: StateDir) -> Metric:
    files = {"store": state.database, "windows": state.windows, "traces": state.traces, "events": state.events}
    sizes = {name: float(path.stat().st_size) for name, path in files.items() if path.exists()}
    return by_label("weft_store_file_bytes", "Sizes of the state directory's databases.", "file", sizes, "gauge")


def _certificates(deeds: Mapping[str, float]) -> Metric:
    """Certificates of workloads: first ones and renewals, and those that were denied."""
    ways = ("join", "attest", "renew")
    counts = {deed: deeds.get(deed, 0.0) for way in ways for deed in (f"{way} allowed", f"{way} denied")}
    samples = tuple(
        Sample(value=count, labels=(("outcome", deed.rpartition(" ")[2]), ("way", deed.partition(" ")[0])))
        for deed, count in counts.items()
    )
    about = "Certificates of workloads that were asked for."
    return Metric(name="weft_ca_requests_total", help=about, kind="counter", samples=samples)


def _seen(parts: Parts) -> Iterator[Metric]:
    observing, windows = parts.observing, parts.windows
    yield counter("weft_sink_messages_total", "Reports of metrics by proxies.", observing.metrics.messages)
    yield counter("weft_sink_increments_total", "Numbers in them.", observing.metrics.increments)
    yield counter("weft_decisions_total", "Refusals and audits that proxies told.", observing.decisions.told)
    yield counter("weft_decisions_dropped_total", "Those beyond a proxy's share.", observing.decisions.dropped)
    dropped = {"reports": observing.handlers.dropped, "calls": observing.calls.lost, **parts.dropped()}
    about = "What sinks had no time or no place for, or could not pass on."
    yield by_label("weft_sink_dropped_total", about, "sink", dropped)
    yield gauge("weft_windows_series", "Series that are kept.", len(windows))
    yield counter("weft_windows_lost_total", "Numbers that found no series of their own.", windows.lost)
    yield counter("weft_windows_failed_total", "Writes of the windows' file that failed.", windows.failed)
