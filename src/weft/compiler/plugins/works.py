"""The filters that a plugin is made of, with their configurations."""

from collections.abc import Iterator

from google.protobuf.message import Message

from weft.compiler.plugins.cache import cache
from weft.compiler.plugins.compression import compressions
from weft.compiler.plugins.external_processing import external_processing
from weft.compiler.plugins.grpc_json import grpc_json
from weft.compiler.plugins.lua import lua
from weft.compiler.plugins.transformation import header_mutation, script, scripted
from weft.compiler.plugins.wasm import wasm
from weft.compiler.wire import packed
from weft.kit.memo import memo
from weft.kit.value import Value
from weft.model.plugin import Failure, Lua, Plugin, Wasm, Work
from weft.model.transform import Cache, Compression, ExternalProcessing, GrpcJson, Transformation


class Made(Value):
    """One filter: its name, which is that of its configuration too, the type and the bytes of that.

    ``network``: for bytes, not requests. ``open``: while Envoy has no configuration, everything passes.
    """

    name: str
    type_url: str
    body: bytes
    network: bool = False
    open: bool = False


@memo(4096)
def made_of(plugin: Plugin) -> tuple[Made, ...]:
    """The filters of a plugin, in the order of requests."""
    messages = [(work, message) for work in plugin.works for message in _messages(plugin.name, work)]
    return tuple(_made(f"{plugin.name}#{index}" if index else plugin.name, *one) for index, one in enumerate(messages))


def _made(name: str, work: Work, message: Message) -> Made:
    held = packed(message)
    return Made(
        name=name,
        type_url=held.type_url,
        body=held.value,
        network=isinstance(work, Wasm) and work.network,
        open=_may_be_missed(work),
    )


def _may_be_missed(work: Work) -> bool:
    """Whether requests are as good without it."""
    return isinstance(work, Cache | Compression) or (isinstance(work, Wasm) and work.failure is Failure.OPEN)


def _messages(name: str, work: Work) -> tuple[Message, ...]:
    match work:
        case Wasm():
            return (wasm(name, work),)
        case Lua():
            return (lua(work),)
        case Transformation():
            return tuple(_changes(work))
        case ExternalProcessing():
            return (external_processing(work),)
        case Compression():
            return compressions(work)
        case Cache():
            return (cache(work),)
        case GrpcJson():
            return (grpc_json(work),)


def _changes(work: Transformation) -> Iterator[Message]:
    """Only what there is something for."""
    if work.request.headers or work.response.headers:
        yield header_mutation(work)
    if scripted(work.request) or scripted(work.response):
        yield script(work)
