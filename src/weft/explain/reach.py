"""Who may call whom: a question in the words of users, put to the guards of every workload that would answer."""

import json
import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from weft.explain.access import Outcome, Verdict, verdict_of
from weft.explain.arrivals import Arrival, arrivals, node_of, parted, told_arrivals, workload_of
from weft.explain.paths import ESCAPED_SLASH, without_dots, without_doubles, without_escapes
from weft.explain.question import Question
from weft.kit.errors import UserError
from weft.kit.value import Value, first
from weft.model.authorization import AccessPolicy, Attribute
from weft.model.identity import Identity
from weft.model.mesh import Mesh
from weft.model.security import MtlsMode
from weft.model.settings import PathNormalization
from weft.model.workload import Workload
from weft.view.access import Guards
from weft.view.access_policies import guards_of
from weft.view.index import index_of

NOBODY = "-"
_PLAIN = "(no certificate)"
_CLAIMS = 'write them as {"iss": "...", "sub": "..."}'
_REFUSED = "400: its escaped slashes can be read in two ways, and a policy reads paths"
_REFUSED_AT_EDGE = "400: its escaped slashes can be read in two ways"
_NO_TOKEN = "401: a RequestAuthentication wants a token"
_TRAILING_DOT = re.compile(r"\.(?=(:\d*)?$)")
TOKENS = frozenset({Attribute.REQUEST_PRINCIPAL, Attribute.AUDIENCE, Attribute.PRESENTER, Attribute.CLAIM})
"""What a token tells. Where no RequestAuthentication takes one, nothing is ever told."""


class Wanted(Value):
    """A request. ``caller`` and ``callee`` are services or workloads, perhaps with ``.namespace``; the callee may have
    ``:port``; a caller may also be an identity, or ``-`` for one without a certificate. ``claims`` is the JSON of a
    token's payload, "" without a token. ``source_ip`` is who connects, ``remote_ip`` ("": the same) whom proxies before
    name, ``own_ip`` ("": the workload's) the address that is called. ``unknown`` and ``supposed`` as in ``Question``.

    Of a call that a proxy told of, ``told_bytes`` says whether there were bytes only, and the callee is that proxy,
    with the port in its words.
    """

    caller: str
    callee: str
    method: str = "GET"
    path: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    claims: str = ""
    source_ip: str = "127.0.0.1"
    remote_ip: str = ""
    own_ip: str = ""
    server_name: str = ""
    told_bytes: bool | None = None
    namespace: str = "default"
    unknown: frozenset[Attribute] = frozenset()
    supposed: frozenset[AccessPolicy] = frozenset()


class Reached(Value):
    """What one workload says."""

    workload: str
    port: int
    caller: str
    verdict: Verdict


def reached(mesh: Mesh, wanted: Wanted) -> tuple[Reached, ...]:
    """The verdict of every workload that would answer. Raises ``UserError`` for names that nothing has."""
    caller = _identity(mesh, wanted)
    if wanted.told_bytes is None:
        found = tuple(arrivals(mesh, wanted.callee, wanted.namespace, wanted.server_name or _host(wanted) or ""))
    else:
        found = tuple(told_arrivals(mesh, wanted.callee, bytes_only=wanted.told_bytes))
    if not found:
        raise UserError(f"nothing in the mesh answers for {wanted.callee}", help="name a service or a workload")
    return tuple(_asked(mesh, arrival, caller, wanted) for arrival in found)


def _identity(mesh: Mesh, wanted: Wanted) -> str:
    """The caller's identity without ``spiffe://``, "" for none."""
    if wanted.caller == NOBODY:
        return ""
    if "/" in wanted.caller:
        return wanted.caller.removeprefix("spiffe://")
    caller = workload_of(mesh, wanted.caller, wanted.namespace)
    if caller is None:
        raise UserError(
            f"nothing in the mesh is called {wanted.caller}",
            help="name a service, a workload, an identity such as cluster.local/ns/shop/sa/web, or -",
        )
    domain = mesh.settings.trust_domain
    identity = Identity(trust_domain=domain, namespace=caller.namespace, account=caller.account or "default")
    return identity.uri.removeprefix("spiffe://")


def _asked(mesh: Mesh, arrival: Arrival, caller: str, wanted: Wanted) -> Reached:
    workload = arrival.workload
    verdict = (_at_edge if arrival.edge else _at_workload)(mesh, arrival, caller, wanted)
    name = f"{workload.name}.{workload.namespace}"
    return Reached(workload=name, port=arrival.port, caller=caller or _PLAIN, verdict=verdict)


