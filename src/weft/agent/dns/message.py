"""DNS messages as far as a resolver of few kinds of records needs them (RFC 1035, 2782, 3596, 6891).

A query is looked at, never unpacked as a whole: its header, its one question, and whether it speaks EDNS. Whatever
comes over the network is either a ``Question`` or ``Malformed``.
"""

import struct
from ipaddress import ip_address

from weft.kit.value import Value

A, CNAME, SOA, AAAA, SRV, OPT, ANY = 1, 5, 6, 28, 33, 41, 255
IN = 1
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = 0, 1, 2, 3, 4, 5

HEADER = 12
PLAIN_SIZE = 512
"""What a client takes over UDP that says nothing of it."""
UDP_SIZE = 1232
"""What fits everywhere without being cut into pieces (the DNS flag day's)."""
LARGEST = 65_535

_LONGEST_NAME, _LONGEST_LABEL, _LONGEST_TTL = 255, 63, 86_400
_RESPONSE, _AUTHORITATIVE, _TRUNCATED, _ASKED, _RECURSION = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080
_OPCODE = 0x7800
_SELF = b"\xc0\x0c"
"""A pointer to the question's name."""
_OPT = b"\x00" + struct.pack("!HHIH", OPT, UDP_SIZE, 0, 0)


class Malformed(Exception):
    """A message that is answered with an error, or with nothing (``code`` -1)."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Question(Value):
    """What is asked. ``name`` is lower-case, without the last dot; ``wire`` the question as it came; ``size`` what the
    client takes over UDP; ``edns``: it said so."""

    name: str
    kind: int
    wire: bytes
    size: int = PLAIN_SIZE
    edns: bool = False


class Record(Value):
    """An answer. ``owner`` of "" is the name that was asked for; ``content`` is packed."""

    kind: int
    content: bytes
    ttl: int
    owner: str = ""


def read(query: bytes) -> Question:
    """A query's question. Raises ``Malformed``."""
    if len(query) < HEADER or len(query) > LARGEST:
        raise Malformed(-1)
    _, flags, questions, answers, authorities, more = struct.unpack_from("!HHHHHH", query)
    if flags & _RESPONSE:
        raise Malformed(-1)
    if flags & _OPCODE:
        raise Malformed(NOTIMP)
    if questions != 1 or answers or authorities:
        raise Malformed(FORMERR)
    name, end = _name(query, HEADER)
    if end + 4 > len(query):
        raise Malformed(FORMERR)
    kind, family = struct.unpack_from("!HH", query, end)
    if family != IN:
        raise Malformed(REFUSED)
    wire = query[HEADER : end + 4]
    size = _edns(query, end + 4, more)
    return Question(name=name, kind=kind, wire=wire, size=size or PLAIN_SIZE, edns=size > 0)


def _name(message: bytes, at: int) -> tuple[str, int]:
    """A name and where it ends; pointers have no place in a question."""
    labels: list[bytes] = []
    start = at
    while True:
        if at >= len(message):
            raise Malformed(FORMERR)
        length = message[at]
        at += 1
        if not length:
            break
        if length > _LONGEST_LABEL or at + length > len(message) or at + length - start > _LONGEST_NAME:
            raise Malformed(FORMERR)
        labels.append(message[at : at + length])
        at += length
    return b".".join(one.replace(b".", b"\\.") for one in labels).lower().decode("latin-1"), at


def _edns(message: bytes, at: int, records: int) -> int:
    """The size that the first OPT record says, 0 without one; what follows other records is not looked for."""
    if not records or len(message) < at + 11 or message[at]:
        return 0
    kind, size = struct.unpack_from("!HH", message, at + 1)
    return max(PLAIN_SIZE, min(size, UDP_SIZE)) if kind == OPT else 0


def answer(
    question: Question,
    records: tuple[Record, ...],
    *,
    code: int = NOERROR,
    authority: tuple[Record, ...] = (),
    additional: tuple[Record, ...] = (),
) -> bytes:
    """A response with the identifier 0, for ``stamped``; all that is known is in it, whatever its size."""
    flags = _RESPONSE | _AUTHORITATIVE | _RECURSION | code
    counts = (1, len(records), len(authority), len(additional) + question.edns)
    body = b"".join(_packed(one) for one in (*records, *authority, *additional))
    return struct.pack("!HHHHHH", 0, flags, *counts) + question.wire + body + (_OPT if question.edns else b"")


def stamped(response: bytes, query: bytes) -> bytes:
    """A response for this very query: its identifier, whether it asked for recursion, its spelling of the name."""
    asked = query[2] & (_ASKED >> 8)
    return query[:2] + bytes((response[2] | asked,)) + response[3:]


