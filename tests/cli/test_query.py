"""Answers to PromQL in the terminal."""

from typing import Any

import pytest

from weft.cli.query import _told


def _matrix(values: list[str], **labels: str) -> dict[str, Any]:
    pairs = [[1_700_000_000 + 10 * place, value] for place, value in enumerate(values)]
    return {"metric": labels, "values": pairs}


def test_a_vector_is_a_table_of_series():
    metric = {"__name__": "up", "job": "web", "code": "200"}
    text = _told(
        {
            "resultType": "vector",
            "result": [{"metric": metric, "value": [1, "3.5"]}, {"metric": {}, "value": [1, "NaN"]}],
        }
    )
    assert [line.split() for line in text.splitlines()] == [
        ["SERIES", "VALUE"],
        ['up{code="200",job="web"}', "3.5"],
        ["{}", "NaN"],
    ]


@pytest.mark.parametrize(("kind", "value"), [("scalar", "7"), ("string", "text")])
def test_what_has_no_series_is_itself(kind: str, value: str):
    assert _told({"resultType": kind, "result": [1, value]}) == value


def test_a_range_is_a_line_of_bars_and_survives_what_is_no_number():
    text = _told(
        {
            "resultType": "matrix",
            "result": [_matrix(["0", "4", "8", "NaN", "+Inf", "2"], job="web"), _matrix(["0", "-1"])],
        }
    )
    lines = text.splitlines()
    assert lines[1].startswith('{job="web"}')
    assert lines[1].split()[1:3] == ["2", "8"]
    assert lines[1].endswith(" ▄█ █▂")
    assert lines[2].split() == ["{}", "-1", "0"]
