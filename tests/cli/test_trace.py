"""The waterfall of a trace in the terminal."""

from typing import Any

from weft.cli.trace import waterfall


def _span(number: str, parent: str, service: str, start: int, duration: int, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "parent": parent,
        "service": service,
        "name": "GET /",
        "start": start,
        "duration": duration,
        "error": False,
        "attributes": {},
    } | more


def test_children_stand_below_their_parents_with_bars_where_they_were():
    text = waterfall(
        [
            _span("1", "", "web", 1_000, 40_000),
            _span("3", "1", "ratings", 31_000, 10_000, error=True),
            _span("2", "1", "reviews", 11_000, 20_000),
            _span("4", "2", "orders", 11_000, 500),
        ]
    )
    assert text.splitlines() == [
        "SPAN                TOOK",
        f"web GET /           40.0ms   {'━' * 40}",
        f"  ratings GET / !   10.0ms   {' ' * 30}{'━' * 10}",
        f"  reviews GET /     20.0ms   {' ' * 10}{'━' * 20}",
        f"    orders GET /    500us    {' ' * 10}━",
    ]


def test_a_span_without_its_parent_stands_at_the_top_and_circles_are_cut():
    text = waterfall(
        [
            _span("1", "9", "lost", 0, 10),
            _span("2", "3", "a", 0, 10, attributes={"k": "v"}),
            _span("3", "2", "b", 0, 10),
        ],
        tags=True,
    )
    lines = [line.split("   ")[0].rstrip() for line in text.splitlines()]
    assert lines[1] == "lost GET /"
    assert sorted(line.strip() for line in lines[2:] if line.strip()) == ["a GET /", "b GET /"]
    assert "k=v" in text
