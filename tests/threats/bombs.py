"""Inputs that are meant to break a reader, made when they are needed."""

import base64
import gzip
import io
import json
import os
import zlib
from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from tests.threats.plane import csr_of

MB = 2**20
_HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bomb}\n"
_TEXTS = {
    "line ends": "a\r\nb",
    "NUL": "a\x00b",
    "ANSI": "\x1b[31mred\x1b[0m\x1b]0;title\x07",
    "right to left": "\u202etxt.exe",
    "script": "</script><script>alert(1)</script>",
    "template": "{{7*7}}${7*7}#{7*7}%(x)s{0.__class__}",
    "SQL": "'; DROP TABLE documents; --",
    "up": "../../../../etc/passwd",
    "up in hexadecimal": "%2e%2e/%2e%2e/etc/passwd",
    "long": "n" * 65_536,
    "look-alike": "\u0430dmin",
    "compatible": "\ufb01le\u2044\uff41dmin",
    "surrogate": "\ud800",
}

YAML: dict[str, Callable[[], bytes]] = {
    "aliases of aliases": lambda: "\n".join(
        ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
        + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    ).encode(),
    "an alias of itself": lambda: b"a: &a [*a]",
    "a scalar of 10 MB": lambda: _HEAD.encode() + b"data: {a: " + b"x" * 10 * MB + b"}",
    "a hundred thousand documents": lambda: b"---\na: 1\n" * 100_000,
    "an anchor on a key": lambda: _HEAD.encode() + b"? &a [x]\n: *a\n",
    "a tag of Python's": lambda: b"!!python/object/apply:os.system ['touch /tmp/owned']",
    "a tag for a name": lambda: b"a: !!python/name:os.system ''",
    "the same key twice": lambda: _HEAD.encode() + b"data: {a: x}\ndata: {b: y}\n",
    "keys that are no text": lambda: _HEAD.encode() + b"data: {1: x, null: y, [a]: z}\n",
    "a number without an end": lambda: _HEAD.encode() + b"data: {a: 1e309}\n",
    "infinity": lambda: _HEAD.encode() + b"data: {a: .inf, b: .nan}\n",
    "old numbers": lambda: _HEAD.encode() + b"data: {a: 0o17, b: 017, c: 1:30:00, d: 0x1F}\n",
    "a byte order mark": lambda: b"\xef\xbb\xbf" + _HEAD.encode() + b"data: {a: [}",
    "UTF-16": lambda: _HEAD.encode("utf-16"),
    "depth": lambda: b"a: " + b"[" * 100_000,
    "depth by lines": lambda: b"\n".join(b" " * n + b"a:" for n in range(3_000)),
    "a merge of merges": lambda: (
        "\n".join(["a0: &a0 {x: 1}"] + [f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)])
    ).encode(),
    "half of a letter": lambda: _HEAD.encode() + b"data: {a: \xc3}",
    "quotes without an end": lambda: b'a: "' + b"\\x41" * 500_000,
    "a number of ten thousand digits": lambda: _HEAD.encode() + b"data: {a: " + b"1" * 10_000 + b"}",
}

JSON: dict[str, Callable[[], bytes]] = {
    "depth": lambda: b"[" * 100_000,
    "depth of objects": lambda: b'{"a":' * 50_000,
    "depth that ends": lambda: b"[" * 1_000 + b"]" * 1_000,
    "a number of a million digits": lambda: b'{"a": ' + b"9" * MB + b"}",
    "a number without an end": lambda: b'{"a": 1e999999}',
    "half of a pair": lambda: b'{"a": "\\ud800"}',
    "the same key twice": lambda: b'{"kind": "A", "kind": "B"}',
    "no JSON": lambda: b"{NaN: Infinity}",
    "nothing": lambda: b"",
    "NULs": lambda: b"\x00" * 1_000,
    "a million numbers": lambda: b"[" + b"0," * 1_000_000 + b"0]",
    "a million keys": lambda: b"{" + b",".join(b'"%d":0' % n for n in range(200_000)) + b"}",
    "10 MB": lambda: b'{"a": "' + b"x" * 10 * MB + b'"}',
} | {f"text: {name}": (lambda text=text: _named(text)) for name, text in _TEXTS.items()}


def _named(text: str) -> bytes:
    """The text where names, labels, annotations and values are."""
    metadata = {"name": text, "labels": {text: text}, "annotations": {text: text}, "namespace": text}
    content = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {text: text}}
    return json.dumps(content).encode()


COMPRESSED: dict[str, Callable[[], tuple[str, bytes]]] = {
    "gzip": lambda: ("gzip", gzip.compress(b" " * 100 * MB)),
    "deflate": lambda: ("deflate", zlib.compress(b" " * 100 * MB)),
    "gzip of gzip": lambda: ("gzip, gzip", gzip.compress(gzip.compress(b" " * 100 * MB))),
    "br": lambda: ("br", b"\xff" * 1000),
    "zstd": lambda: ("zstd", b"\x28\xb5\x2f\xfd" + b"\x00" * 100),
}


def _names(count: int) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return csr_of(key, x509.SubjectAlternativeName([x509.DNSName(f"n{n}") for n in range(count)]))


def _jwt(size: int) -> str:
    head = base64.urlsafe_b64encode(b'{"alg":"none","kid":"../../dev/null"}').decode()
    return f"{head}.{'A' * size}."


REQUESTS: dict[str, Callable[[], bytes]] = {
    "many names": lambda: _names(20_000),
    "ten thousand certificates": lambda: b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" * 10_000,
    "a header without an end": lambda: b"-----BEGIN CERTIFICATE REQUEST-----\n" + b"A" * 100_000,
    "lengths that lie": lambda: _pem(b"\x30\x84\xff\xff\xff\xff" + os.urandom(100)),
    "depth": lambda: _pem(b"\x30\x80" * 4_000),
    "random": lambda: _pem(os.urandom(5_000)),
    "text": lambda: "ünïcödé\x00".encode(),
}


def _pem(der: bytes) -> bytes:
    body = base64.encodebytes(der)
    return b"-----BEGIN CERTIFICATE REQUEST-----\n" + body + b"-----END CERTIFICATE REQUEST-----\n"


TOKENS: dict[str, Callable[[], str]] = {
    "1 MB": lambda: "x" * MB,
    "a JWT of 1 MB": lambda: _jwt(MB),
    "a JWT without a signature": lambda: _jwt(100),
    "dots": lambda: "." * 4_000,
    "SQL": lambda: "' OR '1'='1",
    "NUL": lambda: "weft_api_\\x00",
}


def multipart(parts: int) -> bytes:
    """A form of many parts."""
    out = io.BytesIO()
    for number in range(parts):
        out.write(b'--b\r\nContent-Disposition: form-data; name="%d"\r\n\r\n\r\n' % number)
    return out.getvalue()
