"""The steps of a rule: each has its field and no other, most are there once, and some exclude each other."""

from collections.abc import Sequence

from weft.dialects.findings import Findings, Here
from weft.dialects.gateway_api.checks.common import (
    check_backend,
    check_header_name,
    check_header_value,
    check_hostname,
)
from weft.dialects.gateway_api.types import grpc_route, http_route

Filter = http_route.HttpRouteFilter | grpc_route.GrpcRouteFilter

_FIELDS = {
    "RequestHeaderModifier": "request_header_modifier",
    "ResponseHeaderModifier": "response_header_modifier",
    "RequestMirror": "request_mirror",
    "RequestRedirect": "request_redirect",
    "URLRewrite": "url_rewrite",
    "CORS": "cors",
    "ExtensionRef": "extension_ref",
    "ExternalAuth": "external_auth",
}
_REPEATED = ("RequestMirror", "ExtensionRef")


def check_filters(here: Here, filters: Sequence[Filter]) -> Findings:
    """All filters of a rule or a backend."""
    seen: set[str] = set()
    for index, one in enumerate(filters):
        place = here.at(index)
        if one.type in seen and one.type not in _REPEATED:
            yield place.error("W0117", f"the filter {one.type} is there twice", "put both into one")
        seen.add(one.type)
        yield from _check_fields(place, one)
        yield from _check_filter(place, one)
    if {"RequestRedirect", "URLRewrite"} <= seen:
        yield here.error("W0106", "a request is either redirected or rewritten", "remove one of the filters")


def _alias(one: Filter, name: str) -> str:
    return str(type(one).model_fields[name].alias)


def _check_fields(here: Here, one: Filter) -> Findings:
    wanted = _FIELDS[one.type]
    if getattr(one, wanted, None) is None:
        field = _alias(one, wanted)
        yield here.error("W0105", f"a filter of the type {one.type} needs {field}", f"add {field}")
    for name in type(one).model_fields:
        if name not in ("type", wanted) and getattr(one, name) is not None:
            field = _alias(one, name)
            yield here.at(field).error("W0106", f"a filter of the type {one.type} cannot have {field}", at_key=True)


def _check_filter(here: Here, one: Filter) -> Findings:
    for field, change in (
        ("requestHeaderModifier", one.request_header_modifier),
        ("responseHeaderModifier", one.response_header_modifier),
    ):
        if change is not None:
            yield from _check_headers(here.at(field), change)
    if one.request_mirror is not None:
        yield from _check_mirror(here.at("requestMirror"), one.request_mirror)
    if isinstance(one, http_route.HttpRouteFilter):
        yield from _check_http_filter(here, one)


def _check_http_filter(here: Here, one: http_route.HttpRouteFilter) -> Findings:
    for field, change in (("requestRedirect", one.request_redirect), ("urlRewrite", one.url_rewrite)):
        if change is not None:
            place = here.at(field)
            if change.hostname is not None:
                yield from check_hostname(place.at("hostname"), change.hostname, wildcard=False)
            if change.path is not None:
                yield from _check_path(place.at("path"), change.path)
    if one.cors is not None:
        yield from _check_cors(here.at("cors"), one.cors)
    if one.external_auth is not None:
        yield from _check_authorizer(here.at("externalAuth"), one.external_auth)


def _check_authorizer(here: Here, auth: http_route.HttpExternalAuthFilter) -> Findings:
    yield from check_backend(here.at("backendRef"), auth.backend_ref)
    other = ("http", auth.http) if auth.protocol == "GRPC" else ("grpc", auth.grpc)
    if other[1] is not None:
        yield here.at(other[0]).error("W0106", f"an authorizer of {auth.protocol} cannot have {other[0]}", at_key=True)
    if auth.grpc is not None:
        yield from _check_names(here.at("grpc", "allowedHeaders"), auth.grpc.allowed_headers)
    if auth.http is not None:
        yield from _check_names(here.at("http", "allowedHeaders"), auth.http.allowed_headers)
        yield from _check_names(here.at("http", "allowedResponseHeaders"), auth.http.allowed_response_headers)
        if auth.http.path and not auth.http.path.startswith("/"):
            yield here.at("http", "path").error("W0122", "a path begins with /", f"write /{auth.http.path[:80]}")


def _check_names(here: Here, names: Sequence[str]) -> Findings:
    for index, name in enumerate(names):
        yield from check_header_name(here.at(index), name)


def _check_headers(here: Here, change: http_route.HttpHeaderFilter) -> Findings:
    for verb, headers in (("set", change.set), ("add", change.add)):
        for index, header in enumerate(headers):
            yield from check_header_name(here.at(verb, index, "name"), header.name)
            yield from check_header_value(here.at(verb, index, "value"), header.value)
    for index, name in enumerate(change.remove):
        yield from check_header_name(here.at("remove", index), name)


def _check_mirror(here: Here, mirror: http_route.HttpRequestMirrorFilter) -> Findings:
    yield from check_backend(here.at("backendRef"), mirror.backend_ref)
    if mirror.percent is not None and mirror.fraction is not None:
        yield here.at("fraction").error("W0106", "a share is either percent or fraction", "remove one", at_key=True)
    fraction = mirror.fraction
    if fraction is not None and fraction.numerator > (fraction.denominator or 100):
        yield here.at("fraction").error("W0111", "the share is more than all", "lower the numerator")


def _check_path(here: Here, change: http_route.HttpPathModifier) -> Findings:
    fields = {"ReplaceFullPath": "replaceFullPath", "ReplacePrefixMatch": "replacePrefixMatch"}
    values = {"replaceFullPath": change.replace_full_path, "replacePrefixMatch": change.replace_prefix_match}
    wanted = fields[change.type]
    for field, value in values.items():
        if field == wanted and value is None:
            yield here.error("W0105", f"{change.type} needs {field}", f"add {field}")
        elif field != wanted and value is not None:
            yield here.at(field).error("W0106", f"{change.type} cannot have {field}", at_key=True)


def _check_cors(here: Here, cors: http_route.HttpCorsFilter) -> Findings:
    lists = {
        "allowOrigins": cors.allow_origins,
        "allowMethods": cors.allow_methods,
        "allowHeaders": cors.allow_headers,
    }
    for field, values in lists.items():
        if "*" in values and len(values) > 1:
            yield here.at(field).error("W0106", f"{field} has * and other entries", "* alone means all", at_key=True)
    for index, origin in enumerate(cors.allow_origins):
        if origin != "*" and not _is_origin(origin):
            advice = "write a scheme and a host, as in https://example.com"
            yield here.at("allowOrigins", index).error("W0107", f'"{origin[:80]}" is not an origin', advice)
    for field, names in (("allowHeaders", cors.allow_headers), ("exposeHeaders", cors.expose_headers)):
        for index, name in enumerate(names):
            yield from check_header_name(here.at(field, index), name)


def _is_origin(origin: str) -> bool:
    scheme, separator, rest = origin.partition("://")
    host, colon, port = rest.partition(":")
    if scheme not in ("http", "https") or not separator or not host or (colon and not port.isdigit()):
        return False
    return host == "*" or all(part.replace("-", "a").isalnum() for part in host.removeprefix("*.").split("."))
