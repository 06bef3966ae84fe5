"""A package that is not to be found for a while."""

import importlib
import sys

import pytest

from weft.kit.absent import absent

NAME = "this"
"""A module of the standard library that nobody has loaded."""


def test_a_package_is_not_found_meanwhile_and_is_there_again_afterwards(capsys: pytest.CaptureFixture[str]) -> None:
    with absent(NAME), pytest.raises(ImportError):
        importlib.import_module(NAME)
    assert importlib.import_module(NAME) is sys.modules.pop(NAME)
    assert "Beautiful" in capsys.readouterr().out


def test_what_is_loaded_already_stays() -> None:
    with absent("sys"):
        assert importlib.import_module("sys") is sys
    assert sys.modules["sys"] is sys
