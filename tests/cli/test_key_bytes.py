"""No byte of a private key in a file, a database dump, a log, or an answer of either port."""

import base64
import json
import re
import sqlite3
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.routing import BaseRoute, Mount, Route

from tests.cli.conftest import Running, run_weft, serving
from tests.cli.workload import Workload
from tests.xds.certificates import Root
from weft.ca.certificates import key_pem_of
from weft.ca.jwt_keys import FILE as TOKEN_KEYS
from weft.ca.jwt_keys import read_keys
from weft.ca.key_files import read_pair
from weft.registry import errands
from weft.store.keys import find_keys, key_source

pytestmark = pytest.mark.timeout(120)


def forms_of(secret: bytes) -> set[bytes]:
    """Bytes as they might be written: raw, hexadecimal, base64 of every alignment."""
    found = {
        secret,
        secret.hex().encode(),
        secret.hex().upper().encode(),
        ":".join(f"{b:02x}" for b in secret).encode(),
    }
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + secret)
        inner = encoded[4 if shift else 0 : len(encoded) // 4 * 4 - 4]
        found |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return found


def needles_of(key: ec.EllipticCurvePrivateKey) -> set[bytes]:
    """What gives a key away: its number, its encodings, and each line of its PEM."""
    options: list[Any] = [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL]
    found = forms_of(key.private_numbers().private_value.to_bytes(32))
    for form in options:
        pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        found |= set(pem.splitlines()[1:2])
        found |= forms_of(key.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption()))
    return found


