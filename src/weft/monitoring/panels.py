"""The nouns of dashboards: what is asked, how it is shown, and by which choices it is narrowed."""

from enum import Enum

from weft.kit.value import Value


class Shape(Enum):
    """How numbers are shown; Grafana's names of panels."""

    LINES = "timeseries"
    NUMBER = "stat"
    TABLE = "table"
    HEAT = "heatmap"


class Query(Value):
    """One expression; ``legend`` names its series by their labels (``{{code}}``)."""

    expression: str
    legend: str = ""


class Panel(Value):
    """A picture. ``unit`` is Grafana's: ``reqps``, ``percentunit``, ``ms``, ``s``, ``Bps``, ``short``.

    ``width`` of 24. ``steps`` are values from which on a number is shown in another colour, best first.
    """

    title: str
    queries: tuple[Query, ...]
    unit: str = "short"
    shape: Shape = Shape.LINES
    width: int = 8
    about: str = ""
    steps: tuple[tuple[float, str], ...] = ()
    stacked: bool = False


class Row(Value):
    """Panels under a title."""

    title: str
    panels: tuple[Panel, ...]


class Choice(Value):
    """A variable: the values of a label of a metric, narrowed by those before it."""

    name: str
    label: str
    metric: str
    title: str
    many: bool = False


class Dashboard(Value):
    """A page. ``id`` is in its address and does not change."""

    id: str
    title: str
    about: str
    rows: tuple[Row, ...]
    choices: tuple[Choice, ...] = ()

    @property
    def expressions(self) -> tuple[str, ...]:
        """Everything that is asked."""
        return tuple(query.expression for row in self.rows for panel in row.panels for query in panel.queries)
