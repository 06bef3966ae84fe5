"""The agents' routes are closed to those whose certificates are revoked, whatever they ask."""

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from weft.ca.peer import caller, shown
from weft.ca.revocations import Revocations
from weft.kit.clock import Clock
from weft.kit.rates import Rates
from weft.model.audit import AuditEntry, Auditor, Outcome

_TOLD_EVERY = 60.0
REVOKED = "this certificate was revoked"
_HELP = "ask who runs the mesh: weft ca revocations lists why, weft ca unrevoke takes it back"


class Barred:
    """An ASGI application in front of another one."""

    def __init__(self, app: ASGIApp, revocations: Revocations, clock: Clock, auditor: Auditor) -> None:
        self._app = app
        self._revocations = revocations
        self._rates = Rates(clock, per_second=1 / _TOLD_EVERY, burst=1)
        self._audit = auditor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer 403."""
        certificate = shown(scope)
        if certificate is None or not self._revocations.bars(caller(scope), certificate.digest):
            await self._app(scope, receive, send)
            return
        self._note(Request(scope), certificate.digest)
        error = {"code": "revoked", "message": REVOKED, "help": _HELP}
        await JSONResponse({"error": error}, 403)(scope, receive, send)

    def _note(self, request: Request, digest: str) -> None:
        """Write it down, now and then: an agent goes on trying."""
        if not self._rates.allows(digest):
            return
        identity = caller(request.scope)
        entry = AuditEntry(
            verb=request.method.lower(),
            who=identity.uri if identity else "",
            outcome=Outcome.DENIED,
            resource="certificates",
            path=request.url.path[:1000],
            code=403,
            source=request.client.host if request.client else "",
            detail=REVOKED,
        )
        self._audit(entry)
