"""Whether two answers are the same: labels, moments, and values but for rounding."""

import math
from typing import Any


def same(ours: dict[str, Any], theirs: dict[str, Any], *, ordered: bool) -> None:
    """Asserts it; ``ordered``: rows stand in the same order, too."""
    assert ours["resultType"] == theirs["resultType"]
    if ours["resultType"] in {"scalar", "string"}:
        assert _close([ours["result"]], [theirs["result"]])
        return
    mine, other = ours["result"], theirs["result"]
    if not ordered:
        mine, other = _sorted(mine), _sorted(other)
    assert [one["metric"] for one in mine] == [one["metric"] for one in other]
    for left, right in zip(mine, other, strict=True):
        assert _close(left.get("values") or [left["value"]], right.get("values") or [right["value"]]), left["metric"]


def _sorted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: sorted(row["metric"].items()))


def _close(left: list[list[Any]], right: list[list[Any]]) -> bool:
    """The same moments, and values that differ by rounding at most."""
    if [pair[0] for pair in left] != [pair[0] for pair in right]:
        return False
    return all(_near(a[1], b[1]) for a, b in zip(left, right, strict=True))


def _near(left: str, right: str) -> bool:
    if left == right:
        return True
    a, b = float(left), float(right)
    return (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)
