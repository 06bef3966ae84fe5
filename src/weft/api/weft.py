"""Weft's own questions, beside the Kubernetes protocol: sidecars, what they were sent, explanations, tokens, findings.

Under ``/weft/v1/``, JSON in and out. What answers them is handed in; ``build_api`` authenticates. What is of a
namespace is authorised as a resource of the group ``weft.dev`` in it (proxies, explanations, findings, jointokens), and
lists show what may be read; every other path needs a role that allows its path.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

import msgspec
from starlette.requests import Request
from starlette.routing import BaseRoute

from weft.api.authorizer import Authorizer, Judge
from weft.api.errors import ApiError, bad_request
from weft.api.gate import subject_of
from weft.api.permissions import Ask
from weft.api.questions import Row, body_of, by_path, missing, namespace_of, own, routes_of
from weft.api.selectors import parse_selector
from weft.api.weft_ca import ending_json
from weft.ca.ending import Ending
from weft.compiler.resource import CLUSTER, ENDPOINTS, EXTENSION, LISTENER, ROUTES, Resources
from weft.explain.call import parse_call
from weft.explain.causes import caused
from weft.explain.dump import dump_of, messages_of
from weft.explain.guarded import with_access
from weft.explain.uncalled import with_uncalled
from weft.explain.walk import explain
from weft.health.proxies import absent
from weft.kit.clock import Clock
from weft.kit.latest import Latest
from weft.kit.value import Value
from weft.model.finding import Finding
from weft.model.mesh import Mesh
from weft.view.node import Node
from weft.xds.fleet import Fleet, ProxyStatus
from weft.xds.status import SyncState, TypeStatus

_SETTLE_SECONDS = 5.0
_MAX_BODY = 64 * 1024
_MAX_TTL = 7 * 86_400.0
_NAMES = {
    CLUSTER: "clusters",
    ENDPOINTS: "endpoints",
    LISTENER: "listeners",
    ROUTES: "routes",
    EXTENSION: "extensions",
}
_B = TypeVar("_B")


class JoinToken(Protocol):
    """A join token that waits to be used; ``id`` is no secret. ``expires`` is seconds since the epoch."""

    @property
    def id(self) -> str: ...

    @property
    def namespace(self) -> str: ...

    @property
    def account(self) -> str: ...

    @property
    def expires(self) -> float: ...

    @property
    def host(self) -> str: ...


class Tokens(Protocol):
    """What hands out join tokens."""

    async def create(self, namespace: str, account: str, ttl: float, host: str) -> str:
        """A new token, told once; ``host`` is where it may be used, "" for anywhere."""
        ...

    async def waiting(self) -> Sequence[JoinToken]:
        """Those that were not used yet."""
        ...

    async def revoke(self, token_id: str) -> bool:
        """Make a token useless; whether there was one."""
        ...


class Insight(Value):
    """What answers the questions."""

    fleet: Fleet
    latest: Latest[Mesh]
    node: Callable[[str], Node | None]
    tokens: Tokens
    authorizer: Authorizer
    certificates: Callable[[], tuple[Ending, ...]]
    clock: Clock
    version: str
    troubles: Callable[[], tuple[str, ...]] = tuple


class _TokenWanted(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    namespace: str
    service_account: str
    ttl_seconds: float = 600.0
    host: str = ""


class _CallWanted(msgspec.Struct, forbid_unknown_fields=True):
    caller: str = msgspec.field(name="from")
    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()


def weft_routes(insight: Insight) -> list[BaseRoute]:
    """The routes, for ``build_api``'s ``extra_routes``."""
    questions = _Questions(insight)
    of_namespaces: list[Row] = [
        ("GET", "/proxies", questions.proxies),
        ("GET", "/proxies/{name}/config/{kind}", questions.config),
        ("POST", "/explain", questions.explain),
        ("GET", "/tokens", questions.tokens),
        ("POST", "/tokens", questions.create_token),
        ("DELETE", "/tokens/{id}", questions.revoke_token),
        ("GET", "/findings", questions.findings),
    ]
    of_paths: list[Row] = [
        ("GET", "/status", questions.status),
    ]
    guarded = [(method, path, by_path(insight.authorizer, handler)) for method, path, handler in of_paths]
    return routes_of((*of_namespaces, *guarded))


