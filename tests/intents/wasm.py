"""WebAssembly modules, assembled here: each puts one header on every answer (proxy-wasm ABI 0.2.1).

Source of the encoding: WebAssembly Core Specification, chapter 5, "Binary Format".
"""

_I32 = 0x7F
_MAGIC = b"\0asm\1\0\0\0"
_RESPONSE_HEADERS = 2
_PLACE = 16
"""Where in the module's memory the texts are."""


def header_module(name: str, value: str) -> bytes:
    """A module whose filter adds a header to answers."""
    key, text = name.encode(), value.encode()
    types = [
        _function([_I32] * 5, [_I32]),  # proxy_add_header_map_value
        _function([_I32, _I32], []),  # proxy_on_context_create
        _function([_I32], [_I32]),  # malloc
        _function([_I32] * 3, [_I32]),  # proxy_on_response_headers
        _function([], []),  # proxy_abi_version_0_2_1
        _function([_I32, _I32], [_I32]),  # proxy_on_vm_start, proxy_on_configure
    ]
    imports = [_name("env") + _name("proxy_add_header_map_value") + bytes([0, 0])]
    kinds = [1, 2, 3, 4, 5]
    exports = ["proxy_on_context_create", "malloc", "proxy_on_response_headers", "proxy_abi_version_0_2_1"]
    start = ["proxy_on_vm_start", "proxy_on_configure"]
    yes, nothing = _body(_const(1)), _body(b"")
    put = [_RESPONSE_HEADERS, _PLACE, len(key), _PLACE + len(key), len(text)]
    answer = _body(b"".join(_const(number) for number in put) + b"\x10\0" + b"\x1a" + _const(0))
    bodies = [nothing, _body(_const(4096)), answer, nothing, yes]
    first = len(imports)
    named = [_name(one) + b"\0" + _leb(first + index) for index, one in enumerate(exports)]
    named += [_name(one) + b"\0" + _leb(first + 4) for one in start] + [_name("memory") + b"\2\0"]
    data = b"\0" + _const(_PLACE) + b"\x0b" + _bytes(key + text)
    return _MAGIC + b"".join(
        (
            _section(1, types),
            _section(2, imports),
            _section(3, [_leb(kind) for kind in kinds]),
            _section(5, [b"\0\2"]),
            _section(7, named),
            _section(10, [_bytes(body) for body in bodies]),
            _section(11, [data]),
        )
    )


def _leb(number: int) -> bytes:
    found = bytearray()
    while True:
        found.append(number & 0x7F | (0x80 if number > 0x7F else 0))
        number >>= 7
        if not number:
            return bytes(found)


def _const(number: int) -> bytes:
    """``i32.const``, whose number is signed."""
    found = bytearray()
    while True:
        low = number & 0x7F
        number >>= 7
        done = number == 0 and not low & 0x40
        found.append(low | (0 if done else 0x80))
        if done:
            return b"\x41" + bytes(found)


def _bytes(content: bytes) -> bytes:
    return _leb(len(content)) + content


def _name(text: str) -> bytes:
    return _bytes(text.encode())


def _function(parameters: list[int], results: list[int]) -> bytes:
    return b"\x60" + _bytes(bytes(parameters)) + _bytes(bytes(results))


def _body(code: bytes) -> bytes:
    return b"\0" + code + b"\x0b"


def _section(number: int, items: list[bytes]) -> bytes:
    return bytes([number]) + _bytes(_leb(len(items)) + b"".join(items))