def fitting(response: bytes, question: Question, size: int) -> bytes:
    """The response, or without its records and marked as cut off if it is larger than ``size``."""
    if len(response) <= size:
        return response
    flags = int.from_bytes(response[2:4]) | _TRUNCATED
    rest = _OPT if question.edns else b""
    return response[:2] + struct.pack("!HHHHH", flags, 1, 0, 0, int(question.edns)) + question.wire + rest


def refusal(query: bytes, code: int) -> bytes:
    """An error in answer to something that could not be read, or not be answered; "" where nothing is."""
    if code < 0 or len(query) < HEADER:
        return b""
    flags = _RESPONSE | _RECURSION | (int.from_bytes(query[2:4]) & (_OPCODE | _ASKED)) | code
    return query[:2] + struct.pack("!HHHHH", flags, 0, 0, 0, 0)


def failed(query: bytes, question: Question) -> bytes:
    """That an answer could not be had (SERVFAIL)."""
    bare = struct.pack("!HHHHHH", 0, _RESPONSE | _RECURSION | SERVFAIL, 1, 0, 0, int(question.edns))
    return stamped(bare + question.wire + (_OPT if question.edns else b""), query)


def is_truncated(response: bytes) -> bool:
    """Whether more is to be had over TCP."""
    return bool(response[2] & (_TRUNCATED >> 8))


def answers(response: bytes, question: Question) -> bool:
    """Whether a response is to this question; letters may be spelt otherwise, and an error may leave it out."""
    if len(response) < HEADER or not response[2] & (_RESPONSE >> 8):
        return False
    if response[4:6] == b"\0\0":
        return code_of(response) != NOERROR
    return response[HEADER : HEADER + len(question.wire)].lower() == question.wire.lower()


def query_for(name: str, kind: int) -> bytes:
    """A query with the identifier 0. Raises ``ValueError`` for what is no name."""
    return struct.pack("!HHHHHH", 0, _ASKED, 1, 0, 0, 1) + packed_name(name) + struct.pack("!HH", kind, IN) + _OPT


def code_of(response: bytes) -> int:
    """The response code."""
    return response[3] & 0x0F


def addresses_in(response: bytes, owner: str) -> tuple[Record, ...]:
    """The addresses that a response answers with, as those of ``owner``, whatever names led to them.

    Raises ``Malformed``.
    """
    questions, answers_ = struct.unpack_from("!HH", response, 4)
    at = HEADER
    found = []
    for _ in range(questions):
        at = _skipped(response, at) + 4
    for _ in range(answers_):
        at = _skipped(response, at)
        if at + 10 > len(response):
            raise Malformed(FORMERR)
        kind, _, ttl, length = struct.unpack_from("!HHIH", response, at)
        content = response[at + 10 : at + 10 + length]
        at += 10 + length
        if (kind, len(content)) in ((A, 4), (AAAA, 16)):
            found.append(Record(kind=kind, content=content, ttl=min(ttl, _LONGEST_TTL), owner=owner))
    return tuple(found)


def _skipped(message: bytes, at: int) -> int:
    """Where a name ends, which may end in a pointer."""
    while at < len(message):
        length = message[at]
        if length >= 0xC0:
            return at + 2
        at += length + 1
        if not length:
            return at
    raise Malformed(FORMERR)


def packed_name(name: str) -> bytes:
    """A name on the wire. Raises ``ValueError`` for one that cannot be."""
    labels = [label.encode("ascii") for label in name.rstrip(".").split(".")] if name.strip(".") else []
    if any(not 0 < len(label) <= _LONGEST_LABEL for label in labels):
        raise ValueError(f"{name!r} is no name")
    packed = b"".join(bytes((len(label),)) + label for label in labels) + b"\x00"
    if len(packed) > _LONGEST_NAME:
        raise ValueError(f"{name!r} is too long")
    return packed


def address(text: str, ttl: int, owner: str = "") -> Record:
    """An A or AAAA record."""
    found = ip_address(text)
    return Record(kind=A if found.version == 4 else AAAA, content=found.packed, ttl=ttl, owner=owner)


def alias(name: str, ttl: int) -> Record:
    """A CNAME record."""
    return Record(kind=CNAME, content=packed_name(name), ttl=ttl)


def service(name: str, port: int, ttl: int) -> Record:
    """An SRV record; all weigh the same."""
    return Record(kind=SRV, content=struct.pack("!HHH", 0, 100, port) + packed_name(name), ttl=ttl)


def start_of_authority(zone: str, ttl: int) -> Record:
    """The SOA record that says for how long there is nothing (RFC 2308)."""
    numbers = struct.pack("!IIIII", 1, 7200, 1800, 86400, ttl)
    content = packed_name(f"ns.dns.{zone}") + packed_name(f"hostmaster.{zone}") + numbers
    return Record(kind=SOA, content=content, ttl=ttl, owner=zone)


def _packed(record: Record) -> bytes:
    owner = packed_name(record.owner) if record.owner else _SELF
    return owner + struct.pack("!HHIH", record.kind, IN, record.ttl, len(record.content)) + record.content
