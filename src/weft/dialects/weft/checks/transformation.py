"""What can be wrong with a Transformation."""

import re

from weft.dialects.findings import Findings, Here
from weft.dialects.metadata import ObjectMeta, check_metadata
from weft.dialects.weft.checks.answers import is_header_name, is_header_value
from weft.dialects.weft.checks.durations import check_between
from weft.dialects.weft.checks.grpc_json import check_grpc_json
from weft.dialects.weft.checks.places import check_whole_services
from weft.dialects.weft.checks.substitutions import check_substitutions
from weft.dialects.weft.checks.targets import check_attachment
from weft.dialects.weft.types.transformation import (
    Body,
    HeaderChanges,
    Processor,
    RequestChanges,
    ResponseChanges,
    Transformation,
)

KINDS = ("Service", "Gateway", "VirtualService", "HTTPRoute", "GRPCRoute")
_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PATH = re.compile(r"/[\x21-\x7e]*")
_OWN = {"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "keep-alive", "proxy-connection"}
_DEEPEST = 16


def check_transformation(spec: Transformation, metadata: ObjectMeta) -> Findings:
    """Everything beyond the shape."""
    here = Here(path=("spec",))
    yield from check_metadata(metadata)
    yield from check_attachment(here, spec, KINDS)
    yield from check_whole_services(here, spec)
    if not (spec.request or spec.response or spec.lua or spec.grpc_json or spec.external_processing):
        advice = "set request, response, lua, grpcJson or externalProcessing"
        yield here.error("W0105", "nothing is transformed", advice, at_key=True)
    if spec.request is not None:
        yield from _check_request(here.at("request"), spec.request)
    if spec.response is not None:
        yield from _check_common(here.at("response"), spec.response)
    if spec.grpc_json is not None:
        yield from check_grpc_json(here.at("grpcJson"), spec.grpc_json)
    if spec.external_processing is not None:
        yield from _check_processor(here.at("externalProcessing"), spec.external_processing)


def _check_request(here: Here, request: RequestChanges) -> Findings:
    yield from _check_common(here, request)
    if request.path is not None and not _PATH.fullmatch(request.path):
        yield here.at("path").error("W0102", "a path begins with a slash and has no spaces", "write /new/path")
    if request.method is not None and not _METHOD.fullmatch(request.method):
        yield here.at("method").error("W0102", f'"{request.method[:40]}" is no method', "write GET or POST")


def _check_common(here: Here, one: RequestChanges | ResponseChanges) -> Findings:
    if one.headers is not None:
        yield from _check_headers(here.at("headers"), one.headers)
    if one.body is not None:
        yield from _check_body(here.at("body"), one.body)


def _check_headers(here: Here, changes: HeaderChanges) -> Findings:
    for field, written in (("set", changes.set), ("add", changes.add), ("setIfAbsent", changes.set_if_absent)):
        for name, value in written.items():
            place = here.at(field, name)
            yield from _check_name(place, name)
            if not is_header_value(value):
                yield place.error("W0112", f"the value of {name[:80]} cannot stand in a header")
            yield from check_substitutions(place, value)
    for index, name in enumerate(changes.remove):
        yield from _check_name(here.at("remove", index), name)


def _check_name(here: Here, name: str) -> Findings:
    if not is_header_name(name):
        yield here.error("W0112", f'"{name[:80]}" is not a header name', at_key=True)
    elif name.lower() in _OWN:
        yield here.error("W0112", f"{name} belongs to the connection and is no document's", "remove it", at_key=True)


def _check_body(here: Here, body: Body) -> Findings:
    if body.template is not None and (body.set or body.remove):
        yield here.at("template").error("W0106", "a template takes the place of all fields", "keep one", at_key=True)
    if body.template is None and not body.set and not body.remove:
        yield here.error("W0105", "nothing of the body is changed", "set template, set or remove", at_key=True)
    for index, one in enumerate(body.set):
        yield from _check_path(here.at("set", index, "path"), one.path)
    for index, path in enumerate(body.remove):
        yield from _check_path(here.at("remove", index), path)
    if body.content_type is not None and not is_header_value(body.content_type):
        yield here.at("contentType").error("W0112", "this cannot stand in a header")


def _check_path(here: Here, path: str) -> Findings:
    steps = re.split(r"(?<!\\)\.", path)
    if not all(steps) or not 0 < len(steps) <= _DEEPEST:
        yield here.error("W0102", f'"{path[:80]}" is no path of at most {_DEEPEST} keys', "write user.name")


def _check_processor(here: Here, one: Processor) -> Findings:
    if not 0 < one.service.port < 65536:
        yield here.at("service", "port").error("W0115", f"{one.service.port} is not a port", "use 1 to 65535")
    yield from check_between(here.at("timeout"), one.timeout)
