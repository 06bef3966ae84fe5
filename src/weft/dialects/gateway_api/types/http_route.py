"""HTTPRoute."""

from typing import Annotated, Literal

from pydantic import Field

from weft.dialects.gateway_api.types.common import (
    BackendObjectReference,
    CommonRouteSpec,
    Hostname,
    LocalObjectReference,
    Name,
    PortNumber,
)
from weft.dialects.wire import Many, Wire, items, needed, unset

Method = Literal["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]
HeaderName = Annotated[str, Field(min_length=1, max_length=256)]
Time = Annotated[str, Field(max_length=24)]
Weight = Annotated[int, Field(ge=0, le=1_000_000)]
StatusCode = Annotated[int, Field(ge=400, le=599)]


class HttpPathMatch(Wire):
    """A condition on the path."""

    type: Literal["Exact", "PathPrefix", "RegularExpression"] | None = unset("How, PathPrefix if unset.")
    value: str | None = unset("The path, / if unset.", max_length=1024)


class HttpHeaderMatch(Wire):
    """A condition on a header."""

    type: Literal["Exact", "RegularExpression"] | None = unset("How, Exact if unset.")
    name: HeaderName = needed("Name of the header.")
    value: str = needed("Its value.", min_length=1, max_length=4096)


class HttpQueryParamMatch(Wire):
    """A condition on a parameter of the query."""

    type: Literal["Exact", "RegularExpression"] | None = unset("How, Exact if unset.")
    name: HeaderName = needed("Name of the parameter.")
    value: str = needed("Its value.", min_length=1, max_length=1024)


class HttpRouteMatch(Wire):
    """Conditions on a request that hold together."""

    path: HttpPathMatch | None = unset("The path, any if unset.")
    headers: Many[HttpHeaderMatch] = items("Headers.", max_length=16)
    query_params: Many[HttpQueryParamMatch] = items("Parameters of the query.", max_length=16)
    method: Method | None = unset("The method, any if unset.")


class HttpHeader(Wire):
    """A header and a value."""

    name: HeaderName = needed("Name of the header.")
    value: str = needed("Its value.", min_length=1, max_length=4096)


class HttpHeaderFilter(Wire):
    """Changes to headers."""

    set: Many[HttpHeader] = items("Headers that are overwritten.", max_length=16)
    add: Many[HttpHeader] = items("Headers that are appended.", max_length=16)
    remove: Many[str] = items("Headers that are removed.", max_length=16)


class Fraction(Wire):
    """A share."""

    numerator: int = needed("So many", ge=0)
    denominator: int | None = unset("of so many, 100 if unset.", ge=1)


class HttpRequestMirrorFilter(Wire):
    """Copies of requests to another backend."""

    backend_ref: BackendObjectReference = needed("Where the copies go.")
    percent: int | None = unset("Percent of the requests, all if unset.", ge=0, le=100)
    fraction: Fraction | None = unset("Or their share as a fraction.")


class HttpPathModifier(Wire):
    """A change to the path."""

    type: Literal["ReplaceFullPath", "ReplacePrefixMatch"] = needed("What is replaced.")
    replace_full_path: str | None = unset("What the whole path becomes.", max_length=1024)
    replace_prefix_match: str | None = unset("What the matched prefix becomes.", max_length=1024)


class HttpRequestRedirectFilter(Wire):
    """An answer that names another place."""

    scheme: Literal["http", "https"] | None = unset("The other place's scheme, the request's if unset.")
    hostname: Hostname | None = unset("Its host, the request's if unset.")
    path: HttpPathModifier | None = unset("Its path, the request's if unset.")
    port: PortNumber | None = unset("Its port; the scheme's if that is set, else the listener's.")
    status_code: Literal[301, 302, 303, 307, 308] | None = unset("The status, 302 if unset.")


class HttpUrlRewriteFilter(Wire):
    """Changes to host and path."""

    hostname: Hostname | None = unset("The host that the backend is asked for.")
    path: HttpPathModifier | None = unset("The path that the backend is asked for.")


class HttpCorsFilter(Wire):
    """Which pages of other origins may call."""

    allow_origins: Many[str] = items("Origins; * for any.", max_length=64)
    allow_credentials: bool | None = unset("Whether they may send cookies and the like.")
    allow_methods: Many[Method | Literal["*"]] = items("Methods that they may use.", max_length=9)
    allow_headers: Many[str] = items("Headers that they may send.", max_length=64)
    expose_headers: Many[str] = items("Headers that they may read.", max_length=64)
    max_age: int | None = unset("Seconds that browsers remember this, 5 if unset.", ge=1)


class ForwardBody(Wire):
    """How much of the body an external authorizer is sent."""

    max_size: int | None = unset("Bytes.", ge=0)


class GrpcAuth(Wire):
    """An authorizer that speaks gRPC."""

    allowed_headers: Many[str] = items("Headers that it is sent.", max_length=64)


class HttpAuth(Wire):
    """An authorizer that speaks HTTP."""

    path: str | None = unset("Prefix of its path.", max_length=1024)
    allowed_headers: Many[str] = items("Headers that it is sent.", max_length=64)
    allowed_response_headers: Many[str] = items("Headers of its answer that go to the backend.", max_length=64)


class HttpExternalAuthFilter(Wire):
    """Somebody else who decides whether a request passes."""

    protocol: Literal["HTTP", "GRPC"] = needed("What it speaks.")
    backend_ref: BackendObjectReference = needed("Where it is.")
    grpc: GrpcAuth | None = unset("With GRPC.")
    http: HttpAuth | None = unset("With HTTP.")
    forward_body: ForwardBody | None = unset("Whether it is sent the body.")


FilterType = Literal[
    "RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror", "RequestRedirect", "URLRewrite", "CORS",
    "ExtensionRef", "ExternalAuth",
]  # fmt: skip


class HttpRouteFilter(Wire):
    """A step on the way of a request; the field of its type is set."""

    type: FilterType = needed("Which one.")
    request_header_modifier: HttpHeaderFilter | None = unset("Changes to headers of the request.")
    response_header_modifier: HttpHeaderFilter | None = unset("Changes to headers of the answer.")
    request_mirror: HttpRequestMirrorFilter | None = unset("Copies to another backend.")
    request_redirect: HttpRequestRedirectFilter | None = unset("An answer that names another place.")
    url_rewrite: HttpUrlRewriteFilter | None = unset("Changes to host and path.")
    cors: HttpCorsFilter | None = unset("Which pages of other origins may call.")
    extension_ref: LocalObjectReference | None = unset("A filter of the implementation's; weft has none.")
    external_auth: HttpExternalAuthFilter | None = unset("An external authorizer.")


class HttpBackendRef(BackendObjectReference):
    """A backend's share of the requests."""

    weight: Weight | None = unset("Its share, relative to the others; 1 if unset, 0 gets nothing.")
    filters: Many[HttpRouteFilter] = items("Steps for the requests of this backend only.", max_length=16)


class HttpRouteTimeouts(Wire):
    """Limits of time; 0s is none."""

    request: Time | None = unset("Of the whole request with all attempts.")
    backend_request: Time | None = unset("Of one attempt.")


class HttpRouteRetry(Wire):
    """When a failed request is sent again; failures of the connection always are."""

    codes: Many[StatusCode] = items("Statuses that are tried again.")
    attempts: int | None = unset("How often, 2 if unset.", ge=1)
    backoff: Time | None = unset("The least time between attempts.")


class CookieConfig(Wire):
    """The cookie of a session."""

    name: HeaderName | None = unset("Its name.")
    path: str | None = unset("The path that it is for, / if unset.", max_length=1024)
    lifetime_type: Literal["Permanent", "Session"] | None = unset("Whether it outlives the browser, Session if unset.")


class HeaderConfig(Wire):
    """The header of a session."""

    name: HeaderName = needed("Its name.")


class SessionPersistence(Wire):
    """Requests of a session go to one endpoint."""

    session_name: str | None = unset("Deprecated: name of the cookie or header.", max_length=128)
    absolute_timeout: Time | None = unset("How long a session lasts.")
    idle_timeout: Time | None = unset("How long a session lasts without requests; not served.")
    type: Literal["Cookie", "Header"] | None = unset("What carries it, Cookie if unset.")
    cookie_config: CookieConfig | None = unset("Deprecated: the cookie.")
    cookie: CookieConfig | None = unset("The cookie.")
    header: HeaderConfig | None = unset("The header.")


class HttpRouteRule(Wire):
    """What it matches, and what then happens."""

    name: Name | None = unset("Name of the rule, unique in the route.")
    matches: Many[HttpRouteMatch] = items("Matches, of which one must hold; every request if unset.", max_length=64)
    filters: Many[HttpRouteFilter] = items("Steps on the way.", max_length=16)
    backend_refs: Many[HttpBackendRef] = items("Backends and their shares.", max_length=16)
    timeouts: HttpRouteTimeouts | None = unset("Limits of time.")
    retry: HttpRouteRetry | None = unset("When a failed request is sent again.")
    session_persistence: SessionPersistence | None = unset("Whether sessions stay at one endpoint.")


class HttpRoute(CommonRouteSpec):
    """Rules for HTTP requests."""

    hostnames: Many[Hostname] = items("Hosts that are asked for; those of the listeners if unset.", max_length=16)
    rules: Many[HttpRouteRule] = items("The rules; one that matches everything if unset.", max_length=16)