class _Questions:
    """The answers."""

    def __init__(self, insight: Insight) -> None:
        self._insight = insight

    async def proxies(self, request: Request) -> Any:
        """Every connected sidecar of the namespaces that the caller may look into."""
        now = self._insight.clock.now()
        may = await self._judge(request)
        shown = (p for p in self._insight.fleet.proxies() if may(own("list", "proxies", p.identity.namespace)))
        nodes = ((one, self._insight.node(one.name)) for one in shown)
        wanted = parse_selector(request.query_params.get("labelSelector", ""), "")
        items = ((one, dict(node.labels) if node else {}) for one, node in nodes)
        namespace = request.query_params.get("namespace", "")
        missing = absent(self._insight.latest.value, self._insight.fleet.proxies())
        return {
            "absent": [
                {"name": f"{one.name}.{one.namespace}", "namespace": one.namespace}
                for one in missing
                if may(own("list", "proxies", one.namespace))
                and wanted.accepts_labels(dict(one.labels))
                and namespace in ("", one.namespace)
            ],
            "items": [
                _proxy_json(one, labels, now)
                for one, labels in items
                if wanted.accepts_labels(labels) and namespace in ("", one.identity.namespace)
            ],
        }

    async def config(self, request: Request) -> Any:
        """One type of what a sidecar was sent."""
        name, kind = request.path_params["name"], request.path_params["kind"]
        if kind not in _NAMES.values():
            raise bad_request(f"there is no {kind}, only {', '.join(_NAMES.values())}")
        await self._require(request, own("get", "proxies", namespace_of(name), name))
        resources = self._resources(name)
        dump = dump_of(resources, kind)
        return {"columns": dump.columns, "rows": dump.rows, "resources": messages_of(resources, kind)}

    async def explain(self, request: Request) -> Any:
        """An imagined call from a sidecar."""
        wanted = await body_of(request, _CallWanted)
        call = parse_call(wanted.method, wanted.url, wanted.headers)
        may = await self._judge(request)
        known = [p for p in self._insight.fleet.proxies() if may(own("create", "explanations", p.identity.namespace))]
        proxy = caller_of(known, wanted.caller)
        if proxy is None:
            raise missing(f"no sidecar of {wanted.caller} is connected")
        said, mesh = explain(self._resources(proxy), call, self._peers(known)), self._insight.latest.value
        if mesh is not None:
            identity = next(one.identity for one in known if one.name == proxy)
            said = with_access(said, mesh, identity, call)
            node = self._insight.node(proxy)
            if node is not None:
                said = with_uncalled(await asyncio.to_thread(caused, said, mesh, node), mesh, node)
        return {"proxy": proxy, **msgspec.to_builtins(said)}

    async def tokens(self, request: Request) -> Any:
        """The join tokens that wait, of the namespaces whose tokens the caller may list."""
        now = self._insight.clock.now()
        may = await self._judge(request)
        waiting = await self._insight.tokens.waiting()
        return {"items": [_token_json(t, now) for t in waiting if may(own("list", "jointokens", t.namespace))]}

    async def create_token(self, request: Request) -> Any:
        """A new join token."""
        wanted = await body_of(request, _TokenWanted)
        if not 0 < wanted.ttl_seconds <= _MAX_TTL:
            raise bad_request("a join token lives for more than no time and at most 7 days")
        await self._require(request, own("create", "jointokens", wanted.namespace))
        about = (wanted.namespace, wanted.service_account, wanted.ttl_seconds, wanted.host)
        token = await self._insight.tokens.create(*about)
        return {"token": token}

    async def revoke_token(self, request: Request) -> Any:
        """One token less."""
        token_id = request.path_params["id"]
        may = await self._judge(request)
        known = {token.id: token.namespace for token in await self._insight.tokens.waiting()}
        allowed = token_id in known and may(own("delete", "jointokens", known[token_id]))
        if not allowed or not await self._insight.tokens.revoke(token_id):
            raise missing(f"there is no join token {token_id}")
        return {}

    async def findings(self, request: Request) -> Any:
        """What is wrong with the documents, as of ``revision`` at least (waits a little for it)."""
        wanted = request.query_params.get("revision", "0")
        if not wanted.isdecimal():
            raise bad_request("revision must be a number")
        may = await self._judge(request)
        mesh = await self._mesh(int(wanted))
        shown = [one for one in mesh.findings if may(own("list", "findings", _place_of(one)))]
        return {"revision": mesh.revision, "findings": msgspec.to_builtins(shown)}

    async def _judge(self, request: Request) -> Judge:
        return await self._insight.authorizer.judge(subject_of(request))

    async def _require(self, request: Request, ask: Ask) -> None:
        request.state.ask = ask
        await self._insight.authorizer.require(subject_of(request), ask)

    async def status(self, _: Request) -> Any:
        """The control plane itself."""
        mesh = self._insight.latest.value
        now = self._insight.clock.now()
        return {
            "version": self._insight.version,
            "ready": mesh is not None,
            "revision": mesh.revision if mesh else 0,
            "trustDomain": mesh.settings.trust_domain if mesh else "",
            "services": len(mesh.services) if mesh else 0,
            "workloads": len(mesh.workloads) if mesh else 0,
            "proxies": len(self._insight.fleet.proxies()),
            "certificates": [ending_json(one, now) for one in self._insight.certificates()],
            "troubles": self._insight.troubles(),
        }

    async def _mesh(self, revision: int) -> Mesh:
        try:
            async with asyncio.timeout(_SETTLE_SECONDS):
                async for mesh in self._insight.latest:
                    if mesh.revision >= revision:
                        return mesh
        except TimeoutError:
            pass
        newest = self._insight.latest.value
        raise ApiError(504, "Timeout", f"revision {revision} is not reached, only {newest.revision if newest else 0}")

    def _peers(self, known: Iterable[ProxyStatus]) -> Iterator[Resources]:
        """What the proxies were offered, as far as the caller may look."""
        found = (self._insight.fleet.resources(proxy.name) for proxy in known)
        return (one for one in found if one is not None)

    def _resources(self, name: str) -> Resources:
        resources = self._insight.fleet.resources(name)
        if resources is None:
            raise missing(f"no sidecar {name} is connected")
        return resources


