"""The steps of a rule in the model's words: headers, mirrors, redirects, rewrites and CORS."""

import re
from collections.abc import Iterable

from weft.dialects.gateway_api.translate.refs import destination_of
from weft.dialects.gateway_api.types import grpc_route, http_route
from weft.dialects.served import Subject
from weft.model.match import Exact, PathMatch, PathPrefix, Regex, ValueMatch
from weft.model.provider import BodyInCheck, HttpCheck
from weft.model.route import (
    CorsPolicy,
    ExternalCheck,
    HeaderOperations,
    Headers,
    Mirror,
    PathRewrite,
    Redirect,
    RegexRewrite,
    Rewrite,
)

Filter = http_route.HttpRouteFilter | grpc_route.GrpcRouteFilter

_WHOLE = "^.*$"
_CORS_AGE = 5
_OWN_HEADERS = ("x-*",)
_PORTS = {"http": 80, "https": 443}


def headers_of(filters: Iterable[Filter]) -> Headers:
    """What filters change of headers."""
    request, response = HeaderOperations(), HeaderOperations()
    for one in filters:
        if one.request_header_modifier is not None:
            request = _operations(one.request_header_modifier)
        if one.response_header_modifier is not None:
            response = _operations(one.response_header_modifier)
    return Headers(request=request, response=response)


def _operations(change: http_route.HttpHeaderFilter) -> HeaderOperations:
    return HeaderOperations(
        set=_pairs(change.set), add=_pairs(change.add), remove=tuple(name.lower() for name in change.remove)
    )


def _pairs(headers: Iterable[http_route.HttpHeader]) -> tuple[tuple[str, str], ...]:
    """Of several values for a name the first counts; a ``%`` is meant as itself."""
    found: dict[str, tuple[str, str]] = {}
    for one in headers:
        found.setdefault(one.name.lower(), (one.name, one.value.replace("%", "%%")))
    return tuple(found.values())


def mirrors_of(filters: Iterable[Filter], subject: Subject) -> tuple[Mirror, ...]:
    """Where copies go."""
    mirrors = (one.request_mirror for one in filters)
    return tuple(
        Mirror(destination=destination_of(one.backend_ref, subject), percent=_share(one)) for one in mirrors if one
    )


def _share(mirror: http_route.HttpRequestMirrorFilter) -> float:
    if mirror.percent is not None:
        return float(mirror.percent)
    if mirror.fraction is not None:
        return 100.0 * mirror.fraction.numerator / (mirror.fraction.denominator or 100)
    return 100.0


def redirect_of(filters: Iterable[http_route.HttpRouteFilter], path: PathMatch | None) -> Redirect | None:
    """The answer that names another place, if a filter is one; ``path`` is what the rule matches.

    Without a port, the scheme's own counts if a scheme is named, else the port that was called.
    """
    found = next((one.request_redirect for one in filters if one.request_redirect is not None), None)
    if found is None:
        return None
    whole, prefix = _modified(found.path, path)
    return Redirect(
        path=whole,
        path_prefix=prefix.to if isinstance(prefix, PathRewrite) else "",
        pattern=prefix if isinstance(prefix, RegexRewrite) else None,
        authority=found.hostname or "",
        scheme=found.scheme or "",
        port=found.port or _PORTS.get(found.scheme or ""),
        port_from_protocol=found.port is None and found.scheme is not None,
        port_from_request=found.port is None and found.scheme is None,
        code=found.status_code or 302,
    )


def rewrite_of(filters: Iterable[http_route.HttpRouteFilter], path: PathMatch | None) -> Rewrite:
    """Changes to host and path; ``path`` is what the rule matches."""
    found = next((one.url_rewrite for one in filters if one.url_rewrite is not None), None)
    if found is None:
        return Rewrite()
    whole, prefix = _modified(found.path, path)
    if whole:
        return Rewrite(path=RegexRewrite(pattern=_WHOLE, substitution=_literal(whole)), authority=found.hostname or "")
    return Rewrite(path=prefix, authority=found.hostname or "")


def rewrite_over(above: Rewrite, below: Rewrite) -> Rewrite:
    """Changes of a backend over those of its rule."""
    return Rewrite(path=above.path or below.path, authority=above.authority or below.authority)


def _modified(
    change: http_route.HttpPathModifier | None, path: PathMatch | None
) -> tuple[str, PathRewrite | RegexRewrite | None]:
    if change is None:
        return "", None
    if change.type == "ReplaceFullPath":
        return change.replace_full_path or "/", None
    return "", _prefix(path.value if isinstance(path, PathPrefix) else "/", change.replace_prefix_match or "")


def _prefix(matched: str, to: str) -> PathRewrite | RegexRewrite:
    """Prefixes are whole segments, so slashes at their ends do not count and none is doubled or lost."""
    matched, to = matched.rstrip("/"), to.rstrip("/")
    if not matched:
        return PathRewrite(to=f"{to}/")
    return PathRewrite(to=to) if to else RegexRewrite(pattern=f"^{re.escape(matched)}/*", substitution="/")


def _literal(text: str) -> str:
    """A text that a substitution takes as it is."""
    return text.replace("\\", "\\\\")


def check_of(filters: Iterable[http_route.HttpRouteFilter], subject: Subject) -> ExternalCheck | None:
    """Who is asked first. Without a list the headers of its answer that begin with ``x-`` go on to the backend: Envoy
    would leave none out, and some must not go on."""
    auth = next((one.external_auth for one in filters if one.external_auth is not None), None)
    if auth is None:
        return None
    size = auth.forward_body.max_size if auth.forward_body else None
    http = auth.http or http_route.HttpAuth()
    by_http = HttpCheck(
        path_prefix=(http.path or "").rstrip("/"),
        request_headers=http.allowed_headers,
        to_upstream_on_allow=http.allowed_response_headers or _OWN_HEADERS,
    )
    return ExternalCheck(
        destination=destination_of(auth.backend_ref, subject),
        http=by_http if auth.protocol == "HTTP" else None,
        headers=auth.grpc.allowed_headers if auth.grpc else (),
        body=BodyInCheck(max_bytes=size, partial=True) if size else None,
    )


def cors_of(filters: Iterable[http_route.HttpRouteFilter]) -> CorsPolicy | None:
    """Which pages of other origins may call; preflight requests of others are answered here too."""
    cors = next((one.cors for one in filters if one.cors is not None), None)
    if cors is None:
        return None
    return CorsPolicy(
        allow_origins=tuple(_origin(one) for one in cors.allow_origins),
        allow_methods=cors.allow_methods,
        allow_headers=cors.allow_headers,
        expose_headers=cors.expose_headers,
        max_age=_CORS_AGE if cors.max_age is None else cors.max_age,
        allow_credentials=True if cors.allow_credentials else None,
        forward_unmatched=False,
    )


def _origin(origin: str) -> ValueMatch:
    if "*" not in origin:
        return Exact(value=origin)
    return Regex(value=".*".join(re.escape(part) for part in origin.split("*")))
