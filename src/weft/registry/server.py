"""The routes by which workloads register. Who the caller is comes from its certificate, never from the request."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from weft.kit.clock import Clock
from weft.kit.errors import WeftError
from weft.kit.rates import Rates
from weft.model.audit import AuditEntry, Auditor, Outcome
from weft.model.identity import Identity
from weft.registry.group import BadGroup
from weft.registry.registration import LARGEST, BadRegistration, check_name, parse_registration
from weft.registry.registry import NoRoom, NotYours, Registry
from weft.registry.rights import MayNot, Rights

Caller = Callable[[Any], Identity | None]
Also = Callable[[Identity, str], dict[str, Any]]
_Answer = Callable[[Request, Identity], Awaitable[Response]]


_TOLD_EVERY = 60.0
"""Seconds after which the same workload's refused heartbeats are written down again."""


def registry_routes(
    registry: Registry,
    caller: Caller,
    rights: Rights,
    clock: Clock,
    auditor: Auditor = lambda _: None,
    also: Also = lambda _, __: {},
) -> tuple[BaseRoute, ...]:
    """``PUT`` and ``DELETE /v1/workloads/{name}``, ``GET /v1/groups/{name}``.

    ``caller`` reads the peer's identity from an ASGI scope; ``rights`` decides what it may register, and ``auditor`` is
    told what it refused; ``also`` is what a workload is told beside its lease.
    """
    rates = Rates(clock, per_second=1 / _TOLD_EVERY, burst=1)

    async def put(request: Request, identity: Identity) -> Response:
        said = parse_registration(await _body(request))
        name = request.path_params["name"]
        check_name(name)
        source = request.client.host if request.client else ""
        try:
            await rights.require(name, said, identity, source)
            await registry.register(name, said, identity)
        except (MayNot, NoRoom) as refused:
            if rates.allows(f"{identity.uri} {name}"):
                auditor(_refused(identity, name, source, str(refused)))
            raise
        return JSONResponse({"lease_seconds": registry.lease_seconds, **also(identity, name)})

    async def delete(request: Request, identity: Identity) -> Response:
        await registry.deregister(request.path_params["name"], identity)
        return Response(status_code=204)

    async def group(request: Request, identity: Identity) -> Response:
        found = await registry.group(request.path_params["name"], identity)
        return JSONResponse({"probe": found.spec.probe, "annotations": found.spec.metadata.annotations})

    path = "/v1/workloads/{name}"
    return (
        Route("/v1/groups/{name}", _guarded(group, caller), methods=["GET"]),
        Route(path, _guarded(put, caller), methods=["PUT"]),
        Route(path, _guarded(delete, caller), methods=["DELETE"]),
    )


def _guarded(answer: _Answer, caller: Caller) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        identity = caller(request.scope)
        if identity is None:
            return _error(401, "certificate_required", "this needs a certificate of this mesh", "join first")
        try:
            return await answer(request, identity)
        except BadRegistration as bad:
            return _error(400, "bad_registration", str(bad), "mend the field and send the registration again")
        except MayNot as refused:
            return _error(403, "may_not", str(refused), refused.help)
        except NoRoom as full:
            return _error(
                403, "no_room", str(full), "remove what is not needed, or raise the namespace's ResourceQuota"
            )
        except BadGroup as bad:
            return _error(409, "bad_group", str(bad), "apply the group, or register without it")
        except NotYours:
            return _error(403, "not_yours", "a workload of that name is not yours", "choose another name")
        except WeftError:
            return _error(503, "unavailable", "the control plane cannot write now", "try again")

    return endpoint


def _refused(identity: Identity, name: str, source: str, problem: str) -> AuditEntry:
    return AuditEntry(
        verb="register",
        who=identity.uri,
        outcome=Outcome.DENIED,
        resource="workloads",
        namespace=identity.namespace,
        name=name,
        code=403,
        source=source,
        detail=problem,
    )


async def _body(request: Request) -> bytes:
    content = b""
    async for piece in request.stream():
        content += piece
        if len(content) > LARGEST:
            raise BadRegistration(f"the body is larger than {LARGEST} bytes")
    return content


def _error(status: int, code: str, message: str, help: str) -> Response:  # noqa: A002
    return JSONResponse({"error": {"code": code, "message": message, "help": help}}, status)
