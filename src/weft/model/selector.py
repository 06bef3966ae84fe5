"""Selectors by labels, with Kubernetes' expressions."""

from enum import Enum

from weft.kit.value import Labels, Value, includes, value_at


class Operator(Enum):
    """How a label is compared with values."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


class Requirement(Value):
    """One condition on a label; ``values`` are for ``IN`` and ``NOT_IN``."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def met_by(self, labels: Labels) -> bool:
        """Whether labels meet it; one that is not there is not in any values."""
        value = value_at(labels, self.key)
        match self.operator:
            case Operator.IN:
                return value is not None and value in self.values
            case Operator.NOT_IN:
                return value is None or value not in self.values
            case Operator.EXISTS:
                return value is not None
            case Operator.DOES_NOT_EXIST:
                return value is None


class LabelSelector(Value):
    """All of the labels and all of the expressions; an empty one selects everything."""

    labels: Labels = ()
    expressions: tuple[Requirement, ...] = ()

    def selects(self, labels: Labels) -> bool:
        """Whether something with these labels is selected."""
        return includes(labels, self.labels) and all(one.met_by(labels) for one in self.expressions)
