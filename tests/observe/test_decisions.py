"""What proxies tell of refusals: read as decisions, of the proxy that the certificate lets them be."""

import pytest

from weft._pb.envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage
from weft.kit.clock import FakeClock
from weft.model.identity import Identity
from weft.observe.access_logs import Malformed, access_log_sink
from weft.observe.decisions import LOG, Decision, Decisions

REVIEWS = Identity(trust_domain="cluster.local", namespace="shop", account="reviews")
WEB = "spiffe://cluster.local/ns/shop/sa/web"


class Told:
    """A sink of decisions, and what was handed on."""

    def __init__(self) -> None:
        self.found: list[Decision] = []
        self.clock = FakeClock()
        self.decisions = Decisions(self.clock, self.found.extend)
        self.receive = access_log_sink({LOG: self.decisions.read}).opened(REVIEWS)

    def tell(self, *messages: StreamAccessLogsMessage) -> list[Decision]:
        for message in messages:
            for _ in self.receive(message.SerializeToString()) or ():
                pass
        return self.found


def message(count: int = 1, node: str = "reviews-v1.shop", log: str = LOG, **notes: str | bool):
    made = StreamAccessLogsMessage()
    made.identifier.node.id = node
    made.identifier.log_name = log
    for _ in range(count):
        entry = made.http_logs.log_entry.add()
        entry.request.request_method = 1
        entry.request.path = "/reviews/1?token=secret"
        entry.request.authority = "reviews:9080"
        entry.response.response_code.value = 403
        common = entry.common_properties
        common.start_time.seconds = 1_700_000_000
        common.downstream_direct_remote_address.socket_address.address = "10.0.0.31"
        common.tls_properties.peer_certificate_properties.subject_alt_name.add().uri = WEB
        for key, value in notes.items():
            hinted = key == "access_log_hint"
            struct = common.metadata.filter_metadata["envoy.common" if hinted else "envoy.filters.http.rbac"]
            struct.update({key: value})
    return made


def test_a_refusal_names_who_called_what_and_the_rule_that_refused():
    denied = message(enforced_engine_result="denied", enforced_effective_policy_id="ns[shop]-policy[no-web]-rule[2]")
    assert Told().tell(denied) == [
        Decision(
            at=1_700_000_000.0,
            proxy="reviews-v1.shop",
            reporter=REVIEWS,
            action="DENY",
            source=WEB,
            address="10.0.0.31",
            method="GET",
            authority="reviews:9080",
            path="/reviews/1",
            policy="shop/no-web",
            rule="2",
            detail="ns[shop]-policy[no-web]-rule[2]",
            code=403,
        )
    ]


def test_the_details_of_an_answer_tell_it_too():
    denied = message()
    denied.http_logs.log_entry[
        0
    ].response.response_code_details = "rbac_access_denied_matched_policy[ns[shop]-policy[a]-rule[0]]"
    (found,) = Told().tell(denied)
    assert (found.policy, found.rule, found.action) == ("shop/a", "0", "DENY")


def test_where_no_policy_allows_none_is_named():
    (found,) = Told().tell(
        message(enforced_engine_result="denied", enforced_effective_policy_id="no-allow-policy-matches")
    )
    assert (found.action, found.policy, found.detail) == ("ALLOW", "", "no-allow-policy-matches")


def test_one_call_can_be_audited_tried_and_refused():
    found = Told().tell(
        message(
            access_log_hint=True,
            weft_audit_enforced_effective_policy_id="ns[shop]-policy[note]-rule[0]",
            istio_dry_run_deny_shadow_engine_result="denied",
            istio_dry_run_deny_shadow_effective_policy_id="ns[shop]-policy[tried]-rule[1]",
            istio_dry_run_allow_shadow_engine_result="allowed",
            enforced_engine_result="denied",
            enforced_effective_policy_id="ns[shop]-policy[real]-rule[0]",
        )
    )
    assert [(one.action, one.policy, one.dry_run) for one in found] == [
        ("AUDIT", "shop/note", False),
        ("DENY", "shop/tried", True),
        ("DENY", "shop/real", False),
    ]


def test_a_call_that_was_allowed_makes_no_decision():
    assert Told().tell(message(enforced_engine_result="allowed", access_log_hint=False)) == []


def test_a_proxy_cannot_speak_for_another_namespace():
    with pytest.raises(Malformed, match="not of the namespace"):
        Told().tell(message(node="reviews-v1.bank"))


def test_the_node_of_the_first_message_holds_for_the_stream():
    second = message(node="", enforced_engine_result="denied")
    second.identifier.Clear()
    found = Told().tell(message(enforced_engine_result="denied"), second)
    assert [one.proxy for one in found] == ["reviews-v1.shop"] * 2


def test_another_log_is_taken_and_forgotten():
    assert Told().tell(message(log="another", enforced_engine_result="denied")) == []


@pytest.mark.parametrize("content", [b"\xff", b"\x0a\xff\xff\xff\xff\x0f"])
def test_what_is_no_message_ends_the_stream(content: bytes):
    with pytest.raises(Malformed, match="no message of an access log"):
        Told().receive(content)


def test_more_than_a_proxys_share_is_dropped_and_counted():
    told = Told()
    told.tell(message(1500, enforced_engine_result="denied"))
    assert (len(told.found), told.decisions.told, told.decisions.dropped) == (1000, 1000, 500)
    told.clock.advance(1)
    told.tell(message(150, enforced_engine_result="denied"))
    assert told.decisions.told == 1100
