"""Clients that prove themselves by certificates: through real TLS, with the command line and with kubectl."""

import datetime
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import msgspec
import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.api.client_ca import ClientCa, Pair
from tests.api.conftest import wait_for
from tests.cli.conftest import Running, joined, run_weft, serving
from weft.api.client_files import ClientAuthorities, ClientFiles
from weft.kit.errors import UserError
from weft.kit.value import Value

WHOAMI = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
WATCH = "/api/v1/namespaces/shop/services?watch=true"
BINDING = """
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: devs, namespace: shop}
roleRef: {kind: ClusterRole, name: view}
subjects: [{kind: Group, name: devs}, {kind: ServiceAccount, name: web, namespace: shop}]
"""


class Plane(Value):
    """A control plane, and the files of its clients' authority."""

    running: Running
    files: ClientFiles


CA = ClientCa("clients", time.time())


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    directory = tmp_path_factory.mktemp("clients")
    files = ClientFiles(ca=directory / "ca.pem", crl=directory / "crl.pem")
    files.ca.write_bytes(CA.pem)
    (directory / "crl.pem").write_bytes(CA.revoked())
    with serving(tmp_path_factory.mktemp("state"), clients=files) as running:
        yield Plane(running=running, files=files)


def opened(plane: Plane, pair: Pair | None, directory: Path, **headers: str) -> httpx2.Client:
    trust = ssl.create_default_context(cafile=plane.running.state.bundle)
    if pair is not None:
        (directory / "shown.pem").write_bytes(pair.pem + pair.key_pem)
        trust.load_cert_chain(directory / "shown.pem")
    return httpx2.Client(
        base_url=plane.running.addresses.api, verify=trust, trust_env=False, headers=headers, timeout=30
    )


def name(plane: Plane, pair: Pair | None, directory: Path, **headers: str) -> str:
    """As whom the API knows the holder of a certificate; the status if as nobody."""
    with opened(plane, pair, directory, **headers) as client:
        answer = client.post(WHOAMI, json={})
    if answer.status_code != 201:
        return str(answer.status_code)
    user = answer.json()["status"]["userInfo"]
    return f"{user['username']} of {','.join(user['groups'])}"


def test_a_client_of_the_operator_s_authority_is_who_its_certificate_says(plane: Plane, tmp_path: Path) -> None:
    jane = CA.issue("jane", groups=("devs",))
    assert name(plane, jane, tmp_path) == "jane of devs,system:authenticated"
    assert name(plane, None, tmp_path) == "401"


def test_a_workload_is_its_account_and_may_what_its_roles_allow(plane: Plane, tmp_path: Path) -> None:
    web = joined(plane.running, "shop", "web")
    account, accounts = "system:serviceaccount:shop:web", "system:serviceaccounts"
    assert name(plane, web, tmp_path) == f"{account} of {accounts},{accounts}:shop,system:authenticated"
    bind(plane, tmp_path)
    with opened(plane, web, tmp_path) as client:
        assert client.get("/api/v1/namespaces/shop/services").status_code == 200
        assert client.get("/api/v1/namespaces/shop/secrets").status_code == 403
        assert client.get("/api/v1/namespaces/other/services").status_code == 403


def bind(plane: Plane, directory: Path) -> None:
    (directory / "binding.yaml").write_text(BINDING)
    state = plane.running.state
    done = run_weft(
        "apply", "-f", str(directory / "binding.yaml"),
        "--server", plane.running.addresses.api, "--token-file", str(state.admin_token), "--ca-file", str(state.bundle),
    )  # fmt: skip
    assert done.code == 0, done.err


def test_a_token_that_is_sent_counts_whatever_is_shown(plane: Plane, tmp_path: Path) -> None:
    admin = CA.issue("root", groups=("system:masters",))
    token = plane.running.state.admin_token.read_text().strip()
    assert name(plane, CA.issue("jane"), tmp_path, Authorization=f"Bearer {token}").startswith("weft:admin ")
    assert name(plane, admin, tmp_path, Authorization="Bearer wrong") == "401"
    assert name(plane, admin, tmp_path, Authorization="") == "401"


@pytest.mark.parametrize(
    "pair",
    [
        ClientCa("clients", time.time()).issue("jane", groups=("system:masters",)),
        CA.issue("jane", lifetime=datetime.timedelta(days=-1)),
        CA.issue("jane", usage=ExtendedKeyUsageOID.SERVER_AUTH),
        ClientCa("own", time.time()),
    ],
    ids=["of another root", "expired", "of a server", "self-signed"],
)
def test_a_certificate_that_does_not_hold_gets_no_connection(plane: Plane, pair: Pair, tmp_path: Path) -> None:
    with pytest.raises(httpx2.TransportError):
        name(plane, pair, tmp_path)


