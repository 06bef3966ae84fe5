"""Every field that is served is set in a document that real proxies serve: what nobody tried is not called served."""

import re
from functools import cache
from typing import NamedTuple

import pytest
import yaml

from tests.intents.intent import HERE
from tests.intents.proofs import ROOT, leads, live_modules, proved, wanted

FILE = HERE / "proved_elsewhere.yaml"
_BARE = re.compile(r"[\[\]{}]")


class Elsewhere(NamedTuple):
    """A line of the file."""

    kind: str
    path: str
    test: str

    @property
    def module(self) -> str:
        return self.test.partition("::")[0]

    def tells_of(self, field: str) -> bool:
        """Whether it is about a field (``KIND PATH``), and the module names that."""
        kind, _, path = field.partition(" ")
        if kind != self.kind or not (leads(self.path, path) or not self.path):
            return False
        return _has_word(self.module, _BARE.sub("", path).rpartition(".")[2])


@cache
def _text(module: str) -> str:
    return (ROOT / module).read_text()


def _has_word(module: str, word: str) -> bool:
    return bool(re.search(rf"\b{word}\b", _text(module)))


@cache
def elsewhere() -> tuple[Elsewhere, ...]:
    said = yaml.safe_load(FILE.read_text())
    return tuple(Elsewhere(kind, path, test) for kind, lines in said.items() for path, test in lines.items())


@cache
def unproved() -> tuple[str, ...]:
    """Fields that no document of a live test sets, as ``KIND PATH``."""
    found = proved()
    return tuple(sorted(field for proof, field in wanted().items() if proof not in found))


def test_every_field_that_is_served_is_set_by_an_intent_or_another_live_test():
    left = [field for field in unproved() if not any(one.tells_of(field) for one in elsewhere())]
    assert not left, "write an intent with live calls, or name the live test in proved_elsewhere.yaml"


@pytest.mark.parametrize("one", elsewhere(), ids=lambda one: f"{one.kind} {one.path}")
def test_what_is_proved_elsewhere_is_a_test_and_is_needed(one: Elsewhere):
    name = one.test.rpartition("::")[2]
    assert name == one.test or f"def {name}(" in _text(one.module)
    assert any(one.tells_of(field) for field in unproved()), "an intent sets all of this by now"


def test_live_tests_are_found():
    assert len(live_modules()) > 30
