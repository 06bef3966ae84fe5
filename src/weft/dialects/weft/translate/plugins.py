"""Transformation, Compression and ResponseCache in the model's words."""

import re
from collections.abc import Iterator

import msgspec

from weft.dialects.fragment import Fragment
from weft.dialects.served import Subject
from weft.dialects.syntax import milliseconds
from weft.dialects.weft.translate.targets import attachment_of
from weft.dialects.weft.types.compression import Compression as WireCompression
from weft.dialects.weft.types.response_cache import ResponseCache
from weft.dialects.weft.types.targets import Attached
from weft.dialects.weft.types.transformation import Body, Exchange, HeaderChanges, Processor
from weft.dialects.weft.types.transformation import GrpcJson as WireGrpcJson
from weft.dialects.weft.types.transformation import Transformation as WireTransformation
from weft.model.plugin import Lua, Phase, Plugin, Traffic, Work
from weft.model.transform import (
    BodyEdit,
    Cache,
    Compression,
    Edit,
    ExternalProcessing,
    GrpcJson,
    HeaderWrite,
    Part,
    Transformation,
    Write,
)

_SERVERS = (Traffic(client=False),)
_PARTS = {"Streamed": Part.STREAMED, "Buffered": Part.BUFFERED, "BufferedPartial": Part.BUFFERED_PARTIAL}
_TIMEOUT = 200
_PATH = re.compile(r"(?<!\\)\.")


def translate_transformation(spec: WireTransformation, subject: Subject) -> Fragment:
    """One plugin for each way to change something, in their order."""
    works = dict(_works(spec, subject))
    return _fragment(spec, subject, Phase.TRANSFORMATION, works)


def translate_compression(spec: WireCompression, subject: Subject) -> Fragment:
    """One plugin."""
    work = Compression(
        algorithms=spec.algorithms or ("gzip",),
        content_types=spec.content_types,
        least=spec.min_bytes or 1024,
        decompress=bool(spec.decompress_requests),
    )
    return _fragment(spec, subject, Phase.COMPRESSION, {"": work})


def translate_cache(spec: ResponseCache, subject: Subject) -> Fragment:
    """One plugin."""
    work = Cache(
        directory=spec.directory,
        vary=spec.vary_headers,
        size=spec.max_bytes or 268_435_456,
        ignore_request_directives=bool(spec.ignore_request_cache_control),
    )
    return _fragment(spec, subject, Phase.CACHE, {"": work})


def _fragment(spec: Attached, subject: Subject, phase: Phase, works: dict[str, Work]) -> Fragment:
    name = f"{subject.key.kind.lower()}|{subject.namespace}|{subject.key.name}"
    plugins = tuple(
        Plugin(
            name=f"{name}|{part}" if part else name,
            origin=subject.origin,
            works=(work,),
            phase=phase,
            attachment=attachment_of(spec, subject),
            step=step,
            traffic=_SERVERS,
        )
        for step, (part, work) in enumerate(works.items())
    )
    return Fragment(key=subject.key, plugins=plugins)


def _works(spec: WireTransformation, subject: Subject) -> Iterator[tuple[str, Work]]:
    if spec.grpc_json is not None:
        yield "json", _grpc_json(spec.grpc_json)
    request, response = spec.request, spec.response
    headers = Transformation(
        request=Edit(headers=_headers(request.headers if request else None)),
        response=Edit(headers=_headers(response.headers if response else None)),
    )
    if headers != Transformation():
        yield "headers", headers
    rest = Transformation(
        request=Edit(
            body=_body(request.body) if request and request.body else None,
            path=(request.path or "") if request else "",
            method=(request.method or "") if request else "",
        ),
        response=Edit(
            body=_body(response.body) if response and response.body else None,
            status=response.status if response else None,
        ),
    )
    if rest != Transformation():
        yield "content", rest
    if spec.lua is not None:
        yield "lua", Lua(source=spec.lua.inline_code)
    if spec.external_processing is not None:
        yield "processor", _processor(spec.external_processing, subject)


def _grpc_json(one: WireGrpcJson) -> GrpcJson:
    return GrpcJson(
        descriptors=one.descriptors,
        services=one.services,
        automatic=bool(one.auto_mapping),
        defaults=bool(one.print_defaults),
        snake_case=bool(one.preserve_field_names),
        ignore_unknown=bool(one.ignore_unknown_query_parameters),
    )


def _headers(changes: HeaderChanges | None) -> tuple[HeaderWrite, ...]:
    if changes is None:
        return ()
    fields = ((Write.SET, changes.set), (Write.ADD, changes.add), (Write.SET_IF_ABSENT, changes.set_if_absent))
    written = [HeaderWrite(how=how, name=name, value=value) for how, pairs in fields for name, value in pairs.items()]
    return (*written, *(HeaderWrite(how=Write.REMOVE, name=name) for name in changes.remove))


def _body(body: Body) -> BodyEdit:
    return BodyEdit(
        sets=tuple((_path(one.path), msgspec.json.encode(one.value).decode()) for one in body.set),
        removes=tuple(_path(path) for path in body.remove),
        template=body.template,
        content_type=body.content_type or "",
        largest=body.max_bytes or 65_536,
    )


def _path(text: str) -> tuple[str, ...]:
    return tuple(step.replace("\\.", ".") for step in _PATH.split(text))


def _processor(one: Processor, subject: Subject) -> ExternalProcessing:
    service = one.service
    request, response = one.request or Exchange(), one.response or Exchange()
    return ExternalProcessing(
        host=f"{service.name}.{service.namespace or subject.namespace}.svc.{subject.settings.domain_suffix}",
        port=service.port,
        request_headers=request.headers is not False,
        response_headers=response.headers is not False,
        request_body=_PARTS.get(request.body or "", Part.NONE),
        response_body=_PARTS.get(response.body or "", Part.NONE),
        open=bool(one.fail_open),
        timeout=milliseconds(one.timeout) or _TIMEOUT,
    )
