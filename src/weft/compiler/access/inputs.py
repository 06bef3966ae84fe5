"""What Envoy's matching API can look at, each input made once."""

from weft._pb.envoy.extensions.matching.common_inputs.network.v3.network_inputs_pb2 import (
    DestinationIPInput,
    DirectSourceIPInput,
    DynamicMetadataInput,
    ServerNameInput,
    SourceIPInput,
)
from weft._pb.envoy.extensions.matching.common_inputs.ssl.v3.ssl_inputs_pb2 import UriSanInput
from weft._pb.envoy.type.matcher.v3.http_inputs_pb2 import HttpRequestHeaderMatchInput
from weft._pb.xds.core.v3.extension_pb2 import TypedExtensionConfig
from weft._pb.xds.type.matcher.v3.string_pb2 import StringMatcher
from weft.compiler.access.predicates import extension, text

TOKEN_FILTER = "envoy.filters.http.jwt_authn"
PAYLOAD = "payload"
"""Where the claims of a token are told, as in Istio."""

CALLER = extension("uri_san", UriSanInput())
"""The identity in the caller's certificate; several come with commas between."""

SEVERAL_CALLERS = text(CALLER, StringMatcher(contains=","))

PEER_ADDRESS = extension("direct_source_ip", DirectSourceIPInput())
CLIENT_ADDRESS = extension("source_ip", SourceIPInput())
OWN_ADDRESS = extension("destination_ip", DestinationIPInput())
SERVER_NAME = extension("server_name", ServerNameInput())


def header(name: str) -> TypedExtensionConfig:
    """A header or pseudo header; the values of several come with commas between."""
    return extension("header", HttpRequestHeaderMatchInput(header_name=name))


PATH = header(":path")
METHOD = header(":method")
AUTHORITY = header(":authority")


def metadata(name: str, *keys: str) -> TypedExtensionConfig:
    """What a filter told the filters after it."""
    segments = [DynamicMetadataInput.PathSegment(key=key) for key in keys]
    return extension("metadata", DynamicMetadataInput(filter=name, path=segments))
