"""When certificates are obtained, renewed and tried again."""

import pytest
from cryptography import x509
from msgspec.structs import replace

from tests.xds.certificates import Root
from weft.dialects.kubernetes.credentials import stored_credential
from weft.issuing.documents import certificate_secret, condition, content_of, field_of, with_conditions
from weft.issuing.schedule import Pace, due_at, pause_after
from weft.model.document import Document, Key
from weft.model.issuing import AcmeIssuer, Issuance, IssuerReference, Order

ISSUER = AcmeIssuer(
    key=Key(group="cert-manager.io", kind="Issuer", namespace="shop", name="i"),
    server="https://acme.example.com",
    account=Key(kind="Secret", namespace="shop", name="account"),
)
ORDER = Order(
    document=Key(group="cert-manager.io", kind="Certificate", namespace="shop", name="c"),
    path=("spec",),
    secret=Key(kind="Secret", namespace="shop", name="s"),
    names=("a.com", "b.com"),
    reference=IssuerReference(kind="Issuer", name="i"),
)
ISSUANCE = Issuance(order=ORDER, issuer=ISSUER)


def kept(issuance: Issuance = ISSUANCE, old: Document | None = None) -> Document:
    key, chain = Root().issue(*(x509.DNSName(name) for name in issuance.order.names))
    return certificate_secret(issuance, chain, key, old, 1.7e9)


def due(secret: Document | None, issuance: Issuance = ISSUANCE) -> float:
    return due_at(issuance, secret, stored_credential(secret) if secret is not None else None)


def test_what_is_not_there_or_not_what_is_asked_for_is_due_at_once() -> None:
    secret = kept()
    assert due(None) == 0
    assert due(secret) > 0
    assert due(secret, Issuance(order=replace(ORDER, names=("a.com",)), issuer=ISSUER)) == 0
    assert due(secret, Issuance(order=ORDER, issuer=replace(ISSUER, server="https://other.example.com"))) == 0
    assert due(replace(secret, content=b'{"metadata":{},"data":{}}')) == 0


def test_it_is_renewed_in_the_last_third_of_its_life_and_spread_a_little() -> None:
    times = []
    for _ in range(5):
        secret = kept()
        facts = stored_credential(secret)
        assert facts.not_before is not None
        assert facts.not_after is not None
        life = facts.not_after - facts.not_before
        share = (due(secret) - facts.not_before) / life
        assert 2 / 3 - 0.021 <= share <= 2 / 3
        assert due(secret) == due(secret)
        times.append(share)
    assert len(set(times)) > 1


@pytest.mark.parametrize(
    ("change", "share"), [({"renew_before": 3600}, 1 - 3600 / 172800), ({"renew_percent": 50}, 0.5)]
)
def test_the_time_of_renewal_can_be_chosen(change: dict[str, int], share: float) -> None:
    issuance = Issuance(order=replace(ORDER, **change), issuer=ISSUER)
    secret = kept()
    facts = stored_credential(secret)
    assert facts.not_before is not None
    assert facts.not_after is not None
    found = (due(secret, issuance) - facts.not_before) / (facts.not_after - facts.not_before)
    assert share - 0.021 <= found <= share


def test_a_certificate_that_lives_shorter_than_it_is_renewed_before_is_not_renewed_without_end() -> None:
    issuance = Issuance(order=replace(ORDER, renew_before=10**9), issuer=ISSUER)
    secret = kept()
    facts = stored_credential(secret)
    assert facts.not_before is not None
    assert due(secret, issuance) > facts.not_before


def test_pauses_grow_to_a_limit_and_are_spread() -> None:
    pace = Pace(first_pause=60, longest_pause=600)
    assert [pause_after(number, pace, 0) for number in (1, 2, 3, 4, 5, 500)] == [60, 120, 240, 480, 600, 600]
    assert pause_after(1, pace, 1) == 72


def test_a_secret_keeps_what_others_wrote_into_it() -> None:
    old = kept()
    content = content_of(old)
    content["metadata"]["annotations"]["mine"] = "stays"
    content["data"]["extra"] = "eA=="
    import msgspec

    renewed = kept(old=replace(old, content=msgspec.json.encode(content)))
    assert content_of(renewed)["metadata"]["annotations"]["mine"] == "stays"
    assert field_of(renewed, "extra") == b"x"
    assert field_of(renewed, "tls.key") != field_of(old, "tls.key")
    assert renewed.uid == old.uid


def test_a_status_that_says_so_already_is_not_written() -> None:
    document = Document(key=ORDER.document, content=b'{"metadata":{},"status":{"conditions":[{"type":"Accepted"}]}}')
    told = (condition("Ready", False, "Failed", "why"),)
    first = with_conditions(document, told, {"notAfter": "2030-01-01T00:00:00Z"}, 1.0)
    assert first is not None
    conditions = content_of(first)["status"]["conditions"]
    assert [one["type"] for one in conditions] == ["Accepted", "Ready"]
    assert with_conditions(first, told, {"notAfter": "2030-01-01T00:00:00Z"}, 99.0) is None
