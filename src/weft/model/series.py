"""What one number is about: who called whom, who counted it, and how it ended. Bounded in kinds."""

from weft.kit.memo import memo
from weft.kit.value import Labels, Value
from weft.model.identity import parse_identity
from weft.model.reporting import ADDED, DESTINATION, NOBODY, REMOVED, ROUTE, SOURCE, UNKNOWN, Peer, parse_peer

MUTUAL, PLAIN = "mutual_tls", "none"
_LONGEST = 512
_UNNAMED = ("-", "default", "allow_any", "block_all", "loop")
"""What is no operator's name of a route: Envoy's word for none, and routes that no rule made."""


class End(Value):
    """One side of a call: the workload, and the SPIFFE ID that its certificate proves (empty: none)."""

    peer: Peer = NOBODY
    principal: str = ""


class Series(Value):
    """``reporter`` is ``source`` or ``destination``: the side whose proxy counted. ``service`` is a host, or
    ``unknown``. ``code`` is the status of HTTP ("0": no answer came), ``grpc`` that of gRPC, empty for other calls;
    ``flags`` are Envoy's. Of connections neither is known. ``route`` is the name that an operator gave the rule by
    which the caller's proxy sent the call, empty without one. ``added`` and ``removed`` are Istio's labels that
    Telemetry adds or takes away.
    """

    reporter: str
    source: End
    destination: End
    service: str = UNKNOWN
    protocol: str = "http"
    code: str = ""
    grpc: str = ""
    flags: str = ""
    route: str = ""
    added: Labels = ()
    removed: tuple[str, ...] = ()

    @property
    def security(self) -> str:
        """Whether the other side proved who it is."""
        other = self.source if self.reporter == DESTINATION else self.destination
        return MUTUAL if other.principal else PLAIN

    @property
    def failed(self) -> bool:
        """Whether a call did not succeed: no answer, a status of 500 and more, or one of gRPC that is not OK."""
        if self.protocol == "tcp":
            return self.flags not in ("", "-")
        if not self.code and "response_code" in self.removed:
            return False
        return self.grpc != "0" if self.protocol == "grpc" else not "100" <= self.code < "500"


@memo(1024)
def series_of(own: End, name: str, labels: Labels) -> tuple[Series, str] | None:
    """The series of a proxy's statistic, and what it counts; ``None`` for one that is not of the mesh.

    ``own`` is the proxy's side. What a caller says of its workload is believed within the namespace of its certificate.
    """
    parts = name.split(".")
    if len(parts) != 4 or parts[1] not in (SOURCE, DESTINATION):
        return None
    _, reporter, kind, what = parts
    said = {key: value[:_LONGEST] for key, value in labels}
    principal = _said(said, "principal")
    other = End(peer=_believed(parse_peer(_said(said, "peer")), principal, reporter), principal=principal)
    source, destination = (own, other) if reporter == SOURCE else (other, own)
    grpc = _said(said, "grpc")
    cluster, _, route = _said(said, "service").partition(ROUTE)
    found = Series(
        reporter=reporter,
        source=source,
        destination=destination,
        service=_named(cluster).rpartition("|")[2] or UNKNOWN,
        protocol="tcp" if kind == "tcp" else "grpc" if grpc else "http",
        code=_said(said, "code"),
        grpc=grpc,
        flags=said.get("flags", ""),
        route="" if route in _UNNAMED else route,
        added=tuple(sorted((name.removeprefix(ADDED), text) for name, text in said.items() if name.startswith(ADDED))),
        removed=tuple(said[REMOVED].split(";")) if REMOVED in said else (),
    )
    return found, what


def _said(said: dict[str, str], key: str) -> str:
    return _named(said.get(key, ""))


def _named(value: str) -> str:
    return "" if value == "-" else value


def _believed(peer: Peer, principal: str, reporter: str) -> Peer:
    """A caller is of its certificate's namespace, whatever its header says; else only that is known of it."""
    try:
        namespace = parse_identity(principal).namespace
    except ValueError:
        return peer if reporter == SOURCE else NOBODY
    if reporter == DESTINATION and peer.namespace != namespace:
        return Peer(namespace=namespace)
    return peer
