"""A service that is asked whether a request may pass, where a CUSTOM policy is about it: Envoy's ``ext_authz``."""

from weft._pb.envoy.config.core.v3.base_pb2 import HeaderValue
from weft._pb.envoy.config.core.v3.config_source_pb2 import ApiVersion
from weft._pb.envoy.config.core.v3.grpc_service_pb2 import GrpcService
from weft._pb.envoy.config.core.v3.http_uri_pb2 import HttpUri
from weft._pb.envoy.extensions.filters.http.ext_authz.v3.ext_authz_pb2 import (
    AuthorizationRequest,
    AuthorizationResponse,
    BufferSettings,
    ExtAuthz,
    HttpService,
)
from weft._pb.envoy.extensions.filters.network.ext_authz.v3.ext_authz_pb2 import ExtAuthz as ConnectionAuthz
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from weft._pb.envoy.type.matcher.v3.metadata_pb2 import MetadataMatcher
from weft._pb.envoy.type.matcher.v3.string_pb2 import ListStringMatcher, StringMatcher
from weft._pb.envoy.type.matcher.v3.value_pb2 import ValueMatcher
from weft._pb.envoy.type.v3.http_status_pb2 import HttpStatus, StatusCode
from weft.compiler.access.decisions import ASKED
from weft.compiler.names import cluster_name
from weft.compiler.wire import milliseconds, packed
from weft.model.provider import Authorizer, HttpCheck
from weft.view.access import Check
from weft.view.view import Target

_FORBIDDEN = 403


def authorizer_filter(check: Check, teller: str, prefix: str) -> HttpFilter:
    """The filter that asks, where the filter ``teller`` noted under a prefix that a rule of the provider matched."""
    config = authorizer_config(check)
    config.filter_enabled_metadata.CopyFrom(_where_asked(check, teller, prefix))
    return HttpFilter(name="envoy.filters.http.ext_authz", typed_config=packed(config))


def authorizer_config(check: Check, headers: tuple[str, ...] = ()) -> ExtAuthz:
    """Who is asked and what is told; ``headers``: those that an authorizer of gRPC is told, all if there are none."""
    asked = check.authorizer
    assert asked is not None
    config = ExtAuthz(
        transport_api_version=ApiVersion.V3,
        failure_mode_allow=asked.fail_open,
        clear_route_cache=asked.clear_route_cache,
        status_on_error=HttpStatus(code=StatusCode.Name(asked.status_on_error or _FORBIDDEN)),
    )
    if asked.body is not None:
        config.with_request_body.CopyFrom(
            BufferSettings(
                max_request_bytes=asked.body.max_bytes,
                allow_partial_message=asked.body.partial,
                pack_as_bytes=asked.body.raw,
            )
        )
    if asked.http is None:
        config.grpc_service.CopyFrom(_grpc(check, asked))
        if headers:
            config.allowed_headers.CopyFrom(_patterns(headers))
    else:
        config.http_service.CopyFrom(_http(check, asked, asked.http))
        if asked.http.request_headers:
            config.allowed_headers.CopyFrom(_patterns(asked.http.request_headers))
    return config


def connection_authorizer(check: Check, teller: str, prefix: str, stat_prefix: str) -> ConnectionAuthz:
    """The same for connections of bytes."""
    asked = check.authorizer
    assert asked is not None
    return ConnectionAuthz(
        stat_prefix=stat_prefix,
        grpc_service=_grpc(check, asked),
        failure_mode_allow=asked.fail_open,
        transport_api_version=ApiVersion.V3,
        filter_enabled_metadata=_where_asked(check, teller, prefix),
    )


def _where_asked(check: Check, teller: str, prefix: str) -> MetadataMatcher:
    return MetadataMatcher(
        filter=teller,
        path=[MetadataMatcher.PathSegment(key=f"{prefix}shadow_effective_policy_id")],
        value=ValueMatcher(string_match=StringMatcher(prefix=f"{ASKED}{check.provider}-")),
    )


def _grpc(check: Check, asked: Authorizer) -> GrpcService:
    cluster = cluster_name(Target(host=check.host, port=check.port))
    return GrpcService(
        envoy_grpc=GrpcService.EnvoyGrpc(cluster_name=cluster, authority=check.host),
        timeout=milliseconds(asked.timeout),
    )


def _http(check: Check, asked: Authorizer, http: HttpCheck) -> HttpService:
    return HttpService(
        server_uri=HttpUri(
            uri=f"http://{check.host}",
            cluster=cluster_name(Target(host=check.host, port=check.port)),
            timeout=milliseconds(asked.timeout),
        ),
        path_prefix=http.path_prefix,
        authorization_request=AuthorizationRequest(
            headers_to_add=[HeaderValue(key=name, value=value) for name, value in http.additional_headers]
        ),
        authorization_response=AuthorizationResponse(
            allowed_upstream_headers=_maybe_patterns(http.to_upstream_on_allow),
            allowed_client_headers=_maybe_patterns(http.to_downstream_on_deny),
            allowed_client_headers_on_success=_maybe_patterns(http.to_downstream_on_allow),
        ),
    )


def _maybe_patterns(names: tuple[str, ...]) -> ListStringMatcher | None:
    return _patterns(names) if names else None


def _patterns(names: tuple[str, ...]) -> ListStringMatcher:
    return ListStringMatcher(patterns=[_pattern(name) for name in names])


def _pattern(name: str) -> StringMatcher:
    if name.startswith("*") and name != "*":
        return StringMatcher(suffix=name[1:], ignore_case=True)
    if name.endswith("*"):
        return StringMatcher(prefix=name[:-1], ignore_case=True)
    return StringMatcher(exact=name, ignore_case=True)
