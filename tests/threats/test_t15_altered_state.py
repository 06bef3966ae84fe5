"""T15: somebody who may write what the control plane stores wants it unseen. What is sealed or chained tells of it."""

import base64
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.threats.edge import weft_of
from tests.threats.plane import Plane, plane

pytestmark = pytest.mark.live
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "door"}, "data": {"a": "c2VjcmV0"}}
SECRETS = "/api/v1/namespaces/shop/secrets"


def _written(running: Plane) -> None:
    assert running.ask("POST", SECRETS, SECRET).status == 201
    other = {**SECRET, "metadata": {"name": "other"}, "data": {"a": base64.b64encode(b"another").decode()}}
    assert running.ask("POST", SECRETS, other).status == 201


def _rows(home: Path, change: Callable[[sqlite3.Connection], None]) -> None:
    with sqlite3.connect(home / "state" / "weft.db") as database:
        change(database)
    database.close()


def _contents(database: sqlite3.Connection) -> dict[str, str]:
    return dict(database.execute("select name, content from documents where kind = 'Secret'"))


def _put(database: sqlite3.Connection, content: str) -> None:
    database.execute("update documents set content = ? where kind = 'Secret' and name = 'door'", (content,))


def _flip(database: sqlite3.Connection) -> None:
    """Another letter in the middle of what is sealed."""
    content = _contents(database)["door"]
    middle = len(content) * 3 // 4
    _put(database, content[:middle] + ("A" if content[middle] != "A" else "B") + content[middle + 1 :])


def _swap(database: sqlite3.Connection) -> None:
    """One Secret's sealed content in the place of another's."""
    _put(database, _contents(database)["other"])


@pytest.mark.parametrize("change", [_flip, _swap])
def test_a_sealed_secret_that_was_altered_is_not_used(
    change: Callable[[sqlite3.Connection], None], tmp_path: Path
) -> None:
    with plane(tmp_path) as running:
        _written(running)
    _rows(tmp_path, change)
    done = weft_of(tmp_path, "up", "--api-port=0", "--xds-port=0", "--agent-port=0")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "help: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("what", ["altered", "removed", "cut", "inserted"])
def test_the_audit_log_tells_what_was_done_to_it(what: str, attacked: Plane) -> None:
    (file,) = sorted((attacked.state / "audit").glob("*.jsonl"))[-1:]
    assert attacked.ask("GET", SECRETS).status == 200
    assert attacked.ask("GET", "/weft/v1/audit/verification").json().get("broken") is None
    kept = file.read_bytes()
    lines = kept.splitlines(keepends=True)
    made = {
        "altered": [*lines[:-1], lines[-1].replace(b'"allowed"', b'"denied"')],
        "removed": [*lines[:-2], lines[-1]],
        "cut": lines[:-1],
        "inserted": [*lines, lines[-1]],
    }[what]
    try:
        file.write_bytes(b"".join(made))
        assert attacked.ask("GET", "/weft/v1/audit/verification").json()["broken"]
    finally:
        file.write_bytes(kept + file.read_bytes()[len(b"".join(made)) :])
    assert json.loads(attacked.ask("GET", "/weft/v1/audit/verification").body).get("broken") is None
