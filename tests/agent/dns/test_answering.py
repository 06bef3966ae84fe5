"""What is answered to which question."""

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from tests.agent.dns.tables import SUFFIX, table
from weft.agent.dns.answering import Answering, Elsewhere


@pytest.fixture
def answering() -> Answering:
    made = Answering(("corp.example",))
    made.use(table())
    return made


def asked(answering: Answering, name: str, kind: str = "A", **options: object) -> dns.message.Message | Elsewhere:
    options = {"use_edns": True, "payload": 1232} | options
    found = answering.answer(dns.message.make_query(name, kind, **options).to_wire(), udp=True)
    return found if isinstance(found, Elsewhere) else dns.message.from_wire(found)


def records(answer: dns.message.Message, section: int = 1) -> list[str]:
    return [record.to_text() for rrset in answer.sections[section] for record in rrset]


@pytest.mark.parametrize(
    "name",
    ["reviews", "REVIEWS", "reviews.shop", "reviews.shop.svc", f"reviews.shop.{SUFFIX}", "reviews.shop.corp.example"],
)
def test_a_service_is_known_by_its_short_and_whole_names(answering, name):
    answer = asked(answering, name)
    assert records(answer) == ["240.241.0.1"]
    assert answer.answer[0].name == answer.question[0].name
    assert answer.answer[0].ttl == 30
    assert answer.flags & dns.flags.AA


def test_services_of_other_namespaces_have_no_names_of_one_word(answering):
    assert records(asked(answering, "reviews.other", "AAAA")) == ["2001:2::2"]
    assert isinstance(asked(answering, "other"), Elsewhere)


def test_hosts_of_entries_are_known_by_their_names_alone(answering):
    assert records(asked(answering, "api.example.com")) == ["240.240.0.9"]
    for name in ("api", "www.example.com", "x.api.example.com"):
        assert isinstance(asked(answering, name), Elsewhere)


@pytest.mark.parametrize("kind", ["AAAA", "TXT", "MX", "HTTPS", "SRV"])
def test_what_a_name_has_nothing_of_it_has_not(answering, kind):
    answer = asked(answering, "reviews", kind)
    assert (answer.rcode(), records(answer)) == (dns.rcode.NOERROR, [])
    assert answer.authority[0].rdtype == dns.rdatatype.SOA
    assert answer.authority[0].name == answer.question[0].name or SUFFIX in answer.authority[0].name.to_text()


def test_names_above_names_are_there(answering):
    answer = asked(answering, f"shop.{SUFFIX}")
    assert (answer.rcode(), records(answer)) == (dns.rcode.NOERROR, [])


def test_a_service_that_is_not_there_does_not_exist(answering):
    answer = asked(answering, f"nobody.shop.{SUFFIX}")
    assert answer.rcode() == dns.rcode.NXDOMAIN
    assert answer.authority[0].name.to_text() == f"{SUFFIX}."


def test_in_kubernetes_others_know_services_too():
    made = Answering((f"shop.{SUFFIX}", SUFFIX, "cluster.local"))
    made.use(table())
    assert isinstance(asked(made, f"nobody.shop.{SUFFIX}"), Elsewhere)
    assert records(asked(made, f"reviews.shop.{SUFFIX}")) == ["240.241.0.1"]


def test_pods_of_headless_services_take_turns_and_have_names_of_their_own(answering):
    answers = [records(asked(answering, "db")) for _ in range(3)]
    assert {one[0] for one in answers} == {"10.0.0.1", "10.0.0.2", "10.0.0.3"}
    assert all(sorted(one) == ["10.0.0.1", "10.0.0.2", "10.0.0.3"] for one in answers)
    assert records(asked(answering, f"db-1.db.shop.{SUFFIX}")) == ["10.0.0.2"]
    assert asked(answering, "db-1.db").answer[0].ttl == 5


def test_service_records_tell_ports(answering):
    answer = asked(answering, f"_http._tcp.reviews.shop.{SUFFIX}", "SRV")
    assert records(answer) == [f"0 100 9080 reviews.shop.{SUFFIX}."]
    assert records(answer, 3) == ["240.241.0.1"]
    answer = asked(answering, "_tcp._tcp.db", "SRV")
    assert sorted(records(answer)) == [f"0 100 {3306 + at} db-{at}.db." for at in range(3)]


def test_other_names_of_the_mesh_lead_on(answering):
    answer = asked(answering, "inside")
    assert records(answer) == [f"reviews.other.{SUFFIX}.", "240.241.0.2"]
    found = asked(answering, "outside")
    assert isinstance(found, Elsewhere)
    assert found.alias == "www.example.org"


def test_what_does_not_fit_is_asked_for_again_over_tcp(answering):
    for options in ({"use_edns": False}, {"payload": 512}, {"payload": 1232}):
        answer = asked(answering, "many", **options)
        assert answer.flags & dns.flags.TC
        assert not answer.answer
    whole = answering.answer(dns.message.make_query("many", "A").to_wire(), udp=False)
    assert len(records(dns.message.from_wire(whole))) == 100


def test_clients_that_take_more_are_not_kept_from_it_by_those_that_take_less(answering):
    assert asked(answering, "db", use_edns=False).edns < 0
    assert asked(answering, "db").edns == 0


def test_a_new_table_is_answered_from_at_once(answering):
    asked(answering, "reviews")
    answering.use(table([{"host": f"reviews.shop.{SUFFIX}", "addresses": ["240.241.0.7"]}]))
    assert records(asked(answering, "reviews")) == ["240.241.0.7"]
    assert asked(answering, "db", "A").alias == ""
