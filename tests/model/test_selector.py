"""Selectors by labels."""

import pytest

from weft.model.selector import LabelSelector, Operator, Requirement

LABELS = (("app", "shop"), ("tier", "web"))


def require(key: str, operator: Operator, *values: str) -> LabelSelector:
    return LabelSelector(expressions=(Requirement(key=key, operator=operator, values=values),))


def test_an_empty_selector_selects_everything() -> None:
    assert LabelSelector().selects(())


def test_every_label_of_a_selector_must_be_there() -> None:
    assert LabelSelector(labels=(("app", "shop"),)).selects(LABELS)
    assert not LabelSelector(labels=(("app", "shop"), ("tier", "db"))).selects(LABELS)


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        (require("tier", Operator.IN, "web", "db"), True),
        (require("tier", Operator.IN, "db"), False),
        (require("zone", Operator.IN, "a"), False),
        (require("tier", Operator.NOT_IN, "db"), True),
        (require("tier", Operator.NOT_IN, "web"), False),
        (require("zone", Operator.NOT_IN, "a"), True),
        (require("tier", Operator.EXISTS), True),
        (require("zone", Operator.EXISTS), False),
        (require("tier", Operator.DOES_NOT_EXIST), False),
        (require("zone", Operator.DOES_NOT_EXIST), True),
    ],
)
def test_expressions_mean_what_kubernetes_means(selector: LabelSelector, selected: bool) -> None:
    assert selector.selects(LABELS) is selected