def _at_workload(mesh: Mesh, arrival: Arrival, caller: str, wanted: Wanted) -> Verdict:
    workload = arrival.workload
    mode = index_of(mesh).peers_of(workload.namespace).mode_of(workload.labels, (arrival.port,))
    if not workload.meshed:
        return Verdict(outcome=Outcome.ALLOWED, why="it has no sidecar, so no policy holds")
    if mode is MtlsMode.STRICT and not caller:
        return Verdict(outcome=Outcome.DENIED, why="its port takes no connection without a certificate (STRICT)")
    return _judged(mesh, arrival, "" if mode is MtlsMode.DISABLE else caller, wanted)


def _at_edge(mesh: Mesh, arrival: Arrival, caller: str, wanted: Wanted) -> Verdict:
    """At a gateway a client proves who it is only where it is asked for a certificate."""
    if arrival.demands and not caller:
        return Verdict(outcome=Outcome.DENIED, why="its port takes no connection without a certificate")
    return _judged(mesh, arrival, caller if arrival.asks else "", wanted)


def _judged(mesh: Mesh, arrival: Arrival, caller: str, wanted: Wanted) -> Verdict:
    guards = guards_of(mesh, node_of(mesh, arrival.workload))
    question = _question(mesh, guards, arrival, caller, wanted)
    merges = _merges(mesh, guards, arrival)
    path = question.path.partition("?")[0]
    if merges and not question.bytes_only and ESCAPED_SLASH.search(path):
        return Verdict(outcome=Outcome.DENIED, why=_REFUSED_AT_EDGE if arrival.edge else _REFUSED)
    if needs_token(guards, question):
        return Verdict(outcome=Outcome.DENIED, why=_NO_TOKEN)
    return verdict_of(guards, question, merges_slashes=merges)


def needs_token(guards: Guards, question: Question) -> bool:
    """Whether a request is refused because it has no token; of one whose token nobody knows that is not said."""
    if question.bytes_only or question.claims is not None or Attribute.CLAIM in question.unknown:
        return False
    return any(rule.required for rule in guards.tokens)


def _merges(mesh: Mesh, guards: Guards, arrival: Arrival) -> bool:
    """Whether paths come without doubled and escaped slashes: at gateways always, unless the mesh says otherwise."""
    if mesh.settings.paths is not None:
        return False
    return arrival.edge or (guards.hardened and guards.reads(Attribute.PATH))


def _question(mesh: Mesh, guards: Guards, arrival: Arrival, caller: str, wanted: Wanted) -> Question:
    named = _host(wanted)
    host = named if named is not None else "" if wanted.told_bytes is not None else parted(wanted.callee)[0]
    return Question(
        caller=caller,
        source_ip=wanted.source_ip,
        remote_ip=wanted.remote_ip or wanted.source_ip,
        own_ip=wanted.own_ip or _address(arrival.workload),
        ports=arrival.numbers,
        server_name=wanted.server_name,
        bytes_only=arrival.bytes_only,
        method=wanted.method,
        path=_normal(wanted.path, mesh.settings.paths, merges=_merges(mesh, guards, arrival)),
        host=_TRAILING_DOT.sub("", host) if arrival.edge else host,
        headers=tuple((name.lower(), value) for name, value in wanted.headers),
        claims=_claims(wanted.claims),
        unknown=wanted.unknown if guards.tokens else wanted.unknown - TOKENS,
        supposed=wanted.supposed,
    )


def _host(wanted: Wanted) -> str | None:
    return first(value for name, value in wanted.headers if name.lower() == "host")


def _address(workload: Workload) -> str:
    """Where a workload is called; of one that has a name, or a socket, nobody knows."""
    try:
        return str(ip_address(workload.address))
    except ValueError:
        return "127.0.0.1"


def _normal(path: str, paths: PathNormalization | None, *, merges: bool) -> str:
    """The path as the workload's proxy hands it to its policies."""
    if paths is PathNormalization.NONE:
        return path
    own, mark, query = path.partition("?")
    if paths is PathNormalization.DECODE_AND_MERGE_SLASHES:
        own = ESCAPED_SLASH.sub(lambda found: "/" if found[0][1] == "2" else "\\", own)
    own = without_dots(without_escapes(own).replace("\\", "/"))
    merged = merges or paths in (PathNormalization.MERGE_SLASHES, PathNormalization.DECODE_AND_MERGE_SLASHES)
    return (without_doubles(own) if merged else own) + mark + query


def _claims(text: str) -> Mapping[str, Any] | None:
    if not text:
        return None
    try:
        claims = json.loads(text)
    except (ValueError, RecursionError) as wrong:
        raise UserError(
            f"the claims are not JSON: {wrong}", help='write them as {"iss": "...", "sub": "..."}'
        ) from None
    if not isinstance(claims, dict):
        raise UserError("the claims are not a JSON object", help=_CLAIMS)
    return claims
