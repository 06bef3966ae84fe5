"""The terminal of ``weft top``: a table that is asked for again and again, and keys as k9s has them."""

from collections.abc import Callable
from typing import Any, ClassVar

from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import DataTable, Footer, Input, Static

from weft.cli.top_rows import HEAD, Item, Of, Rows, Sort
from weft.kit.errors import UserError

_KINDS = {"1": Of.SERVICE, "2": Of.WORKLOAD, "3": Of.EDGE, "4": Of.NAMESPACE, "5": Of.ROUTE}
_SORTS = {"N": Sort.NAME, "S": Sort.SUCCESS, "R": Sort.RATE, "P": Sort.P50, "O": Sort.P95, "I": Sort.P99}
HELP = """\
1 services   2 workloads   3 edges   4 namespaces   5 routes

Shift-N name        Shift-S success rate   Shift-R calls a second
Shift-P p50         Shift-O p95            Shift-I p99
the same key again turns the order round

/ filter by words   Esc no filter   Space pause and go on   q quit

The bars are calls a second, the newest right. Names are red where more than one call in a hundred failed.
Press any key."""

Ask = Callable[[Of], list[Item]]
"""Asks for the items of a kind; may take a while. Raises ``UserError``."""


class Help(ModalScreen[None]):
    """What the keys do."""

    DEFAULT_CSS = """
    Help { align: center middle; }
    Help Static { width: auto; height: auto; border: round $accent; padding: 1 2; }
    """

    def compose(self) -> ComposeResult:
        """One text."""
        yield Static(HELP, id="help")

    def on_key(self) -> None:
        """Any key closes it."""
        self.dismiss()


class TopApp(App[None]):
    """The application."""

    CSS = """
    #filter { display: none; dock: bottom; }
    #filter.open { display: block; }
    #status { height: 1; color: $text-muted; }
    """
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key, f"show('{of.value}')", f"{of.value}s") for key, of in _KINDS.items()),
        *(Binding(key, f"sort('{sort.value}')", show=False) for key, sort in _SORTS.items()),
        Binding("slash", "filter", "filter"),
        Binding("space", "pause", "pause"),
        Binding("question_mark", "help", "help"),
        Binding("escape", "clear", show=False),
        Binding("q", "quit", "quit"),
    ]

    def __init__(self, ask: Ask, of: Of, sort: Sort, *, every: float, wanted: str = "", place: str = "") -> None:
        super().__init__()
        self._ask = ask
        self._every = every
        self._place = place
        self._rows = Rows(of)
        self._sort = sort
        self._reverse = False
        self._wanted = wanted
        self._paused = False
        self._trouble = ""

    def compose(self) -> ComposeResult:
        """A line that says what is shown, the table, a filter that is hidden, and the keys."""
        yield Static(id="status")
        yield DataTable(id="rows", cursor_type="row", zebra_stripes=True)
        yield Input(self._wanted, placeholder="words that names have", id="filter")
        yield Footer()

    def on_mount(self) -> None:
        """Begin to ask."""
        self._table.focus()
        self._draw()
        self.ask_again()
        self.set_interval(self._every, self.ask_again)

    @property
    def _table(self) -> DataTable[Any]:
        return self.query_one("#rows", DataTable)

    def ask_again(self) -> None:
        """Ask, unless it is paused."""
        if not self._paused:
            self._fetch(self._rows.of)

    @work(thread=True, exclusive=True, group="ask")
    def _fetch(self, of: Of) -> None:
        try:
            items = self._ask(of)
        except UserError as trouble:
            self.call_from_thread(self._failed, trouble.message)
        else:
            self.call_from_thread(self._take, of, items)

    def _take(self, of: Of, items: list[Item]) -> None:
        if of is self._rows.of:
            self._trouble = ""
            self._rows.update(items)
            self._draw()

    def _failed(self, message: str) -> None:
        self._trouble = message
        self._draw()

    def action_show(self, of: str) -> None:
        """Show another kind of rows."""
        self._rows = Rows(Of(of))
        self._draw()
        self._fetch(self._rows.of)

    def action_sort(self, sort: str) -> None:
        """Order by a column; once more: the other way round."""
        self._reverse = not self._reverse if self._sort is Sort(sort) else False
        self._sort = Sort(sort)
        self._draw()

    def action_pause(self) -> None:
        """Ask no more, or go on."""
        self._paused = not self._paused
        self._draw()

    def action_help(self) -> None:
        """Say what the keys do."""
        self.push_screen(Help())

    def action_filter(self) -> None:
        """Let words be typed."""
        field = self.query_one("#filter", Input)
        field.add_class("open")
        field.focus()

    def action_clear(self) -> None:
        """Show all rows again."""
        self.query_one("#filter", Input).value = ""
        self._close_filter()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while words are typed."""
        self._wanted = event.value
        self._draw()

    def on_input_submitted(self) -> None:
        """Keep the filter, and go back to the table."""
        self._close_filter()

    def _close_filter(self) -> None:
        self.query_one("#filter", Input).remove_class("open")
        self._table.focus()

    def _draw(self) -> None:
        table, row = self._table, self._table.cursor_row
        table.clear(columns=True)
        sign = "↑" if self._reverse else "↓"
        table.add_columns(*(f"{name} {sign}" if name == self._sort.value else name for name in HEAD))
        shown = self._rows.shown(self._sort, reverse=self._reverse, wanted=self._wanted)
        for one in shown:
            name, *rest = one.cells
            table.add_row(Text(name, style="red" if one.bad else ""), *(Text(cell) for cell in rest), key=name)
        table.move_cursor(row=min(row, max(0, len(shown) - 1)))
        self.query_one("#status", Static).update(self._status(len(shown)))

    def _status(self, count: int) -> Text:
        said = [f"{count} {self._rows.of.value}s in {self._place}"]
        said += [f"with {self._wanted!r}"] if self._wanted else []
        said += ["paused"] if self._paused else []
        text = Text(", ".join(said))
        return text.append(f"  {self._trouble}", style="bold red") if self._trouble else text
