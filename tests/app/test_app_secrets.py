"""Secrets in a running control plane: nowhere on the disk, nowhere in what it says, and under the right key alone."""

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.app.test_app import FREE, command, up

pytestmark = pytest.mark.live

HIDDEN = "correct-horse-battery"
SECRET = f"""\
apiVersion: v1
kind: Secret
metadata:
  name: password
  namespace: shop
  annotations: {{kubectl.kubernetes.io/last-applied-configuration: '{{"stringData":{{"p":"{HIDDEN}"}}}}'}}
stringData: {{p: {HIDDEN}}}
"""
ENCODED = "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def _leaks(directory: Path) -> list[str]:
    """Files with some of the secret, as it is or as base64."""
    hidden = (HIDDEN.encode(), ENCODED.encode())
    files = (path for path in directory.rglob("*") if path.is_file())
    return [path.name for path in files if any(text in path.read_bytes() for text in hidden)]


def _apply(state: Path, tmp_path: Path, text: str) -> str:
    file = tmp_path / "secret.yaml"
    file.write_text(text)
    done = command(state, "apply", "-f", str(file))
    return done.stdout + done.stderr


def _value(state: Path) -> str:
    done = command(state, "get", "secret", "password", "-n", "shop", "-o", "json")
    found: str = json.loads(done.stdout)["data"]["p"]
    return found


def test_a_secret_is_in_no_file_and_in_no_word_of_the_control_plane(state: Path, tmp_path: Path) -> None:
    with up(state, *FREE, "--log-format=json") as process:
        said = _apply(state, tmp_path, SECRET)
        assert "secret/password created" in said.lower()
        said += _apply(state, tmp_path, SECRET.replace("stringData:", "type: kubernetes.io/tls\nstringData:"))
        said += _apply(state, tmp_path, SECRET.replace(f"{{p: {HIDDEN}}}", f"{{p: [{HIDDEN}]}}"))
        said += _apply(state, tmp_path, SECRET.replace("stringData", "data"))
        said += command(state, "get", "secrets", "-A").stdout
        said += command(state, "get", "secrets", "-A", "-o", "wide").stdout
        assert HIDDEN not in said
        assert ENCODED not in said
        assert _value(state) == ENCODED
        assert _leaks(state) == []
        process.terminate()
        assert process.stderr is not None
        logged = process.stderr.read()
        assert HIDDEN not in logged
        assert ENCODED not in logged
    assert _leaks(state) == []
    assert b"PRIVATE" not in (state / "ca" / "root-key.pem").read_bytes()
    with up(state):
        assert _value(state) == ENCODED


def test_another_key_is_refused_by_name_and_keys_can_be_changed(state: Path, tmp_path: Path) -> None:
    with up(state):
        _apply(state, tmp_path, SECRET)
        running = command(state, "secrets", "rotate-key")
        assert running.returncode == 1
        assert "another control plane uses" in running.stderr
    key = tmp_path / "key"
    key.write_text(command(state, "secrets", "new-key").stdout)
    key.chmod(0o600)
    (state / "encryption.key").rename(tmp_path / "old.key")
    refused = command(state, "up", *FREE, "--encryption-key-file", str(key))
    assert refused.returncode == 1
    assert re.fullmatch(
        r"error: \S+root-key.pem is sealed with the encryption key \w+, [^\n]+\nhelp: [^\n]+\n", refused.stderr
    )
    shutil.copy(tmp_path / "old.key", state / "encryption.key")

    assert "is sealed with the key" in command(state, "secrets", "rotate-key").stderr
    assert (state / "encryption.key").read_text() != (tmp_path / "old.key").read_text()
    with up(state):
        assert _value(state) == ENCODED

    named = ("--encryption-key-file", str(key))
    assert f"weft up {named[0]} {key}" in command(state, "secrets", "rotate-key", "--new-key-file", str(key)).stderr
    (state / "encryption.key").unlink()
    with up(state, *FREE, *named):
        assert _value(state) == ENCODED
    cannot = command(state, "secrets", "rotate-key", environment={"WEFT_ENCRYPTION_KEY": key.read_text()})
    assert "WEFT_ENCRYPTION_KEY, where weft cannot write" in cannot.stderr
    garbage = command(state, "up", *FREE, environment={"WEFT_ENCRYPTION_KEY": "garbage"})
    assert garbage.stderr.startswith("error: the encryption key in WEFT_ENCRYPTION_KEY is none: ")
    assert "garbage" not in garbage.stderr.replace("WEFT_ENCRYPTION_KEY", "")
