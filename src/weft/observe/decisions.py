"""What access policies decided against, as the proxies tell it in the log ``weft.decisions``.

The compiler puts that log into proxies (``weft.compiler.telemetry.decisions``); what its entries carry is Envoy's: the
dynamic metadata of the RBAC filters and the details of the answer.
"""

import re
from collections.abc import Callable, Iterator

from google.protobuf.struct_pb2 import Struct
from msgspec.structs import replace

from weft._pb.envoy.config.core.v3.base_pb2 import RequestMethod
from weft._pb.envoy.data.accesslog.v3.accesslog_pb2 import AccessLogCommon, HTTPAccessLogEntry
from weft._pb.envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage
from weft.kit.clock import Clock
from weft.kit.rates import Rates
from weft.kit.value import Value
from weft.model.identity import Identity
from weft.observe.access_logs import Reporter

LOG = "weft.decisions"
_PER_SECOND, _BURST = 100.0, 1000
_LONGEST = 512
_HTTP, _TCP, _COMMON = "envoy.filters.http.rbac", "envoy.filters.network.rbac", "envoy.common"
_POLICY = re.compile(r"ns\[([^\]]*)\]-policy\[([^\]]*)\]-rule\[(\d+)\]")
_DETAILS = re.compile(r"rbac_access_denied_matched_policy\[(.*)\]")
_ASKED = re.compile(r"istio-ext-authz-.*?(?=ns\[)")
_DRY_RUNS = {"istio_dry_run_deny_shadow_": "DENY", "istio_dry_run_allow_shadow_": "ALLOW"}


class Decision(Value):
    """One decision about one call or connection.

    ``at`` is seconds since the epoch, when the call came. ``action`` is the policy's: DENY, ALLOW (no policy that
    allows did), AUDIT, CUSTOM, or TOKEN (a token was refused). ``policy`` is ``<namespace>/<name>`` and ``rule`` the
    number of its rule, both empty where nothing matched; ``detail`` is Envoy's word for it. ``dry_run``: it would have
    been refused. ``source`` is the SPIFFE ID of the caller, empty without a certificate. Calls have a ``method``.
    Queries of paths are left out, they may hold secrets.
    """

    at: float
    proxy: str
    reporter: Identity
    action: str
    source: str = ""
    address: str = ""
    method: str = ""
    authority: str = ""
    path: str = ""
    policy: str = ""
    rule: str = ""
    detail: str = ""
    code: int = 0
    dry_run: bool = False


OnDecisions = Callable[[tuple[Decision, ...]], None]


class Decisions:
    """Reads the log and hands on what is in it; more than a proxy's share is dropped and counted."""

    def __init__(self, clock: Clock, on_decisions: OnDecisions) -> None:
        self._on_decisions = on_decisions
        self._rates = Rates(clock, per_second=_PER_SECOND, burst=_BURST)
        self.told = 0
        self.dropped = 0

    def read(self, reporter: Reporter, message: StreamAccessLogsMessage) -> None:
        """Take the entries of one message."""
        found = tuple(decisions_of(reporter, message))
        kept = tuple(one for one in found if self._rates.allows(reporter.proxy))
        self.told += len(kept)
        self.dropped += len(found) - len(kept)
        if kept:
            self._on_decisions(kept)


def decisions_of(reporter: Reporter, message: StreamAccessLogsMessage) -> Iterator[Decision]:
    """Every decision in a message; an entry may hold several."""
    for request in message.http_logs.log_entry:
        yield from _of(reporter, request.common_properties, _HTTP, request)
    for connection in message.tcp_logs.log_entry:
        yield from _of(reporter, connection.common_properties, _TCP, None)


class _Told(Value):
    """What was decided, before who called what is added."""

    action: str
    policy: str
    dry_run: bool = False


def _of(
    reporter: Reporter, common: AccessLogCommon, namespace: str, request: HTTPAccessLogEntry | None
) -> Iterator[Decision]:
    details = request.response.response_code_details if request is not None else ""
    details = details or common.connection_termination_details
    for told in _told(common, namespace, details):
        place, rule = _named(told.policy)
        found = Decision(
            at=common.start_time.seconds + common.start_time.nanos / 1e9,
            proxy=reporter.proxy,
            reporter=reporter.identity,
            action=told.action,
            source=_source(common),
            address=common.downstream_direct_remote_address.socket_address.address,
            policy=place,
            rule=rule,
            detail=(told.policy or details)[:_LONGEST],
            dry_run=told.dry_run,
        )
        yield found if request is None else _requested(found, request)


def _requested(decision: Decision, entry: HTTPAccessLogEntry) -> Decision:
    """With what the request was."""
    asked = entry.request
    return replace(
        decision,
        method=RequestMethod.Name(asked.request_method) if asked.request_method else "",
        authority=asked.authority[:_LONGEST],
        path=asked.path.partition("?")[0][:_LONGEST],
        code=entry.response.response_code.value,
    )


def _told(common: AccessLogCommon, namespace: str, details: str) -> Iterator[_Told]:
    metadata = common.metadata.filter_metadata
    notes = metadata[namespace] if namespace in metadata else Struct()
    if _COMMON in metadata and metadata[_COMMON].fields["access_log_hint"].bool_value:
        yield _Told(action="AUDIT", policy=_text(notes, "weft_audit_enforced_effective_policy_id"))
    for prefix, action in _DRY_RUNS.items():
        if _text(notes, f"{prefix}engine_result") == "denied":
            yield _Told(action=action, policy=_text(notes, f"{prefix}effective_policy_id"), dry_run=True)
    matched = _DETAILS.search(details)
    if matched is not None or _text(notes, "enforced_engine_result") == "denied":
        policy = matched[1] if matched else _text(notes, "enforced_effective_policy_id")
        yield _Told(action=_action(policy), policy=policy)
    elif details.startswith("ext_authz"):
        yield _Told(action="CUSTOM", policy=_text(notes, "istio_ext_authz_shadow_effective_policy_id"))
    elif details.startswith("jwt_authn"):
        yield _Told(action="TOKEN", policy="")


def _action(policy: str) -> str:
    """What denied: a policy that was named, or none of those that allow."""
    if _ASKED.match(policy):
        return "CUSTOM"
    return "ALLOW" if policy in ("", "none", "no-allow-policy-matches") else "DENY"


def _named(policy: str) -> tuple[str, str]:
    """``namespace/name`` and the number of the rule."""
    found = _POLICY.search(policy)
    return (f"{found[1]}/{found[2]}", found[3]) if found else ("", "")


def _source(common: AccessLogCommon) -> str:
    names = common.tls_properties.peer_certificate_properties.subject_alt_name
    return next((name.uri for name in names if name.uri), "")


def _text(notes: Struct, key: str) -> str:
    return notes.fields[key].string_value if key in notes.fields else ""
