"""What must hold of the services that MeshConfig names."""

from collections.abc import Iterator

from weft.dialects.findings import Findings, Here
from weft.dialects.istio.checks.common import check_duration
from weft.dialects.istio.checks.headers import check_header_name
from weft.dialects.istio.checks.mesh_sinks import SINKS, check_service, check_sink
from weft.dialects.istio.types import mesh_providers as providers


def check_providers(here: Here, listed: tuple[providers.ExtensionProvider, ...]) -> Findings:
    """Names once, and of each provider one kind (Istio: ``validateExtensionProvider``)."""
    names: set[str] = set()
    for index, provider in enumerate(listed):
        place = here.at(index)
        if provider.name in names:
            yield place.at("name").error("W0117", f'several providers are named "{provider.name[:80]}"')
        names.add(provider.name)
        yield from _check_provider(place, provider)


def _check_provider(here: Here, provider: providers.ExtensionProvider) -> Findings:
    if not provider.name:
        yield here.at("name").error("W0105", "the provider has no name")
    kinds = {
        "envoyExtAuthzHttp": provider.envoy_ext_authz_http,
        "envoyExtAuthzGrpc": provider.envoy_ext_authz_grpc,
        **{field: getattr(provider, name) for field, name in SINKS.items()},
    }
    given = {field: value for field, value in kinds.items() if value is not None}
    if len(given) != 1:
        message = "a provider is one thing" if given else "it is not said what the provider is"
        yield here.error("W0106" if given else "W0105", message, f"set one of {', '.join(kinds)}", at_key=True)
    for field, found in given.items():
        if isinstance(found, providers.AuthorizationGrpcProvider):
            yield from _check_authorizer(here.at(field), found)
        else:
            yield from check_sink(here.at(field), found)


def _check_authorizer(here: Here, asked: providers.AuthorizationGrpcProvider) -> Findings:
    """Istio: ``validateExtensionProviderEnvoyExtAuthz*``."""
    yield from check_service(here, asked.service, asked.port)
    yield from check_duration(here.at("timeout"), asked.timeout)
    status = asked.status_on_error
    if status is not None and not (status.isascii() and status.isdigit() and 200 <= int(status[:4]) <= 599):
        yield here.at("statusOnError").error("W0124", f'"{status[:80]}" cannot be answered', "use 200 to 599")
    if asked.include_request_body_in_check is not None and not asked.include_request_body_in_check.max_request_bytes:
        place = here.at("includeRequestBodyInCheck", "maxRequestBytes")
        yield place.error("W0111", "it is not said how much of a body is sent", "use 1 and more", at_key=True)
    if isinstance(asked, providers.AuthorizationHttpProvider):
        yield from _check_http(here, asked)


def _check_http(here: Here, asked: providers.AuthorizationHttpProvider) -> Findings:
    if asked.path_prefix and not asked.path_prefix.startswith("/"):
        yield here.at("pathPrefix").error("W0122", "a path begins with /", "add a / in front")
    if asked.include_headers_in_check:
        advice = "use includeRequestHeadersInCheck"
        place = here.at("includeHeadersInCheck")
        yield place.warning("W0119", "includeHeadersInCheck is deprecated", advice, at_key=True)
    for field, patterns in _patterns(asked):
        for index, pattern in enumerate(patterns):
            yield from _check_pattern(here.at(field, index), pattern)
    for name in asked.include_additional_headers_in_check:
        yield from check_header_name(here.at("includeAdditionalHeadersInCheck", name), name)


def _patterns(asked: providers.AuthorizationHttpProvider) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "includeHeadersInCheck", asked.include_headers_in_check
    yield "includeRequestHeadersInCheck", asked.include_request_headers_in_check
    yield "headersToUpstreamOnAllow", asked.headers_to_upstream_on_allow
    yield "headersToDownstreamOnDeny", asked.headers_to_downstream_on_deny
    yield "headersToDownstreamOnAllow", asked.headers_to_downstream_on_allow


def _check_pattern(here: Here, pattern: str) -> Findings:
    """A name, perhaps with one ``*`` at one end."""
    inner = pattern[1:] if pattern.startswith("*") else pattern.removesuffix("*")
    if "*" in inner:
        yield here.error("W0112", f'"{pattern[:80]}" has a * in the middle', "put one * at one end")
    elif inner or pattern != "*":
        yield from check_header_name(here, inner)
