"""What agents and federated meshes ask in SPIFFE's words: tokens for a workload, whether one is good, and bundles."""

from collections.abc import Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from weft.ca.jwt_svid import BadToken, JwtAuthority
from weft.ca.names import CONTROL_PLANE_NAMESPACE
from weft.ca.peer import caller
from weft.ca.spiffe_bundle import SpiffeBundle
from weft.kit.clock import Clock
from weft.kit.rates import Rates
from weft.kit.value import Value
from weft.model.audit import AuditEntry, Auditor, Outcome
from weft.model.identity import Identity

_LARGEST = 64 * 1024
_PER_SECOND = 20.0
_BURST = 100


class _Wanted(Value):
    audience: tuple[str, ...]


class _Shown(Value):
    audience: str
    svid: str


def spiffe_routes(
    jwt: JwtAuthority,
    bundle: SpiffeBundle,
    roots: Callable[[], str],
    trust_domain: str,
    clock: Clock,
    auditor: Auditor = lambda _: None,
) -> tuple[BaseRoute, ...]:
    """``POST /v1/jwt-svid`` and ``/v1/jwt-svid/validate`` for workloads, and two bundles for everybody.

    Those are ``GET /v1/spiffe-bundle`` and ``GET /v1/jwt-bundle``. ``roots`` are the roots of now, as PEM.
    """
    desk = _Desk(jwt, trust_domain, clock, auditor)

    async def whole(request: Request) -> Response:
        del request
        return JSONResponse(bundle.document(roots()))

    async def token_keys(request: Request) -> Response:
        del request
        return JSONResponse({"keys": bundle.token_keys()})

    return (
        Route("/v1/jwt-svid", desk.sign, methods=["POST"]),
        Route("/v1/jwt-svid/validate", desk.validate, methods=["POST"]),
        Route("/v1/spiffe-bundle", whole, methods=["GET"]),
        Route("/v1/jwt-bundle", token_keys, methods=["GET"]),
    )


class _Desk:
    """What the routes share."""

    def __init__(self, jwt: JwtAuthority, trust_domain: str, clock: Clock, auditor: Auditor) -> None:
        self._jwt = jwt
        self._trust_domain = trust_domain
        self._audit = auditor
        self._rates = Rates(clock, per_second=_PER_SECOND, burst=_BURST)

    async def sign(self, request: Request) -> Response:
        """A token for the identity of the caller's certificate."""
        identity, refused = self._workload(request)
        if identity is None:
            return refused
        try:
            made = self._jwt.sign(identity, (await _body(request, _Wanted)).audience)
        except BadToken as wrong:
            return _refusal(400, "bad_request", str(wrong))
        entry = AuditEntry(
            verb="jwt-svid",
            resource="certificates",
            who=identity.uri,
            outcome=Outcome.ALLOWED,
            code=200,
            source=_host(request),
        )
        self._audit(entry)
        return JSONResponse({"svid": made.token, "expires": made.expires, "spiffe_id": identity.uri})

    async def validate(self, request: Request) -> Response:
        """Whose token it is."""
        identity, refused = self._workload(request)
        if identity is None:
            return refused
        try:
            shown = await _body(request, _Shown)
            found, claims = self._jwt.validate(shown.svid, shown.audience)
        except BadToken as wrong:
            return _refusal(400, "bad_token", str(wrong))
        return JSONResponse({"spiffe_id": found.uri, "claims": claims})

    def _workload(self, request: Request) -> tuple[Identity | None, Response]:
        identity = caller(request.scope)
        if (
            identity is None
            or identity.trust_domain != self._trust_domain
            or identity.namespace == CONTROL_PLANE_NAMESPACE
        ):
            return None, _refusal(401, "certificate_required", "this needs a certificate of this mesh")
        if not self._rates.allows(identity.uri):
            return None, _refusal(429, "too_many_requests", "too many requests from this caller")
        return identity, Response()


async def _body(request: Request, shape: type[Any]) -> Any:
    content = b""
    async for piece in request.stream():
        content += piece
        if len(content) > _LARGEST:
            raise BadToken(f"the body is larger than {_LARGEST} bytes")
    try:
        return msgspec.json.decode(content, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise BadToken("the body is not the JSON that this route takes") from None


def _refusal(status: int, code: str, message: str) -> Response:
    return JSONResponse({"error": {"code": code, "message": message}}, status)


def _host(request: Request) -> str:
    return request.client.host if request.client else ""
