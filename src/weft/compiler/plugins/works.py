"""The filters that a plugin is made of, with their configurations."""

from google.protobuf.message import Message

from weft.compiler.plugins.lua import lua
from weft.compiler.plugins.wasm import wasm
from weft.compiler.wire import packed
from weft.kit.memo import memo
from weft.kit.value import Value
from weft.model.plugin import Failure, Lua, Plugin, Wasm, Work


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
    names = [plugin.name if index == 0 else f"{plugin.name}#{index}" for index in range(len(plugin.works))]
    return tuple(_made(name, work) for name, work in zip(names, plugin.works, strict=True))


def _made(name: str, work: Work) -> Made:
    held = packed(_message(name, work))
    return Made(
        name=name,
        type_url=held.type_url,
        body=held.value,
        network=isinstance(work, Wasm) and work.network,
        open=isinstance(work, Wasm) and work.failure is Failure.OPEN,
    )


def _message(name: str, work: Work) -> Message:
    match work:
        case Wasm():
            return wasm(name, work)
        case Lua():
            return lua(work)
    raise AssertionError(work)