def keys_of(running: Running) -> dict[str, set[bytes]]:
    """Every key that lies in the state directory, opened as only its owner can."""
    state = running.state
    ring = find_keys(key_source(state.encryption_key, None, {})).ring
    found = {"the encryption key": forms_of(base64.b64decode(state.encryption_key.read_text()))}
    for file in state.authority.glob("*.pem"):
        if file.name != "root.pem":
            key, _ = read_pair(file, ring)
            assert key is not None
            found[file.name] = needles_of(key)
    for stored in read_keys(state.authority / TOKEN_KEYS, ring):
        key = serialization.load_pem_private_key(stored.pem.encode(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        found[f"the token key {stored.id}"] = needles_of(key)
    return found


def holders(content: bytes, needles: dict[str, set[bytes]]) -> list[str]:
    return [name for name, forms in needles.items() if any(form in content for form in forms)]


def paths_of(routes: list[BaseRoute], before: str = "") -> Iterator[str]:
    """Every path that can be read, as the application itself lists them."""
    for route in routes:
        if isinstance(route, Mount):
            yield from paths_of(list(route.routes), before + route.path)
        elif isinstance(route, Route) and "GET" in (route.methods or {"GET"}):
            yield before + route.path


EXAMPLES = {
    "name": "web-1",
    "kind": "clusters",
    "namespace": "shop",
    "plural": "services",
    "version": "v1",
    "group": "apps",
}


def filled(path: str) -> str:
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: EXAMPLES.get(found[1], "x"), path)


@pytest.fixture
def apps(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The applications of both ports, as they are served."""
    import weft.app.control_plane
    import weft.app.parts

    seen: dict[str, Any] = {}
    original = weft.app.control_plane.https_config
    monkeypatch.setattr(
        weft.app.control_plane, "https_config", lambda app, *a, **k: (seen.update(api=app), original(app, *a, **k))[1]
    )
    listener = weft.app.parts.AgentListener
    config = listener.config
    monkeypatch.setattr(listener, "config", lambda self, app, *a: (seen.update(agents=app), config(self, app, *a))[1])
    return seen


def routes_in(app: Any) -> list[BaseRoute]:
    """Those of an application, whatever is wrapped around it."""
    seen = [app]
    while seen:
        one = seen.pop()
        if hasattr(one, "routes"):
            return list(one.routes)
        seen += [value for value in vars(one).values() if callable(value) and hasattr(value, "__dict__")]
    raise AssertionError("no application with routes")


def test_no_byte_of_a_key_leaves_the_process(
    tmp_path: Path, apps: dict[str, Any], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEFT_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(errands, "PATIENCE", 0.1)
    with serving(tmp_path / "state") as running:
        served = secret_applied(tmp_path)
        token = run_weft("token", "create", "-n", "shop", "--service", "web").out.strip()
        workload = Workload(running)
        assert workload.join(token=token) == 200
        assert workload.register("web-1", "web").status_code == 200
        run_weft("ca", "rotate")
        needles = keys_of(running)
        assert {name.partition("-")[0] for name in needles} >= {"root", "next", "intermediate", "the encryption key"}
        with workload.introduce("web-1", {"app": "web"}) as stream:
            stream.clusters()
            read = list(answers(running, apps, workload))
            assert len(read) > 30
            for where, answer in read:
                assert holders(answer, needles) == [], where
                if "secrets" not in where:
                    assert holders(answer, {"served": served}) == [], where
        for command in (("ca", "status"), ("check",), ("proxy", "status"), ("audit", "--since", "1h")):
            said = run_weft(*command)
            assert holders((said.out + said.err).encode(), needles | {"served": served}) == [], command
    for file in (tmp_path / "state").rglob("*"):
        if file.is_file() and file.name != "encryption.key":
            assert holders(file.read_bytes(), needles | {"served": served, "join": {token.encode()}}) == [], file
    dump = "\n".join(sqlite3.connect(tmp_path / "state" / "weft.db").iterdump()).encode()
    assert holders(dump, needles | {"served": served}) == []
    told = capfd.readouterr()
    assert "ready" in told.out + told.err
    assert holders((told.out + told.err).encode(), needles | {"served": served, "join": {token.encode()}}) == []


def test_a_key_would_be_found_in_every_form() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    number = key.private_numbers().private_value.to_bytes(32)
    pem = key_pem_of(key)
    der = base64.b64decode(b"".join(pem.splitlines()[1:-1]))
    written = (pem, der, number, der.hex().encode(), number.hex().upper().encode(), base64.b64encode(b"ab" + pem))
    written += tuple(base64.b64encode(b"x" * pad + der + b"y") for pad in range(3))
    written += (base64.urlsafe_b64encode(number), json.dumps({"key": pem.decode()}).encode())
    needles = {"it": needles_of(key) | forms_of(pem)}
    assert [holders(b"before " + one + b" after", needles) for one in written] == [["it"]] * len(written)
    assert holders(key.public_key().public_numbers().x.to_bytes(32), needles) == []


def secret_applied(directory: Path) -> set[bytes]:
    """A gateway's Secret, and what gives its key away."""
    pem, chain = Root().issue(x509.DNSName("shop.example.com"))
    key = serialization.load_pem_private_key(pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    content = {name: base64.b64encode(text).decode() for name, text in (("tls.crt", chain), ("tls.key", pem))}
    file = directory / "secret.yaml"
    lines = "".join(f"  {name}: {text}\n" for name, text in content.items())
    file.write_text(f"apiVersion: v1\nkind: Secret\nmetadata: {{name: c, namespace: shop}}\ndata:\n{lines}")
    applied = run_weft("apply", "-f", str(file))
    assert applied.code == 0, applied.err
    return needles_of(key)


def beginning(answer: httpx2.Response) -> bytes:
    """What is answered within 3 s: some answers go on as long as somebody reads them."""
    said, end = b"", time.monotonic() + 3.0
    for part in answer.iter_raw():
        said += part
        if time.monotonic() > end:
            break
    return said


def answers(running: Running, apps: dict[str, Any], workload: Workload) -> Iterator[tuple[str, bytes]]:
    """What every readable path of both ports says to those who may do most."""
    admin = {"authorization": f"Bearer {running.state.admin_token.read_text().strip()}"}
    context = ssl.create_default_context(cafile=str(running.state.bundle))
    with httpx2.Client(verify=context, headers=admin, trust_env=False) as http:
        paths = {filled(path) for path in paths_of(routes_in(apps["api"]))}
        kinds = {f"/weft/v1/proxies/web-1/config/{kind}" for kind in ("clusters", "listeners", "routes", "endpoints")}
        for path in sorted(paths | kinds):
            try:
                with http.stream("GET", running.addresses.api + path, timeout=3.0) as answer:
                    yield path, beginning(answer)
            except httpx2.TimeoutException:
                continue
    for path in sorted({filled(path) for path in paths_of(routes_in(apps["agents"]))}):
        yield path, workload.call("GET", path).content
