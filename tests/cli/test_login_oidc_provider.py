"""Logins with a real OpenID provider, npm's ``oidc-provider``, whose pages are filled in as a person would."""

import html
import json
import re
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import httpx2
import msgspec
import pytest
import trustme

from tests.api.conftest import wait_for
from tests.cli.conftest import Running, run_weft, serving
from tests.ports import held_port
from weft.api.id_tokens import Oidc
from weft.cli.sessions import Session
from weft.kit.value import Value

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]
VERSION = "9.13.3"
SERVER = """
import https from 'node:https';
import fs from 'node:fs';
import { Provider } from 'oidc-provider';
const [issuer, pem, port] = process.argv.slice(2);
const provider = new Provider(issuer, {
  clients: [{
    client_id: 'weft-cli', application_type: 'native', token_endpoint_auth_method: 'none', response_types: ['code'],
    grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
    redirect_uris: ['http://127.0.0.1/callback'],
  }],
  claims: { openid: ['sub'], groups: ['groups'], email: ['email', 'email_verified'] },
  conformIdTokenClaims: false,
  features: { devInteractions: { enabled: true }, deviceFlow: { enabled: true }, revocation: { enabled: true } },
  findAccount: (ctx, id) => ({ accountId: id, claims: () => (
    { sub: id, groups: ['devs', 'system:masters'], email: id + '@example.com', email_verified: id !== 'mallory' }) }),
  ttl: { IdToken: 25, AccessToken: 60, Grant: 600, Session: 600, Interaction: 600, RefreshToken: 600, DeviceCode: 600 },
  cookies: { keys: ['a key of this test'] },
});
const tls = { key: fs.readFileSync(pem), cert: fs.readFileSync(pem) };
https.createServer(tls, provider.callback()).listen(Number(port), '127.0.0.1');
"""


class Real(Value):
    """The provider that runs."""

    issuer: str
    ca_file: Path


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    directory = tmp_path_factory.mktemp("oidc-provider")
    _installed(directory)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(directory / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(directory / "server.pem")
    (directory / "server.mjs").write_text(SERVER)
    with held_port() as port, (directory / "log").open("w") as log:
        issuer = f"https://127.0.0.1:{port}"
        command = ["node", "server.mjs", issuer, "server.pem", str(port)]
        with subprocess.Popen(command, cwd=directory, stdout=log, stderr=log) as node:
            try:
                wait_for(lambda: _listens(port, node, directory / "log"), 30)
                yield Real(issuer=issuer, ca_file=directory / "ca.pem")
            finally:
                node.terminate()


def _installed(directory: Path) -> None:
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node and npm are not installed")
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", f"oidc-provider@{VERSION}"]
    try:
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("npm's registry does not answer")
    if done.returncode:
        pytest.skip(f"npm cannot install oidc-provider: {done.stderr.strip()[-200:]}")


def _listens(port: int, node: "subprocess.Popen[bytes]", log: Path) -> bool:
    assert node.poll() is None, log.read_text()
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def plane(real: Real, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    oidc = Oidc(
        issuer=real.issuer,
        client_id="weft-cli",
        username_claim="email",
        groups_claim="groups",
        ca=real.ca_file.read_text(),
    )
    with serving(tmp_path_factory.mktemp("state"), oidc=oidc, keys_from=(ip_network("127.0.0.0/8"),)) as running:
        yield running


@pytest.fixture
def machine(plane: Running, real: Real, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another machine's state directory."""
    monkeypatch.setenv("WEFT_STATE", str(tmp_path))
    monkeypatch.setenv("WEFT_ADDR", plane.addresses.api)
    monkeypatch.setenv("WEFT_CA_FILE", str(plane.state.bundle))
    monkeypatch.setenv("WEFT_OIDC_ISSUER_URL", real.issuer)
    monkeypatch.setenv("WEFT_OIDC_CLIENT_ID", "weft-cli")
    return tmp_path


class Person:
    """Fills in every page until there is none left."""

    def __init__(self, name: str, real: Real) -> None:
        self.name = name
        self._trust = ssl.create_default_context(cafile=real.ca_file)
        self._threads: list[threading.Thread] = []

    def __call__(self, page: str) -> bool:
        self._threads.append(threading.Thread(target=self._browse, args=(page,)))
        self._threads[-1].start()
        return True

    def wait(self) -> None:
        for thread in self._threads:
            thread.join(20)

    def _browse(self, page: str) -> None:
        with httpx2.Client(verify=self._trust, follow_redirects=True, trust_env=False, timeout=20) as browser:
            answer = browser.get(page)
            while form := re.search(r'<form[^>]*action="([^"]+)"(.*?)</form>', answer.text, re.DOTALL):
                hidden = re.findall(r'<input[^>]*type="hidden"[^>]*name="([^"]+)"[^>]*value="([^"]*)"', form[2])
                fields = {name: html.unescape(value) for name, value in hidden}
                if 'name="login"' in form[2]:
                    fields |= {"login": self.name, "password": "any"}
                answer = browser.post(answer.url.join(html.unescape(form[1])), data=fields)


def kept(machine: Path) -> Session:
    (found,) = msgspec.json.decode((machine / "logins.json").read_bytes(), type=list[Session])
    return found


def test_a_person_logs_in_by_the_browser_goes_on_and_logs_out(
    machine: Path, real: Real, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = Person("jane", real)
    monkeypatch.setattr("webbrowser.open", person)
    done = run_weft("auth", "login", "--oidc", "--oidc-ca-file", str(real.ca_file), "--timeout", "60s")
    person.wait()
    assert (done.code, done.out) == (0, "logged in as jane@example.com\n"), done.err
    first = kept(machine)
    told = run_weft("auth", "whoami").out
    assert "devs" in told
    assert "system:masters" not in told
    assert run_weft("get", "services", "-n", "shop").code == 5
    # It ended within 30 s, so it was renewed; an ID token that is renewed within the same second is the same.
    assert kept(machine).refresh_token != first.refresh_token
    assert run_weft("auth", "logout").code == 0
    assert not json.loads((machine / "logins.json").read_text())


def test_a_person_logs_in_by_a_code(machine: Path, real: Real, monkeypatch: pytest.MonkeyPatch) -> None:
    person = Person("john", real)
    shown: list[str] = []

    def say(text: str) -> None:
        shown.append(text)
        if text.startswith("or open "):
            person(text.removeprefix("or open "))

    monkeypatch.setattr("weft.cli.login.say", say)
    monkeypatch.setattr("weft.cli.oidc._INTERVAL", 0.2)
    done = run_weft("auth", "login", "--device", "--oidc-ca-file", str(real.ca_file))
    person.wait()
    assert (done.code, done.out) == (0, "logged in as john@example.com\n"), done.err
    assert any("enter the code" in text for text in shown)


def test_an_address_that_the_provider_did_not_verify_is_nobody(
    machine: Path, real: Real, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = Person("mallory", real)
    monkeypatch.setattr("webbrowser.open", person)
    done = run_weft("auth", "login", "--oidc-ca-file", str(real.ca_file), "--timeout", "60s")
    person.wait()
    assert done.code == 5
    assert "does not take this login" in done.err