@pytest.mark.slow
def test_a_certificate_that_is_taken_back_is_refused_also_on_connections_that_are_open(
    plane: Plane, tmp_path: Path
) -> None:
    assert plane.files.crl is not None
    jane, john = CA.issue("jane", groups=("system:masters",)), CA.issue("john")
    ended = threading.Event()

    def watch() -> None:
        with opened(plane, jane, tmp_path) as client, client.stream("GET", WATCH) as stream:
            started.set()
            for _ in stream.iter_raw():
                pass
        ended.set()

    started = threading.Event()
    thread = threading.Thread(target=watch)
    thread.start()
    with opened(plane, jane, tmp_path) as client:
        assert client.post(WHOAMI, json={}).status_code == 201
        assert started.wait(10)
        plane.files.crl.write_bytes(CA.revoked(jane))
        began = time.monotonic()
        wait_for(lambda: client.post(WHOAMI, json={}).status_code == 401)
    assert ended.wait(10)
    assert time.monotonic() - began < 8
    thread.join()
    assert name(plane, john, tmp_path).startswith("john ")
    plane.files.crl.write_bytes(CA.revoked())


@pytest.mark.slow
def test_another_authority_in_the_file_counts_from_then_on(plane: Plane, tmp_path: Path) -> None:
    assert plane.files.crl is not None
    added = ClientCa("added", time.time())
    jane = added.issue("jane")
    plane.files.ca.write_bytes(CA.pem + added.pem)
    plane.files.crl.write_bytes(CA.revoked() + added.revoked())

    def known() -> bool:
        try:
            return name(plane, jane, tmp_path).startswith("jane ")
        except httpx2.TransportError:
            return False

    wait_for(known)
    plane.files.ca.write_text("this is no certificate any more")
    time.sleep(2.5)  # nothing is to happen: what was read last goes on to count
    assert known()
    plane.files.ca.write_bytes(CA.pem)
    wait_for(lambda: not known())
    plane.files.crl.write_bytes(CA.revoked())


def test_the_agents_port_does_not_know_the_operator_s_authority(plane: Plane, tmp_path: Path) -> None:
    pair = CA.issue("jane", uris=["spiffe://cluster.local/ns/shop/sa/web"])
    with opened(plane, pair, tmp_path) as client, pytest.raises(httpx2.TransportError):
        client.put(f"{plane.running.addresses.agents}/v1/workloads/web", json={})


def test_the_command_line_and_kubectl_take_a_certificate(
    plane: Plane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jane = CA.issue("jane", groups=("devs",))
    (tmp_path / "jane.pem").write_bytes(jane.pem)
    (tmp_path / "jane.key").write_bytes(jane.key_pem)
    monkeypatch.setenv("WEFT_STATE", str(tmp_path / "none"))
    monkeypatch.setenv("WEFT_ADDR", plane.running.addresses.api)
    monkeypatch.setenv("WEFT_CA_FILE", str(plane.running.state.bundle))
    monkeypatch.setenv("WEFT_CLIENT_CERTIFICATE", str(tmp_path / "jane.pem"))
    monkeypatch.setenv("WEFT_CLIENT_KEY", str(tmp_path / "jane.key"))
    assert "jane" in run_weft("auth", "whoami").out
    admin = ("--token-file", str(plane.running.state.admin_token))
    logins = msgspec.json.decode(run_weft("audit", "--what", "login", "--who", "jane", "-o", "json", *admin).out)[
        "items"
    ]
    assert {(one["who"], one["detail"]) for one in logins} >= {("jane", "by a certificate")}
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed (Debian: kubernetes-client)")
    made = run_weft("kubeconfig").out.strip()
    asked = [kubectl, f"--kubeconfig={made}", f"--cache-dir={tmp_path}", "auth", "whoami", "-o", "json"]
    told = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=True).stdout
    assert msgspec.json.decode(told)["status"]["userInfo"]["username"] == "jane"


def test_files_that_cannot_be_used_are_named_with_their_option(tmp_path: Path) -> None:
    good, junk = tmp_path / "good.pem", tmp_path / "junk.pem"
    good.write_bytes(CA.pem)
    junk.write_text("junk")
    for files, option in (
        (ClientFiles(ca=junk), "--client-ca-file"),
        (ClientFiles(ca=tmp_path / "none"), "--client-ca-file"),
        (ClientFiles(ca=good, crl=junk), "--client-crl-file"),
    ):
        with pytest.raises(UserError) as refused:
            ClientAuthorities(files, lambda: None)
        assert option in str(refused.value.help)
    alone = run_weft("up", "--state", str(tmp_path / "state"), "--client-crl-file", str(junk))
    assert alone.code == 2
    assert "--client-ca-file" in alone.err