def caller_of(proxies: Sequence[ProxyStatus], caller: str) -> str | None:
    """The sidecar that a user means: by full name, workload, account, or the beginning of the name; the first by name.

    ``caller`` may end in ``.namespace``.
    """
    ways: tuple[Callable[[ProxyStatus], bool], ...] = (
        lambda proxy: proxy.name == caller,
        lambda proxy: proxy.name.rpartition(".")[0] == caller,
        lambda proxy: caller in (proxy.identity.account, f"{proxy.identity.account}.{proxy.identity.namespace}"),
        lambda proxy: proxy.name.startswith(f"{caller}-"),
        lambda proxy: proxy.name.startswith(caller),
    )
    found = (proxy.name for way in ways for proxy in proxies if way(proxy))
    return next(found, None)


def _proxy_json(proxy: ProxyStatus, labels: dict[str, str], now: float) -> dict[str, Any]:
    types = {_NAMES[one.type_url]: _type_json(one) for one in proxy.types if one.type_url in _NAMES}
    return {
        "name": proxy.name,
        "namespace": proxy.identity.namespace,
        "labels": labels,
        "identity": proxy.identity.uri,
        "state": _overall(proxy),
        "connectedSeconds": round(now - proxy.connected_at, 1),
        "types": types,
        "findings": msgspec.to_builtins(proxy.findings),
    }


def _overall(proxy: ProxyStatus) -> str:
    """The worst of a proxy's types."""
    states = {one.state for one in proxy.types}
    for state in (SyncState.NACK, SyncState.STALE, SyncState.NOT_SENT):
        if state in states:
            return str(state.value)
    return str(SyncState.SYNCED.value if states else SyncState.NOT_SENT.value)


def _type_json(one: TypeStatus) -> dict[str, str]:
    versions = {"sentVersion": one.sent_version, "ackedVersion": one.acked_version}
    return {"state": one.state.value, "message": one.error, **versions}


def _token_json(token: JoinToken, now: float) -> dict[str, Any]:
    return {
        "id": token.id,
        "namespace": token.namespace,
        "serviceAccount": token.account,
        "expiresIn": token.expires - now,
        "host": token.host,
    }


def _place_of(finding: Finding) -> str:
    return finding.document.namespace if finding.document else ""
