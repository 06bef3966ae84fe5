"""The test's end of a nursery."""

import time
from pathlib import Path

import pytest

from weft.kit.errors import UserError
from weft.testing.nurse import Nurse, until


def test_a_nursery_that_ends_is_told_at_once_and_again(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    began = time.monotonic()
    with Nurse("nothing of the kind", tmp_path / "root") as nurse:
        for _ in range(2):
            with pytest.raises(UserError, match="has ended"):
                nurse.start(tmp_path / "file", tmp_path / "log")
    assert time.monotonic() - began < 20
    assert "KeyError" in capfd.readouterr().err


def test_waiting_says_for_what() -> None:
    with pytest.raises(TimeoutError, match=r"the moon, not after 0.01 s"):
        until(lambda: None, "the moon", 0.01)
