"""Patterns with stars: what fits is what a regular expression says, and nothing takes long."""

import re
import time

from hypothesis import given
from hypothesis import strategies as st

from weft.kit.globs import fits

_LETTERS = st.text(alphabet="ab*/", max_size=12)


@given(_LETTERS, st.text(alphabet="ab/", max_size=16))
def test_it_is_what_a_regular_expression_would_say(glob: str, text: str):
    expression = ".*".join(re.escape(part) for part in glob.split("*"))
    assert fits(glob, text) == bool(re.fullmatch(expression, text, re.DOTALL))


def test_many_stars_take_no_longer():
    began = time.perf_counter()
    assert not fits("*a" * 200 + "b", "a" * 8000)
    assert time.perf_counter() - began < 1
