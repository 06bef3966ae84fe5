"""Weft's own questions, beside the Kubernetes protocol: sidecars, what they were sent, explanations, tokens, findings.

Under ``/weft/v1/``, JSON in and out. What answers them is handed in; ``build_api`` authenticates.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from weft.api.errors import ApiError, bad_request
from weft.compiler.resource import CLUSTER, ENDPOINTS, LISTENER, ROUTES, Resources
from weft.explain.call import parse_call
from weft.explain.dump import dump_of, messages_of
from weft.explain.walk import explain
from weft.kit.clock import Clock
from weft.kit.errors import UserError
from weft.kit.latest import Latest
from weft.kit.value import Value
from weft.model.mesh import Mesh
from weft.xds.fleet import Fleet, ProxyStatus
from weft.xds.status import SyncState, TypeStatus

_SETTLE_SECONDS = 5.0
_MAX_BODY = 64 * 1024
_MAX_TTL = 7 * 86_400.0
_NAMES = {CLUSTER: "clusters", ENDPOINTS: "endpoints", LISTENER: "listeners", ROUTES: "routes"}
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


class Tokens(Protocol):
    """What hands out join tokens."""

    async def create(self, namespace: str, account: str, ttl: float) -> str:
        """A new token, told once."""
        ...

    async def waiting(self) -> Sequence[JoinToken]:
        """Those that were not used yet."""
        ...

    async def revoke(self, token_id: str) -> bool:
        """Make a token useless; whether there was one."""
        ...


class Certificate(Value):
    """A certificate of the control plane's own. ``expires`` is seconds since the epoch."""

    name: str
    expires: float


class Insight(Value):
    """What answers the questions."""

    fleet: Fleet
    latest: Latest[Mesh]
    tokens: Tokens
    certificates: Callable[[], tuple[Certificate, ...]]
    clock: Clock
    version: str


class _TokenWanted(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    namespace: str
    service_account: str
    ttl_seconds: float = 600.0


class _CallWanted(msgspec.Struct, forbid_unknown_fields=True):
    caller: str = msgspec.field(name="from")
    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()


def weft_routes(insight: Insight) -> list[BaseRoute]:
    """The routes, for ``build_api``'s ``extra_routes``."""
    questions = _Questions(insight)
    table: list[tuple[str, str, _Handler]] = [
        ("GET", "/proxies", questions.proxies),
        ("GET", "/proxies/{name}/config/{kind}", questions.config),
        ("POST", "/explain", questions.explain),
        ("GET", "/tokens", questions.tokens),
        ("POST", "/tokens", questions.create_token),
        ("DELETE", "/tokens/{id}", questions.revoke_token),
        ("GET", "/findings", questions.findings),
        ("GET", "/status", questions.status),
    ]
    return [Route(f"/weft/v1{path}", _answering(handler), methods=[method]) for method, path, handler in table]


_Handler = Callable[[Request], Awaitable[Any]]


def _answering(handler: _Handler) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            content = await handler(request)
        except ApiError as error:
            return _json(error.status(), error.code)
        except UserError as error:
            help_ = f" (help: {error.help})" if error.help else ""
            return _json(bad_request(f"{error.message}{help_}").status(), 400)
        return _json(content)

    return answer


def _json(content: Any, code: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status_code=code, media_type="application/json")


class _Questions:
    """The answers."""

    def __init__(self, insight: Insight) -> None:
        self._insight = insight

    async def proxies(self, _: Request) -> Any:
        """Every connected sidecar."""
        now = self._insight.clock.now()
        return {"items": [_proxy_json(one, now) for one in self._insight.fleet.proxies()]}

    async def config(self, request: Request) -> Any:
        """One type of what a sidecar was sent."""
        name, kind = request.path_params["name"], request.path_params["kind"]
        if kind not in _NAMES.values():
            raise bad_request(f"there is no {kind}, only {', '.join(_NAMES.values())}")
        resources = self._resources(name)
        dump = dump_of(resources, kind)
        return {"columns": dump.columns, "rows": dump.rows, "resources": messages_of(resources, kind)}

    async def explain(self, request: Request) -> Any:
        """An imagined call from a sidecar."""
        wanted = await _body(request, _CallWanted)
        call = parse_call(wanted.method, wanted.url, wanted.headers)
        proxy = caller_of(self._insight.fleet.proxies(), wanted.caller)
        if proxy is None:
            raise _missing(f"no sidecar of {wanted.caller} is connected")
        return {"proxy": proxy, **msgspec.to_builtins(explain(self._resources(proxy), call))}

    async def tokens(self, _: Request) -> Any:
        """The join tokens that wait."""
        now = self._insight.clock.now()
        waiting = await self._insight.tokens.waiting()
        return {"items": [_token_json(token, now) for token in waiting]}

    async def create_token(self, request: Request) -> Any:
        """A new join token."""
        wanted = await _body(request, _TokenWanted)
        if not 0 < wanted.ttl_seconds <= _MAX_TTL:
            raise bad_request("a join token lives for more than no time and at most 7 days")
        token = await self._insight.tokens.create(wanted.namespace, wanted.service_account, wanted.ttl_seconds)
        return {"token": token}

    async def revoke_token(self, request: Request) -> Any:
        """One token less."""
        token_id = request.path_params["id"]
        if not await self._insight.tokens.revoke(token_id):
            raise _missing(f"there is no join token {token_id}")
        return {}

    async def findings(self, request: Request) -> Any:
        """What is wrong with the documents, as of ``revision`` at least (waits a little for it)."""
        wanted = request.query_params.get("revision", "0")
        if not wanted.isdecimal():
            raise bad_request("revision must be a number")
        mesh = await self._mesh(int(wanted))
        return {"revision": mesh.revision, "findings": msgspec.to_builtins(mesh.findings)}

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
            "certificates": [
                {"name": one.name, "expiresIn": one.expires - now} for one in self._insight.certificates()
            ],
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

    def _resources(self, name: str) -> Resources:
        resources = self._insight.fleet.resources(name)
        if resources is None:
            raise _missing(f"no sidecar {name} is connected")
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


def _proxy_json(proxy: ProxyStatus, now: float) -> dict[str, Any]:
    types = {_NAMES[one.type_url]: _type_json(one) for one in proxy.types if one.type_url in _NAMES}
    return {
        "name": proxy.name,
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
    }


def _missing(message: str) -> ApiError:
    return ApiError(404, "NotFound", message)


async def _body(request: Request, kind: type[_B]) -> _B:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > _MAX_BODY:
            raise bad_request("the request is too large")
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.MsgspecError as error:
        raise bad_request(str(error)) from None
