"""Files that are there whole or not at all, and locks that die with their process."""

import subprocess
import sys
from pathlib import Path

import pytest

from weft.kit.files import locked, private_directory, write_whole


def test_a_file_is_replaced_with_the_mode_that_was_asked(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("old")
    file.chmod(0o644)
    write_whole(file, b"new")
    assert file.read_bytes() == b"new"
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret"], "nothing else is left behind"


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    directory = tmp_path / "taken"
    (directory / "child").mkdir(parents=True)
    with pytest.raises(OSError, match="irectory"):
        write_whole(directory, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_private_directory_is_the_owners_alone(tmp_path: Path) -> None:
    assert private_directory(tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_a_lock_is_free_again_when_its_holder_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from weft.kit.files import locked\n"
        "with locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    lock = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", code, str(lock)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(BlockingIOError), locked(lock, wait=False):
            pass
        holder.kill()
    with locked(lock, wait=False):
        pass
