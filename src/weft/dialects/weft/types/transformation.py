"""Weft's Transformation."""

from typing import Annotated, Any, Literal

from pydantic import Field

from weft.dialects.weft.types.targets import Selecting
from weft.dialects.wire import Duration, Many, Strings, UInt32, Wire, items, mapping, needed, unset

Status = Annotated[int, Field(ge=200, le=599)]
Limit = Annotated[int, Field(ge=1, le=1_048_576)]


class HeaderChanges(Wire):
    """What is done to headers, in this order. Values may hold substitutions (%REQ(x-user)%); %% is a percent sign."""

    set: Strings = mapping("Headers that have exactly this value afterwards.")
    add: Strings = mapping("Headers that get one more value.")
    set_if_absent: Strings = mapping("Headers that get the value if there is none.")
    remove: Many[str] = items("Headers that are taken away.", max_length=64)


class JsonField(Wire):
    """A field of a JSON object."""

    path: str = needed("Its keys, with dots between: user.name. A dot in a key is written with a backslash before it.")
    value: Any = Field(description="What is there afterwards, of any type.")


class Body(Wire):
    """What is done to a body. One that is no JSON object has no fields and passes as it is."""

    set: Many[JsonField] = items("Fields that are set, objects on the way to them are made.", max_length=64)
    remove: Many[str] = items("Fields that are taken away, by their keys with dots between.", max_length=64)
    template: str | None = unset(
        "A text instead of the whole body; ${user.name} stands for a field of the old one, $${ for ${.",
        max_length=65536,
    )
    content_type: str | None = unset("The media type afterwards.", max_length=256)
    max_bytes: Limit | None = unset("Longer bodies pass as they are; 65536.")


class RequestChanges(Wire):
    """What is done to requests, after their route was chosen."""

    headers: HeaderChanges | None = unset("Changes of headers.")
    body: Body | None = unset("Changes of the body.")
    path: str | None = unset("The path instead; the query stays unless this has one.", max_length=4096)
    method: str | None = unset("The method instead.", max_length=32)


class ResponseChanges(Wire):
    """What is done to responses."""

    headers: HeaderChanges | None = unset("Changes of headers.")
    body: Body | None = unset("Changes of the body.")
    status: Status | None = unset("The status instead.")


class LuaScript(Wire):
    """A Lua script."""

    inline_code: str = needed(
        "The script, with envoy_on_request and envoy_on_response.", min_length=1, max_length=65536
    )


class Exchange(Wire):
    """What a processor sees of a direction."""

    headers: bool | None = unset("Whether it sees the headers; true.")
    body: Literal["None", "Streamed", "Buffered", "BufferedPartial"] | None = unset("How it sees the body; None.")


class ProcessorService(Wire):
    """A gRPC service of the mesh."""

    name: str = needed("Name of the service.", min_length=1, max_length=253)
    namespace: str | None = unset("Its namespace; the document's own.")
    port: UInt32 = needed("Its port, of the protocol grpc.")


class Processor(Wire):
    """An external processor (Envoy's ExternalProcessor protocol)."""

    service: ProcessorService = needed("Who processes.")
    request: Exchange | None = unset("What it sees of requests.")
    response: Exchange | None = unset("What it sees of responses.")
    fail_open: bool | None = unset("Whether requests pass when it does not answer; false: they get 500.")
    timeout: Duration | None = unset("How long it may take for each message; 200ms.")


class GrpcJson(Wire):
    """gRPC services that are called with JSON (google.api.http)."""

    descriptors: str = needed("A FileDescriptorSet with all imports, in base64.", min_length=1, max_length=1_048_576)
    services: Many[str] = items("Full names of the services.", min_length=1, max_length=64)
    auto_mapping: bool | None = unset("Whether methods without an annotation answer POST /service/method; false.")
    print_defaults: bool | None = unset("Whether fields at their defaults are written; false.")
    preserve_field_names: bool | None = unset("Whether fields keep their names, not lowerCamelCase; false.")
    ignore_unknown_query_parameters: bool | None = unset("Whether unknown query parameters are allowed; false.")


class Transformation(Selecting):
    """Changes requests and responses on their way."""

    request: RequestChanges | None = unset("What is done to requests.")
    response: ResponseChanges | None = unset("What is done to responses.")
    lua: LuaScript | None = unset("A script, after those changes of requests and before those of responses.")
    grpc_json: GrpcJson | None = unset("JSON for gRPC services, before everything else.")
    external_processing: Processor | None = unset("A service that changes them, after the script.")
