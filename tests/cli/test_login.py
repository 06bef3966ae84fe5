"""``weft auth login``: a person of an OpenID provider, from the browser to the roles, and out again."""

import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import msgspec
import pytest

from tests.cli.conftest import Running, Weft, run_weft, serving
from tests.cli.provider import CLIENT, FakeProvider, fake_provider
from weft.api.id_tokens import Oidc
from weft.cli.sessions import Session

BINDING = """
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: devs, namespace: shop}
roleRef: {kind: ClusterRole, name: view}
subjects: [{kind: Group, name: "idp:devs"}]
"""


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeProvider]:
    with fake_provider(tmp_path_factory.mktemp("provider")) as running:
        yield running


@pytest.fixture(scope="module")
def plane(provider: FakeProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    oidc = Oidc(
        issuer=provider.issuer,
        client_id=CLIENT,
        username_prefix="idp:",
        groups_claim="groups",
        groups_prefix="idp:",
        ca=provider.ca_file.read_text(),
    )
    with serving(tmp_path_factory.mktemp("state"), oidc=oidc, keys_from=(ip_network("127.0.0.0/8"),)) as running:
        wait_for(lambda: any(path == "/jwks" for path, _ in provider.asked))
        wait_for(lambda: _takes(running, provider.id_token()))
        yield running


def _takes(running: Running, token: str) -> bool:
    """Whether the control plane knows the keys by now, which it has asked for."""
    trust = ssl.create_default_context(cafile=running.state.bundle)
    says = {"authorization": f"Bearer {token}"}
    return httpx2.get(f"{running.addresses.api}/version", headers=says, verify=trust, trust_env=False).is_success


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def jane(plane: Running, provider: FakeProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Weft:
    """The command line on a machine of Jane's, whose browser follows redirects."""
    vars(provider).update(approved=True, seconds=600, forged_nonce=False, claims={"sub": "jane", "groups": ["devs"]})
    monkeypatch.setenv("WEFT_STATE", str(tmp_path / "state-of-jane"))
    monkeypatch.setenv("WEFT_ADDR", plane.addresses.api)
    monkeypatch.setenv("WEFT_CA_FILE", str(plane.state.bundle))
    monkeypatch.setenv("WEFT_OIDC_ISSUER_URL", provider.issuer)
    monkeypatch.setenv("WEFT_OIDC_CLIENT_ID", CLIENT)
    trust = ssl.create_default_context(cafile=provider.ca_file)

    def browse(page: str) -> bool:
        def follow() -> None:
            httpx2.get(page, verify=trust, follow_redirects=True, trust_env=False)

        threading.Thread(target=follow, daemon=True).start()
        return True

    monkeypatch.setattr("webbrowser.open", browse)
    return run_weft


def login(weft: Weft, provider: FakeProvider, *more: str) -> str:
    done = weft("auth", "login", "--oidc", "--oidc-ca-file", str(provider.ca_file), *more)
    assert done.code == 0, done.err
    return done.out


def kept(tmp_path: Path) -> Session:
    (found,) = msgspec.json.decode((tmp_path / "state-of-jane" / "logins.json").read_bytes(), type=list[Session])
    return found


def test_who_logs_in_has_the_roles_of_their_groups(
    jane: Weft, provider: FakeProvider, plane: Running, tmp_path: Path
) -> None:
    assert login(jane, provider) == "logged in as idp:jane\n"
    assert (tmp_path / "state-of-jane" / "logins.json").stat().st_mode & 0o777 == 0o600
    assert "idp:devs" in jane("auth", "whoami").out
    assert jane("get", "services", "-n", "shop").code == 5
    (tmp_path / "binding.yaml").write_text(BINDING)
    admin = ("--token-file", str(plane.state.admin_token))
    assert jane("apply", "-f", str(tmp_path / "binding.yaml"), *admin).code == 0
    assert jane("get", "services", "-n", "shop").code == 0
    assert jane("get", "services", "-n", "other").code == 5
    told = jane("audit", "--what", "login", "--who", "idp:jane", "-o", "json", *admin).out
    assert [one["outcome"] for one in msgspec.json.decode(told)["items"]].count("allowed") >= 1
    assert kept(tmp_path).id_token not in told


def test_a_code_can_be_entered_on_another_machine(
    jane: Weft, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.cli.oidc._SLOWER", 0.01)
    provider.pending = 3
    done = jane("auth", "login", "--oidc", "--device", "--oidc-ca-file", str(provider.ca_file))
    assert (done.code, done.out) == (0, "logged in as idp:jane\n")
    assert f"enter the code ABCD-EFGH at {provider.issuer}/enter" in done.err
    assert provider.pending == 0


def test_a_login_goes_on_by_itself_when_its_token_ends(jane: Weft, provider: FakeProvider, tmp_path: Path) -> None:
    provider.seconds = 20
    login(jane, provider)
    first = kept(tmp_path)
    provider.seconds = 600
    assert "idp:jane" in jane("auth", "whoami").out
    second = kept(tmp_path)
    assert second.id_token != first.id_token
    assert first.refresh_token not in provider.refreshable
    assert "idp:jane" in jane("auth", "whoami").out
    assert kept(tmp_path) == second


def test_a_login_that_the_provider_ended_says_so(jane: Weft, provider: FakeProvider) -> None:
    provider.seconds = 20
    login(jane, provider)
    provider.refreshable.clear()
    refused = jane("auth", "whoami")
    assert refused.code == 5
    assert "weft auth login" in refused.err


def test_logging_out_takes_the_login_back(jane: Weft, provider: FakeProvider, tmp_path: Path) -> None:
    login(jane, provider)
    refresh = kept(tmp_path).refresh_token
    assert jane("auth", "logout").code == 0
    assert refresh not in provider.refreshable
    assert jane("auth", "whoami").code == 5
    assert jane("auth", "logout").code == 1


def test_a_named_token_file_counts_before_the_login(jane: Weft, provider: FakeProvider, plane: Running) -> None:
    login(jane, provider)
    assert "weft:admin" in jane("auth", "whoami", "--token-file", str(plane.state.admin_token)).out


def test_a_login_that_the_control_plane_does_not_take_is_not_kept(
    jane: Weft, provider: FakeProvider, tmp_path: Path
) -> None:
    provider.claims = {"sub": "no name has spaces"}
    done = jane("auth", "login", "--device", "--oidc-ca-file", str(provider.ca_file))
    assert done.code == 5
    assert "does not take this login" in done.err
    assert not (tmp_path / "state-of-jane" / "logins.json").exists()


def test_a_user_who_says_no_is_told(jane: Weft, provider: FakeProvider) -> None:
    provider.approved = False
    done = jane("auth", "login", "--oidc-ca-file", str(provider.ca_file))
    assert done.code == 5
    assert "the user said no" in done.err


def test_the_token_of_another_login_is_not_taken(jane: Weft, provider: FakeProvider) -> None:
    provider.forged_nonce = True
    done = jane("auth", "login", "--oidc-ca-file", str(provider.ca_file))
    assert "another login" in done.err


@pytest.mark.slow
def test_who_does_not_know_the_login_s_state_changes_nothing(
    jane: Weft, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forge(page: str) -> bool:
        target = urlsplit(httpx2.QueryParams(page.partition("?")[2])["redirect_uri"])

        def knock() -> None:
            for query in ("?code=x&state=guessed", "?code=x", ""):
                with closing(HTTPConnection(str(target.hostname), target.port, timeout=5)) as connection:
                    connection.request("GET", target.path + query)
                    codes.append(connection.getresponse().status)

        threads.append(threading.Thread(target=knock))
        threads[0].start()
        return True

    codes: list[int] = []
    threads: list[threading.Thread] = []
    monkeypatch.setattr("webbrowser.open", forge)
    done = jane("auth", "login", "--oidc-ca-file", str(provider.ca_file), "--timeout", "1s")
    threads[0].join()
    assert done.code == 7
    assert codes == [404, 404, 404]


def test_a_provider_that_is_not_trusted_or_not_there_is_told(jane: Weft) -> None:
    done = jane("auth", "login")
    assert done.code == 6
    assert "--oidc-ca-file" in done.err
    assert jane("auth", "login", "--oidc-issuer-url", "https://127.0.0.1:1").code == 6


def test_on_the_machine_of_the_control_plane_nothing_need_be_named(
    jane: Weft, provider: FakeProvider, plane: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEFT_STATE", str(plane.state.root))
    for name in ("WEFT_OIDC_ISSUER_URL", "WEFT_OIDC_CLIENT_ID", "WEFT_ADDR"):
        monkeypatch.delenv(name)
    try:
        assert login(jane, provider) == "logged in as idp:jane\n"
    finally:
        assert jane("auth", "logout").code == 0
    assert "weft:admin" in jane("auth", "whoami").out


@pytest.mark.slow
def test_kubectl_is_the_person_who_logged_in(jane: Weft, provider: FakeProvider, tmp_path: Path) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed (Debian: kubernetes-client)")
    provider.seconds = 20
    login(jane, provider)
    provider.seconds = 600
    made = jane("kubeconfig").out.strip()
    assert kept(tmp_path).id_token not in Path(made).read_text()
    asked = [kubectl, f"--kubeconfig={made}", f"--cache-dir={tmp_path}", "auth", "whoami", "-o", "json"]
    told = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=True).stdout
    assert msgspec.json.decode(told)["status"]["userInfo"]["username"] == "idp:jane"


def test_without_a_login_there_is_no_credential_of_it(jane: Weft) -> None:
    assert jane("auth", "credential").code == 5
