"""Whatever comes, a resolver answers it or is silent; what it answers, others can read."""

import contextlib

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agent.dns.tables import table
from weft.agent.dns import message
from weft.agent.dns.answering import Answering, Elsewhere
from weft.agent.dns.message import Malformed
from weft.agent.dns.table import BadTable, NameTable


def _answering() -> Answering:
    made = Answering()
    made.use(table())
    return made


_names = st.sampled_from(["reviews", "reviews.shop.svc.cluster.local", "db.shop", "x.svc.cluster.local", "example.com"])
_queries = st.builds(
    lambda name, kind, edns: dns.message.make_query(name, kind, use_edns=edns).to_wire(),
    _names,
    st.sampled_from(["A", "AAAA", "SRV", "TXT", "SOA", "MX", "HTTPS", "ANY"]),
    st.booleans(),
)


def _spoiled(query: bytes, at: int, byte: int, cut: int) -> bytes:
    spoiled = bytearray(query)
    spoiled[at % len(query)] = byte
    return bytes(spoiled[: len(query) - cut])


@given(
    st.binary(max_size=600) | st.builds(_spoiled, _queries, st.integers(0, 80), st.integers(0, 255), st.integers(0, 9))
)
def test_whatever_comes_is_answered_passed_on_or_dropped(query):
    for udp in (True, False):
        found = _answering().answer(query, udp=udp)
        if isinstance(found, Elsewhere) or not found:
            continue
        assert found[:2] == query[:2]
        assert found[2] & 0x80
        with contextlib.suppress(dns.exception.DNSException):
            dns.message.from_wire(query)
            dns.message.from_wire(found)


@given(_queries)
def test_others_can_read_every_answer(query):
    found = _answering().answer(query, udp=True)
    if isinstance(found, bytes):
        asked, answered = dns.message.from_wire(query), dns.message.from_wire(found)
        assert asked.is_response(answered)
        assert (answered.edns >= 0) == (asked.edns >= 0)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda query: query.set_opcode(dns.opcode.STATUS), dns.rcode.NOTIMP),
        (lambda query: query.question.append(query.question[0]), dns.rcode.FORMERR),
        (lambda query: query.question.clear(), dns.rcode.FORMERR),
    ],
)
def test_what_is_not_a_query_for_one_name_is_refused(change, code):
    query = dns.message.make_query("reviews", "A")
    change(query)
    found = _answering().answer(query.to_wire(), udp=True)
    assert isinstance(found, bytes)
    assert dns.message.from_wire(found).rcode() == code


def test_other_classes_are_refused_and_responses_dropped():
    chaos = dns.message.make_query("version.bind", "TXT", rdclass="CH").to_wire()
    assert _answering().answer(chaos, udp=True)[3] & 15 == dns.rcode.REFUSED
    response = dns.message.make_response(dns.message.make_query("reviews", "A")).to_wire()
    assert _answering().answer(response, udp=True) == b""
    assert _answering().answer(b"\0" * 5, udp=True) == b""


@given(st.binary(max_size=300))
def test_addresses_are_read_out_of_any_bytes_or_none(response):
    with contextlib.suppress(Malformed):
        message.addresses_in(response.ljust(message.HEADER, b"\0"), "example.com")


@given(st.binary(max_size=200))
def test_a_table_is_read_or_refused(body):
    with contextlib.suppress(BadTable):
        NameTable(body)


def test_names_that_cannot_be_are_left_out_of_a_table():
    hosts = [
        {"host": "a" * 64 + ".example.com", "addresses": ["10.0.0.1"]},
        {"host": "ü.example.com", "addresses": ["10.0.0.1"]},
        {"host": "bad.example.com", "addresses": ["10.0.0.x"]},
        {"host": "alias.example.com", "alias": "x" * 300},
    ]
    found = table(hosts)
    assert found.find("bad.example.com").addresses == ()
    assert found.find("alias.example.com").alias == ""
    assert len(found) == 2
