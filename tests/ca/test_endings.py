"""What ends is told long before, and what weft renews by itself only when that failed."""

import pytest
from msgspec.structs import replace

from tests.dialects.documents import document, linked
from tests.issuing.test_local import order
from weft.ca.ending import Ending, worrying
from weft.ca.rotator import Holder
from weft.duties.endings import endings_of_secrets, endings_of_workloads
from weft.model.credential import StoredCredential
from weft.model.document import Key
from weft.model.identity import Identity
from weft.model.issuing import Issuance, LocalIssuer

DAY = 86400.0
YEAR = 365 * DAY


@pytest.mark.parametrize(
    ("kind", "life", "renewed", "days"),
    [
        ("root", 10 * YEAR, False, 180),
        ("root", 90 * DAY, False, 30),
        ("intermediate", YEAR, False, 60),
        ("intermediate", 90 * DAY, True, 22.5),
        ("server", DAY, True, 0.25),
        ("secret", 90 * DAY, False, 30),
        ("secret", 398 * DAY, False, 60),
        ("workload", DAY, True, 0.25),
    ],
)
def test_the_warning_begins_so_many_days_before_the_end(kind: str, life: float, renewed: bool, days: float) -> None:
    ending = Ending(kind=kind, name="it", expires=life, life=life, renewed=renewed)
    assert not worrying(ending, life - days * DAY - 1)
    assert worrying(ending, life - days * DAY + 1)
    assert worrying(ending, life + 1)


def holder(name: str, expires: float) -> Holder:
    identity = Identity(trust_domain="cluster.local", namespace="shop", account="web")
    return Holder(identity=identity, name=name, tag="t", seen=0.0, expires=expires)


def test_workloads_are_named_when_their_renewal_is_late() -> None:
    holders = [holder("fresh", 20_000.0), holder("late", 10_100.0), holder("old agent", 0.0)]
    found = list(endings_of_workloads(holders, lifetime=3600.0, now=10_000.0))
    assert [one.name for one in found] == ["late.shop"]


def test_secrets_in_use_end_and_those_of_an_issuer_are_renewed() -> None:
    mesh = linked(document("Namespace", "{}", "shop", namespace=""))
    keys = [Key(kind="Secret", namespace="shop", name=name) for name in ("edge", "own", "roots")]
    stored = {
        keys[0]: StoredCredential(key=keys[0], certificate=True, not_before=0, not_after=100),
        keys[1]: StoredCredential(key=keys[1], certificate=True, not_before=0, not_after=200),
        keys[2]: StoredCredential(key=keys[2], authorities=True),
    }
    issuance = Issuance(order=order(), issuer=LocalIssuer(key=Key(kind="Issuer", namespace="shop", name="i")))
    told = list(endings_of_secrets(replace(mesh, credentials=stored, issuances=(issuance,))))
    assert [(one.name, one.expires, one.renewed) for one in told] == [
        ("shop/edge", 100.0, True),
        ("shop/own", 200.0, False),
    ]
    assert list(endings_of_secrets(None)) == []
