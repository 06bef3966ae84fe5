"""Policies and what they are attached to: the oldest holds, and one without a target is told so."""

from weft.dialects.link_attachments import Places, settled
from weft.model.attachment import Attachment, Target
from weft.model.document import Key, Origin

_ORDERS = Key(kind="Service", namespace="shop", name="orders")
_PLACES: Places = {_ORDERS: frozenset({"http", "9080"})}


def _attachment(name: str, *targets: Target, created: str = "2026-01-01T00:00:00Z") -> Attachment:
    key = Key(kind="RateLimitPolicy", group="weft.dev", namespace="shop", name=name)
    return Attachment(origin=Origin(key=key, created=created), targets=targets)


def test_the_older_of_two_policies_holds_at_a_target() -> None:
    older = _attachment("zebra", Target(key=_ORDERS))
    younger = _attachment("ant", Target(key=_ORDERS), created="2026-02-01T00:00:00Z")
    found = settled((younger, older), _PLACES)
    assert list(found.attachments.values()) == [older]
    assert [(one.code, one.document, one.path) for one in found.findings] == [
        ("W0242", younger.origin.key, ("spec", "targetRefs", 0))
    ]


def test_a_policy_is_told_how_it_stands_with_each_target() -> None:
    older = _attachment("older", Target(key=_ORDERS))
    missing = Target(key=Key(kind="Service", namespace="shop", name="gone"))
    younger = _attachment("younger", Target(key=_ORDERS), missing, created="2026-02-01T00:00:00Z")
    first, second = settled((older, younger), _PLACES).standings
    assert first.conditions is not None
    assert second.ancestors is not None
    assert [(one.holds, one.reason) for one in first.conditions] == [(True, "Accepted")]
    assert [one.conditions[0].reason for one in second.ancestors] == ["Conflicted", "TargetNotFound"]
    assert dict(second.ancestors[1].parent)["name"] == "gone"


def test_a_part_of_a_target_is_a_place_of_its_own() -> None:
    whole, part = _attachment("whole", Target(key=_ORDERS)), _attachment("part", Target(key=_ORDERS, section="http"))
    found = settled((whole, part), _PLACES)
    assert len(found.attachments) == 2
    assert not found.findings


def test_a_policy_keeps_the_targets_that_nobody_else_has() -> None:
    older = _attachment("older", Target(key=_ORDERS))
    younger = _attachment(
        "younger", Target(key=_ORDERS), Target(key=_ORDERS, section="http"), created="2026-02-01T00:00:00Z"
    )
    found = settled((older, younger), _PLACES)
    assert found.attachments[younger.origin.key].targets == (Target(key=_ORDERS, section="http"),)


def test_a_target_that_is_not_there_is_told_and_the_policy_holds_nowhere() -> None:
    found = settled(
        (_attachment("one", Target(key=Key(kind="Service", namespace="shop", name="ordes"))),
         _attachment("two", Target(key=_ORDERS, section="htp"))),
        _PLACES,
    )  # fmt: skip
    assert not found.attachments
    assert [one.code for one in found.findings] == ["W0241", "W0241"]
    assert 'no part "htp" (it has 9080, http)' in found.findings[1].message


def test_two_policies_that_select_the_same_workloads_conflict() -> None:
    older, younger = (
        Attachment(origin=_attachment(name, created=created).origin, selector=(("app", "orders"),))
        for name, created in (("b", "2026-01-01T00:00:00Z"), ("a", "2026-02-01T00:00:00Z"))
    )
    found = settled((younger, older), _PLACES)
    assert list(found.attachments.values()) == [older]
    assert [one.path for one in found.findings] == [("spec", "selector")]
