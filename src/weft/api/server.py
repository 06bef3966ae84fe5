"""The API as one ASGI application: the routes, what stands in front of them, and what an error becomes."""

import os
from collections.abc import Callable, Collection, Sequence
from importlib.metadata import PackageNotFoundError, version

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from weft.api.auditing import Audit
from weft.api.authorizer import Authorizer
from weft.api.discovery import Discovery
from weft.api.drafts import Drafts, Identifiers
from weft.api.errors import ApiError, no_such_path, unavailable
from weft.api.gate import LOCAL_HOSTS, Gate
from weft.api.handlers import Handlers
from weft.api.lists import Reader
from weft.api.negotiate import respond
from weft.api.openapi import OpenApi
from weft.api.paths import method_not_allowed
from weft.api.quotas import Quotas
from weft.api.resources import Catalogue, Dialect
from weft.api.subjects import Authenticate, AuthenticateShown, Shown, Subject
from weft.api.writes import Review, Writes
from weft.dialects import translate
from weft.kit.clock import Clock, SystemClock
from weft.model.audit import Auditor
from weft.model.document import Document
from weft.store.source import Store, StoreUnavailable

KUBERNETES = ("1", "32")
"""The release of Kubernetes whose protocol this is; kubectl compares it with its own."""

DIALECT = Dialect(
    kinds=translate.KINDS,
    schema_of=translate.schema_of,
    check=translate.check,
    check_change=translate.check_change,
    received=translate.received,
    completed=translate.completed,
    convert=translate.convert,
    kept=translate.kept,
)


async def _nobody(_: Shown) -> Subject | None:
    """Where certificates prove nothing."""
    return None


def build_api(
    *,
    store: Store,
    review: Review,
    authenticate: Authenticate,
    by_certificate: AuthenticateShown = _nobody,
    authorizer: Authorizer | None = None,
    extra_routes: Sequence[BaseRoute] = (),
    hosts: Collection[str] = LOCAL_HOSTS,
    unready: Callable[[], str | None] = lambda: None,
    dialect: Dialect = DIALECT,
    auditor: Auditor = lambda _: None,
    clock: Clock | None = None,
    random_bytes: Callable[[int], bytes] = os.urandom,
    events: Callable[[], tuple[Document, ...]] = tuple,
    quotas: Quotas | None = None,
) -> Starlette:
    """The Kubernetes protocol over ``store``, with routes beside it that need the same credential.

    ``hosts``: the names in ``Host`` that are answered. ``unready`` says why the control plane cannot serve yet.
    ``auditor`` gets what belongs into the audit log. ``events`` are what ``kubectl get events`` shows.
    ``quotas`` are shared with whoever else creates objects.
    """
    clock = clock or SystemClock()
    catalogue = Catalogue(dialect)
    authorizer = authorizer or Authorizer(store, dialect.kinds)
    drafts = Drafts(dialect, clock, Identifiers(random_bytes))
    reader = Reader(store, authorizer.built_in, events)
    writes = Writes(store, reader, drafts, review, authorizer.guard, quotas or Quotas(store))
    handlers = Handlers(store, catalogue, writes, authorizer, clock, reader)
    app = Starlette(
        routes=[*extra_routes, *_health(unready), *_about(catalogue), *_objects(handlers)],
        middleware=[
            Middleware(
                Gate,
                authenticate=authenticate,
                by_certificate=by_certificate,
                impersonate=authorizer.impersonated,
                hosts=hosts,
                audit=Audit(auditor, clock),
                clock=clock,
            )
        ],
        exception_handlers={
            ApiError: _refused,
            StoreUnavailable: _unavailable,
            HTTPException: _http_error,
            Exception: _internal,
        },
    )
    app.router.redirect_slashes = False
    return app


def _health(unready: Callable[[], str | None]) -> list[Route]:
    async def alive(_: Request) -> Response:
        return PlainTextResponse("ok")

    async def ready(_: Request) -> Response:
        reason = unready()
        return PlainTextResponse(reason or "ok", 503 if reason else 200)

    return [Route("/healthz", alive), Route("/livez", alive), Route("/readyz", ready)]


def _about(catalogue: Catalogue) -> list[Route]:
    discovery = Discovery(catalogue)
    release = _release()
    openapi = OpenApi(catalogue, release)

    async def told(_: Request) -> Response:
        major, minor = KUBERNETES
        texts = {"major": major, "minor": minor, "gitVersion": f"v{major}.{minor}.0+weft-{release}"}
        return respond(texts | {"platform": "python"})

    return [
        Route("/version", told),
        Route("/api", discovery.core),
        Route("/api/{version}", discovery.version),
        Route("/apis", discovery.groups),
        Route("/apis/{group}", discovery.group),
        Route("/apis/{group}/{version}", discovery.version),
        Route("/openapi/v2", openapi.v2),
        Route("/openapi/v3", openapi.index),
        Route("/openapi/v3/{path:path}", openapi.document),
    ]


def _objects(handlers: Handlers) -> list[Route]:
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    return [Route(f"/{prefix}/{{rest:path}}", handlers.handle, methods=methods) for prefix in ("api", "apis")]


def _release() -> str:
    try:
        return version("weft")
    except PackageNotFoundError:
        return "unknown"


async def _refused(_: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, ApiError)
    return respond(refusal.status(), refusal.code)


async def _unavailable(_: Request, failure: Exception) -> Response:
    refusal = unavailable(str(failure))
    return respond(refusal.status(), refusal.code)


async def _http_error(_: Request, failure: Exception) -> Response:
    assert isinstance(failure, HTTPException)
    if failure.status_code == 405:
        refusal = method_not_allowed()
    elif failure.status_code == 404:
        refusal = no_such_path()
    else:
        refusal = ApiError(failure.status_code, "BadRequest", failure.detail)
    return respond(refusal.status(), refusal.code)


async def _internal(_: Request, __: Exception) -> Response:
    """The answer tells nothing of the inside; the server logs the exception, which Starlette raises again."""
    refusal = ApiError(500, "InternalError", "Internal error occurred: weft failed on this request")
    return respond(refusal.status(), refusal.code)
