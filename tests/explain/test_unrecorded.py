"""What is said of calls of which not everything is known is so, whatever the rest was."""

from itertools import combinations

import pytest

from weft.explain.access import Outcome, verdict_of
from weft.explain.question import Question
from weft.explain.unrecorded import NOT_RECORDED, asked_of, in_words, suppositions
from weft.model.authorization import AccessPolicy, AccessRule, Action, Attribute, Condition
from weft.model.document import Key, Origin
from weft.model.match import Exact
from weft.view.access import Guards

HEADER = Condition(attribute=Attribute.HEADER, keys=("x",), any_of=(Exact(value="a"),))
NO_HEADER = Condition(attribute=Attribute.HEADER, keys=("x",), none_of=(Exact(value="a"),))
TOKEN = Condition(attribute=Attribute.CLAIM, keys=("role",), any_of=(Exact(value="admin"),))
PATH = Condition(attribute=Attribute.PATH, any_of=(Exact(value="/open"),))
RULES = ((HEADER,), (NO_HEADER, PATH), (HEADER, TOKEN), (PATH,))
POLICIES = tuple(
    AccessPolicy(
        origin=Origin(key=Key(kind="AuthorizationPolicy", name=f"{action.value}-{index}", namespace="shop")),
        namespace="shop",
        action=action,
        rules=(AccessRule(when=conditions), AccessRule(when=(TOKEN,)))[: 1 + index % 2],
    )
    for action in (Action.ALLOW, Action.DENY)
    for index, conditions in enumerate(RULES)
)
ASKED = tuple(
    {"path": path, "headers": headers, "claims": claims, "bytes_only": bytes_only}
    for path in ("/open", "/else")
    for headers in ((), (("x", "a"),), (("x", "b"),))
    for claims in (None, {"role": "admin"})
    for bytes_only in (False, True)
)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_verdict_is_among_those_that_may_be(count: int) -> None:
    decided = 0
    for chosen in combinations(POLICIES, count):
        guards = Guards(policies=chosen)
        unsure = [one for one in chosen if asked_of(one)]
        for asked in ASKED:
            known = {"path": asked["path"], "bytes_only": asked["bytes_only"], "unknown": NOT_RECORDED}
            may_be: set[Outcome] = {
                verdict_of(guards, Question(**known, supposed=one)).outcome for one in suppositions(unsure)
            }
            assert verdict_of(guards, Question(**asked)).outcome in may_be, (chosen, asked)
            decided += len(may_be) == 1
    assert decided, "something can be said"


def test_too_many_policies_are_not_gone_through() -> None:
    many = [POLICIES[0], *POLICIES[1:]]
    assert len(list(suppositions(many[:5]))) == 32
    assert list(suppositions(many)) == []


def test_what_is_missing_is_named() -> None:
    assert in_words(POLICIES[:1]) == "headers"
    assert in_words(POLICIES) == "headers and tokens"
