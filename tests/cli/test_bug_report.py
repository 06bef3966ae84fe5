"""``weft bug-report``: what is in it, and what is not."""

import base64
import json
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.conftest import Running, Weft
from weft.cli.redacting import redacted, redacted_document
from weft.kit.redaction import HIDDEN

SECRET = "s3cr3t-value-of-the-shop"
DOCUMENTS = f"""
apiVersion: v1
kind: Secret
metadata: {{name: tls, namespace: bugs}}
stringData: {{password: {SECRET}}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: outside, namespace: bugs, annotations: {{note: "token={SECRET}"}}}}
spec: {{hosts: [outside.example.com], ports: [{{number: 443, name: tls, protocol: TLS}}], resolution: DNS}}
"""


def report(weft: Weft, tmp_path: Path, *arguments: str) -> dict[str, bytes]:
    file = tmp_path / "report.tar.gz"
    done = weft("bug-report", "--to", str(file), *arguments)
    assert (done.code, done.out) == (0, f"{file}\n"), done.err
    with tarfile.open(file) as archive:
        return {
            one.name.removeprefix("report/"): archive.extractfile(one).read()  # type: ignore[union-attr]
            for one in archive.getmembers()
        }


def test_a_report_has_what_one_looks_for_and_no_secret(weft: Weft, control_plane: Running, tmp_path: Path) -> None:
    file = tmp_path / "documents.yaml"
    file.write_text(DOCUMENTS)
    assert weft("apply", "-f", str(file)).code == 0
    found = report(weft, tmp_path)
    assert json.loads(found["missing.json"]) == {}
    assert found.keys() >= {"versions.json", "status.json", "health.json", "proxies.json", "events.json", "metrics.txt"}
    assert b"outside.example.com" in found["documents/serviceentry.networking.istio.io.yaml"]
    assert not any("secret" in name for name in found)
    admin = control_plane.state.admin_token.read_text().strip()
    for needle in (SECRET, base64.b64encode(SECRET.encode()).decode(), admin):
        assert not [name for name, content in found.items() if needle.encode() in content]


def test_what_cannot_be_had_is_named_with_the_reason(weft: Weft, tmp_path: Path) -> None:
    found = report(weft, tmp_path, "--proxy", "nobody.shop", "--no-documents")
    missing = json.loads(found["missing.json"])
    assert "no sidecar nobody.shop is connected" in missing["proxies/nobody.shop/running.json"]
    assert not [name for name in found if name.startswith("documents/")]


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer {}",
        "authorization: Basic {}",
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
        "-----BEGIN EC PRIVATE KEY-----\n{}",
        "weft_join_{}",
        "https://user:{}@example.com/",
        '"clientSecret": "{}"',
        "password={}",
        "api_key: '{}'",
        "eyJhbGciOiJub25l.{}.x",
    ],
)
@given(secret=st.text("abcdefABCDEF0123456789", min_size=16, max_size=64))
def test_no_shape_of_a_secret_gets_through(text: str, secret: str) -> None:
    said = redacted(f"before {text.format(secret)} after")
    assert secret not in said
    assert HIDDEN in said
    assert said.startswith("before ")


@pytest.mark.parametrize(
    "text",
    [
        '{"tokens": 7, "state": "SYNCED"}',
        "outbound|9080||reviews.shop.svc.cluster.local",
        "spiffe://cluster.local/ns/shop/sa/web",
        "secretName:\n  null",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted(text) == text


def test_a_secret_keeps_its_names_only() -> None:
    document = {"kind": "Secret", "metadata": {"name": "x", "managedFields": [1]}, "data": {"a": "b"}}
    assert redacted_document(document) == {"kind": "Secret", "metadata": {"name": "x"}, "data": {"a": HIDDEN}}
