"""T13: a thief of a backup or a disk wants keys. In files, logs and answers no byte of one lies open."""

import base64
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.threats.plane import Member, Plane, plane
from weft.ca.sealed_key import opened
from weft.kit.state_dir import StateDir
from weft.store.keys import find_keys, key_source

pytestmark = pytest.mark.live
PASSWORD = "correct-horse-battery-staple-4711"


def _spellings(secret: bytes) -> set[bytes]:
    """A secret as it is, in hexadecimal, and in Base64 at each of its three places."""
    shifted = {base64.b64encode(b"x" * shift + secret)[4 if shift else 0 : -4] for shift in range(3)}
    hexadecimal = {secret.hex().encode(), secret.hex().upper().encode()}
    urls = {one.replace(b"+", b"-").replace(b"/", b"_") for one in shifted}
    return {secret} | shifted | urls | hexadecimal


def _scalar(key: object) -> bytes:
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key.private_numbers().private_value.to_bytes((key.curve.key_size + 7) // 8, "big")


@pytest.fixture(scope="module")
def secrets(attacked: Plane, rogue: Member) -> dict[str, bytes]:
    """Everything that nobody may find."""
    password = base64.b64encode(PASSWORD.encode()).decode()
    document = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "door"}, "data": {"password": password}}
    assert attacked.ask("POST", "/api/v1/namespaces/bank/secrets", document).status == 201
    token = attacked.ask("POST", "/weft/v1/api-tokens", {"user": "jane", "ttlSeconds": 60}).json()["token"]
    assert attacked.ask("GET", "/api", token=token).status == 200
    found = {
        "a Secret": PASSWORD.encode(),
        "a join token": attacked.join_token("shop", "late").encode(),
        "an API token": token.encode(),
        "a workload's key": _scalar(serialization.load_pem_private_key(rogue.key, None)),
    }
    for name, pem in _authority_keys(attacked):
        found[name] = _scalar(serialization.load_pem_private_key(pem, None))
    assert len(found) >= 5
    return found


def _authority_keys(attacked: Plane) -> Iterator[tuple[str, bytes]]:
    """The authority's keys, opened with the key for secrets at rest as a control plane does."""
    state = StateDir(root=attacked.state)
    ring = find_keys(key_source(state.encryption_key, None, {})).ring
    for file, content in _contents(attacked):
        if b"WEFT SEALED KEY" in content:
            yield f"the key in {file.name}", opened(content, ring, file)


def _files(attacked: Plane) -> Iterator[Path]:
    """Every file of the state, but for what its owner needs to come in: that is no part of a backup."""
    own = StateDir(root=attacked.state)
    kept_apart = (own.admin_token, own.encryption_key)
    yield from (path for path in attacked.state.rglob("*") if path.is_file() and path not in kept_apart)


def _contents(attacked: Plane) -> Iterator[tuple[Path, bytes]]:
    """What is in them; drafts of files that are replaced may be gone by now."""
    for path in _files(attacked):
        with contextlib.suppress(FileNotFoundError):
            yield path, path.read_bytes()


def test_no_file_has_a_secret(attacked: Plane, secrets: dict[str, bytes]) -> None:
    contents = list(_contents(attacked))
    assert any(path.name.endswith(".db") for path, _ in contents)
    for path, content in contents:
        for name, secret in secrets.items():
            assert not any(one in content for one in _spellings(secret)), f"{name} lies in {path.name}"


def test_no_log_has_a_secret(attacked: Plane, secrets: dict[str, bytes]) -> None:
    said = attacked.log.encode() + b"".join(path.read_bytes() for path in (attacked.state / "audit").rglob("*.jsonl"))
    assert b"jointokens" in said
    for name, secret in secrets.items():
        assert not any(one in said for one in _spellings(secret)), name
    assert attacked.admin.encode() not in said


ANSWERS = (
    "/weft/v1/ca",
    "/weft/v1/status",
    "/weft/v1/audit",
    "/weft/v1/audit/verification",
    "/weft/v1/tokens",
    "/weft/v1/api-tokens",
    "/weft/v1/proxies",
    "/weft/v1/findings",
    "/api/v1/configmaps",
    "/apis/networking.istio.io/v1/workloadentries",
    "/openapi/v2",
)


@pytest.mark.parametrize("path", ANSWERS)
def test_no_answer_has_a_secret(path: str, attacked: Plane, secrets: dict[str, bytes]) -> None:
    answer = attacked.ask("GET", path)
    assert answer.status == 200
    for name, secret in secrets.items():
        assert not any(one in answer.body for one in _spellings(secret)), name


def test_secrets_are_read_where_they_are_asked_for_alone(attacked: Plane, secrets: dict[str, bytes]) -> None:
    """Whoever may read Secrets reads them; nobody reads the authority's keys."""
    said = attacked.ask("GET", "/api/v1/namespaces/bank/secrets").body
    assert base64.b64encode(PASSWORD.encode()) in said
    for name, secret in secrets.items():
        assert name == "a Secret" or not any(one in said for one in _spellings(secret)), name


def test_the_memory_of_another_user_is_not_for_everybody(attacked: Plane) -> None:
    for path in attacked.state.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # a draft
            mode = path.stat().st_mode & 0o777
            public = path.name.endswith(".pem") and b"PRIVATE" not in path.read_bytes() if path.is_file() else False
            assert mode & 0o077 == 0 or public, (path, oct(mode))
    assert attacked.state.stat().st_mode & 0o077 == 0


def test_two_installations_have_nothing_secret_in_common(attacked: Plane, tmp_path: Path) -> None:
    with plane(tmp_path) as other:
        assert other.bundle != attacked.bundle
        assert other.admin != attacked.admin
        assert (
            StateDir(root=other.state).encryption_key.read_bytes()
            != StateDir(root=attacked.state).encryption_key.read_bytes()
        )
