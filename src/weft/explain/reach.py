"""Who may call whom: a question in the words of users, put to the guards of every workload that would answer."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from weft.explain.access import Outcome, Verdict, verdict_of
from weft.explain.paths import ESCAPED_SLASH, without_dots, without_doubles, without_escapes
from weft.explain.question import Question
from weft.kit.errors import UserError
from weft.kit.value import Value, first, includes
from weft.model.authorization import AccessPolicy, Attribute
from weft.model.identity import Identity
from weft.model.mesh import Mesh
from weft.model.security import MtlsMode
from weft.model.service import Port, Service
from weft.model.settings import PathNormalization
from weft.model.workload import Workload
from weft.view.access import Guards
from weft.view.access_policies import guards_of
from weft.view.index import index_of
from weft.view.node import Node

NOBODY = "-"
_PLAIN = "(no certificate)"
_CLAIMS = 'write them as {"iss": "...", "sub": "..."}'
_REFUSED = "400: its escaped slashes can be read in two ways, and a policy reads paths"


class Wanted(Value):
    """A request. ``caller`` and ``callee`` are services or workloads, perhaps with ``.namespace``; the callee may have
    ``:port``; a caller may also be an identity, or ``-`` for one without a certificate. ``claims`` is the JSON of a
    token's payload, "" without a token. ``unknown`` and ``supposed`` as in ``Question``.
    """

    caller: str
    callee: str
    method: str = "GET"
    path: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    claims: str = ""
    source_ip: str = "127.0.0.1"
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
    name, port = _parted(wanted.callee)
    caller = _identity(mesh, wanted)
    found = tuple(_answers(mesh, name, port, wanted))
    if not found:
        raise UserError(f"nothing in the mesh answers for {wanted.callee}", help="name a service or a workload")
    return tuple(_asked(mesh, workload, number, bytes_only, caller, wanted) for workload, number, bytes_only in found)


def _parted(callee: str) -> tuple[str, int | None]:
    name, colon, port = callee.rpartition(":")
    return (name, int(port)) if colon and port.isdecimal() else (callee, None)


def _named(name: str, namespace: str) -> tuple[str, str]:
    """A name and its namespace."""
    own, dot, rest = name.partition(".")
    return (own, rest.partition(".")[0]) if dot else (name, namespace)


def _identity(mesh: Mesh, wanted: Wanted) -> str:
    """The caller's identity without ``spiffe://``, "" for none."""
    if wanted.caller == NOBODY:
        return ""
    if "/" in wanted.caller:
        return wanted.caller.removeprefix("spiffe://")
    caller = first(workload for workload, _, _ in _answers(mesh, wanted.caller, None, wanted))
    if caller is None:
        raise UserError(
            f"nothing in the mesh is called {wanted.caller}",
            help="name a service, a workload, an identity such as cluster.local/ns/shop/sa/web, or -",
        )
    domain = mesh.settings.trust_domain
    identity = Identity(trust_domain=domain, namespace=caller.namespace, account=caller.account or "default")
    return identity.uri.removeprefix("spiffe://")


def _answers(mesh: Mesh, name: str, port: int | None, wanted: Wanted) -> Iterator[tuple[Workload, int, bool]]:
    """Workloads by their service or by their own name, each with the number of its port and whether that is bytes."""
    own, namespace = _named(name, wanted.namespace)
    services = [one for one in mesh.services.values() if _is(one, name, own, namespace)]
    for service in services:
        chosen = first(one for one in service.ports if port in (None, one.number))
        if chosen is not None:
            supply = index_of(mesh).supply_of(service)
            yield from ((one, _target(chosen, one), not chosen.protocol.is_http) for one in supply.workloads)
    if services:
        return
    for workload in mesh.workloads:
        if workload.name in (own, name) and workload.namespace == namespace:
            yield (workload, *_port_of(mesh, workload, port))


def _is(service: Service, name: str, own: str, namespace: str) -> bool:
    return service.host == name or (service.name == own and service.namespace == namespace)


def _target(port: Port, workload: Workload) -> int:
    named = dict(workload.ports).get(port.name)
    return named or (port.target if isinstance(port.target, int) else port.number)


def _port_of(mesh: Mesh, workload: Workload, port: int | None) -> tuple[int, bool]:
    """The port that is named, or the first that a service leads to."""
    for service in mesh.services.values():
        if service.namespace == workload.namespace and service.selector is not None:
            for one in service.ports if includes(workload.labels, service.selector) else ():
                if port in (None, one.number, _target(one, workload)):
                    return _target(one, workload), not one.protocol.is_http
    return port or 80, False


def _asked(mesh: Mesh, workload: Workload, port: int, bytes_only: bool, caller: str, wanted: Wanted) -> Reached:
    mode = index_of(mesh).peers_of(workload.namespace).mode_of(workload.labels, (port,))
    proven = "" if mode is MtlsMode.DISABLE or not workload.meshed else caller
    name = f"{workload.name}.{workload.namespace}"
    told = caller or _PLAIN
    if not workload.meshed:
        verdict = Verdict(outcome=Outcome.ALLOWED, why="it has no sidecar, so no policy holds")
    elif mode is MtlsMode.STRICT and not caller:
        verdict = Verdict(outcome=Outcome.DENIED, why="its port takes no connection without a certificate (STRICT)")
    else:
        guards = guards_of(mesh, node_of(mesh, workload))
        verdict = _verdict(mesh, guards, _question(mesh, guards, port, bytes_only, proven, wanted))
    return Reached(workload=name, port=port, caller=told, verdict=verdict)


def node_of(mesh: Mesh, workload: Workload) -> Node:
    domain = mesh.settings.trust_domain
    return Node(
        id=f"{workload.name}.{workload.namespace}",
        namespace=workload.namespace,
        workload=workload.name,
        identity=Identity(trust_domain=domain, namespace=workload.namespace, account=workload.account or "default"),
        labels=workload.labels,
    )


def _verdict(mesh: Mesh, guards: Guards, question: Question) -> Verdict:
    if _merges(mesh, guards) and not question.bytes_only and ESCAPED_SLASH.search(question.path.partition("?")[0]):
        return Verdict(outcome=Outcome.DENIED, why=_REFUSED)
    return verdict_of(guards, question, merges_slashes=_merges(mesh, guards))


def _merges(mesh: Mesh, guards: Guards) -> bool:
    return guards.hardened and mesh.settings.paths is None and guards.reads(Attribute.PATH)


def _question(mesh: Mesh, guards: Guards, port: int, bytes_only: bool, caller: str, wanted: Wanted) -> Question:
    headers = tuple((name.lower(), value) for name, value in wanted.headers)
    host = first(value for name, value in headers if name == "host")
    return Question(
        caller=caller,
        source_ip=wanted.source_ip,
        remote_ip=wanted.source_ip,
        ports=(port,),
        bytes_only=bytes_only,
        method=wanted.method,
        path=_normal(wanted.path, mesh.settings.paths, merges=_merges(mesh, guards)),
        host=_parted(wanted.callee)[0] if host is None else host,
        headers=headers,
        claims=_claims(wanted.claims),
        unknown=wanted.unknown,
        supposed=wanted.supposed,
    )


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
