"""The route by which a host that has joined lets its own workloads join: a token for an account, while it asks.

A host is a workload like others; which accounts of its namespace it may let join is said by roles, and asked each time.
A token is good for a minute, once, and from the address that asked.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from weft.kit.errors import UserError, WeftError
from weft.kit.value import Value
from weft.model.audit import AuditEntry, Auditor, Outcome
from weft.model.identity import Identity

TTL = 60.0
_LARGEST = 4096

Caller = Callable[[Any], Identity | None]
MayLetJoin = Callable[[Identity, str], Awaitable[bool]]
"""Whether a host may let an account of its own namespace join."""


class Tokens(Protocol):
    """What makes join tokens."""

    async def create(self, namespace: str, account: str, ttl: float, host: str) -> str:
        """A new one. Raises ``UserError``."""
        ...


class _Wanted(Value):
    account: str


def host_routes(tokens: Tokens, may: MayLetJoin, caller: Caller, auditor: Auditor) -> tuple[BaseRoute, ...]:
    """``POST /v1/hosts/tokens``, with a host's certificate."""

    async def create(request: Request) -> Response:
        host = caller(request.scope)
        if host is None:
            return _error(401, "certificate_required", "this needs a certificate of this mesh", "run: weft join")
        source = request.client.host if request.client else ""
        try:
            wanted = msgspec.json.decode(await _body(request), type=_Wanted)
            allowed = await may(host, wanted.account)
            auditor(_entry(host, wanted.account, source, allowed=allowed))
            if not allowed:
                return _error(403, "may_not", *_refusal(host, wanted.account))
            token = await tokens.create(host.namespace, wanted.account, TTL, source)
        except (msgspec.MsgspecError, UnicodeError) as wrong:
            return _error(400, "bad_request", f"this is no question for a token ({wrong})"[:300], "send an account")
        except UserError as wrong:
            return _error(400, "bad_account", wrong.message, wrong.help or "name another account")
        except WeftError:
            return _error(503, "unavailable", "the control plane cannot write now", "try again")
        return JSONResponse({"token": token, "namespace": host.namespace}, 201)

    return (Route("/v1/hosts/tokens", create, methods=["POST"]),)


def _refusal(host: Identity, account: str) -> tuple[str, str]:
    return (
        f"the host {host.account} may not let {account[:253]} of {host.namespace} join",
        f"weft token create -n {host.namespace} --service-account {host.account} --joins {account[:253]}",
    )


def _entry(host: Identity, account: str, source: str, *, allowed: bool) -> AuditEntry:
    return AuditEntry(
        verb="create",
        who=host.uri,
        outcome=Outcome.ALLOWED if allowed else Outcome.DENIED,
        resource="jointokens",
        namespace=host.namespace,
        name=account[:253],
        code=201 if allowed else 403,
        source=source,
        detail="for a workload of its own",
    )


async def _body(request: Request) -> bytes:
    content = b""
    async for piece in request.stream():
        content += piece
        if len(content) > _LARGEST:
            raise msgspec.MsgspecError("it is too large")
    return content


def _error(status: int, code: str, message: str, help: str) -> Response:  # noqa: A002
    return JSONResponse({"error": {"code": code, "message": message, "help": help}}, status)
