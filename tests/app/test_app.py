"""`weft up` as a process: ready, alone, robust against kill -9, small."""

import json
import os
import re
import signal
import socket
import ssl
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

FREE = ("--api-port=0", "--xds-port=0", "--agent-port=0")
IDLE_MEMORY = 120 * 2**20

SHOP = """\
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: shop}
spec: {ports: [{name: http, port: 9080}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: shop}
spec:
  hosts: [reviews]
  http: [{route: [{destination: {host: reviews}}]}]
"""


def command(
    state: Path, *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command of the command line to its end."""
    return subprocess.run(
        [sys.executable, "-m", "weft", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, "WEFT_STATE": str(state), **(environment or {})},
    )


@contextmanager
def up(state: Path, *options: str, environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A control plane that is ready; killed at the end if nothing else ended it."""
    ports = [] if options else ["--api-port=0", "--xds-port=0", "--agent-port=0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "weft", "up", *ports, *options],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "WEFT_STATE": str(state), **(environment or {})},
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "weft is ready" in line or ('"event": "ready"' in line and "--log-format=json" in options):
                break
        else:
            raise AssertionError("the control plane ended before it was ready")
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory that is not there yet."""
    return tmp_path / "state"


@pytest.mark.live
def test_documents_survive_kill_9_and_keep_their_versions(state: Path, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(SHOP)
    with up(state) as first:
        applied = command(state, "apply", "-f", str(file))
        assert applied.returncode == 0, applied.stderr
        before = command(state, "get", "vs", "-A", "-o", "json").stdout
        first.kill()
        first.wait()
        assert command(state, "get", "vs").returncode == 6
    with up(state):
        assert command(state, "get", "vs", "-A", "-o", "json").stdout == before
        assert json.loads(before)["items"][0]["metadata"]["resourceVersion"]
        again = command(state, "apply", "-f", str(file))
        assert [line.rpartition(" ")[2] for line in again.stdout.splitlines()] == ["unchanged", "unchanged"]


@pytest.mark.live
def test_sigterm_ends_it_in_good_order_and_its_secrets_are_private(state: Path) -> None:
    with up(state) as process:
        assert stat.S_IMODE((state / "admin.token").stat().st_mode) == 0o600
        assert stat.S_IMODE(state.stat().st_mode) == 0o700
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert not (state / "ports.json").exists()


@pytest.mark.live
def test_sigterm_does_not_wait_for_a_watch(state: Path) -> None:
    with up(state) as process:
        watch = subprocess.Popen(
            [sys.executable, "-m", "weft", "get", "services", "-w"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "WEFT_STATE": str(state)},
        )
        assert watch.stdout is not None
        assert watch.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        watch.kill()
        watch.communicate()


@pytest.mark.live
def test_a_second_control_plane_on_the_same_state_is_refused(state: Path) -> None:
    with up(state):
        second = command(state, "up", "--api-port=0", "--xds-port=0", "--agent-port=0")
    assert second.returncode == 1
    assert second.stderr == (
        f"error: another control plane uses {state}\nhelp: stop it first, or use another directory with --state\n"
    )


@pytest.mark.live
@pytest.mark.parametrize("name", ["api", "xds", "agent"])
def test_a_port_that_is_taken_is_named_with_its_option(name: str, state: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = [f"--{other}-port={port if other == name else 0}" for other in ("api", "xds", "agent")]
        done = command(state, "up", "--log-format=json", *ports)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: cannot listen on 127.0.0.1:{port} (address already in use)\nhelp: ")
    assert done.stderr.endswith(f"--{name}-port\n")


@pytest.mark.live
def test_an_idle_control_plane_is_small(state: Path) -> None:
    with up(state) as process:
        assert psutil.Process(process.pid).memory_info().rss < IDLE_MEMORY


@pytest.mark.live
def test_a_service_manager_is_told(state: Path, tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(10)
        with up(state, environment={"NOTIFY_SOCKET": str(path)}) as process:
            assert manager.recv(4096).splitlines()[0] == b"READY=1"
            process.send_signal(signal.SIGTERM)
            assert manager.recv(100) == b"STOPPING=1"
            process.wait(10)


@pytest.mark.live
def test_logs_are_json_on_request(state: Path) -> None:
    options = ("--api-port=0", "--xds-port=0", "--agent-port=0", "--log-format=json")
    with up(state, *options) as process:
        process.send_signal(signal.SIGTERM)
        _, rest = process.communicate(timeout=10)
    assert [json.loads(line)["event"] for line in rest.splitlines()] == ["stopping", "stopped"]


@pytest.mark.live
def test_a_token_file_that_others_can_read_is_refused(state: Path) -> None:
    with up(state):
        pass
    (state / "admin.token").chmod(0o644)
    done = command(state, "up", "--api-port=0", "--xds-port=0", "--agent-port=0")
    assert done.returncode == 1
    assert "can be read by others" in done.stderr
    assert "chmod 600" in done.stderr


@pytest.mark.live
def test_health_needs_no_token_and_everything_else_does(state: Path) -> None:
    with up(state):
        api = json.loads((state / "ports.json").read_text())["api"]
        host, _, port = api.removeprefix("https://").partition(":")
        context = ssl.create_default_context(cafile=state / "ca" / "root.pem")
        answers = {path: _status(host, int(port), path, context) for path in ("/readyz", "/api", "/weft/v1/status")}
    assert answers == {"/readyz": 200, "/api": 401, "/weft/v1/status": 401}


@pytest.mark.live
def test_it_is_ready_soon(state: Path) -> None:
    """Of its own work, that is: how long the machine is at others', nobody can say."""
    with up(state) as process:
        used = psutil.Process(process.pid).cpu_times()
        assert used.user + used.system < 6


def _status(host: str, port: int, path: str, context: ssl.SSLContext) -> int:
    import http.client

    connection = http.client.HTTPSConnection(host, port, context=context, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.live
@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("admin.token", b"\xce\xff", "holds no token"),
        ("admin.token", b"\n", "is empty"),
        ("weft.db", b"\x01no database\x02" * 1000, "is damaged"),
        ("ca/root-key.pem", b"garbage", "is damaged"),
    ],
)
def test_a_damaged_file_is_named_with_what_to_do(name: str, content: bytes, words: str, state: Path) -> None:
    file = state / name
    file.parent.mkdir(parents=True, mode=0o700)
    file.touch(0o600)
    file.write_bytes(content)
    done = command(state, "up", *FREE)
    assert done.returncode == 1
    assert re.fullmatch(rf"error: [^\n]*{file}[^\n]* {words}[^\n]*\nhelp: [^\n]+\n", done.stderr), done.stderr


@pytest.mark.live
def test_a_state_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = command(tmp_path / "file" / "state", "up", *FREE)
    assert done.returncode == 1
    assert "cannot be used (not a directory)\nhelp: " in done.stderr


@pytest.mark.live
def test_what_fails_last_leaves_nothing_but_its_sentence(state: Path) -> None:
    (state / "ports.json").mkdir(parents=True)
    done = command(state, "up", *FREE, "--log-format=json")
    assert done.returncode == 1
    assert re.fullmatch(r"error: \S+ cannot be used \(is a directory\)\nhelp: [^\n]+\n", done.stderr), done.stderr


@pytest.mark.live
def test_a_trust_domain_that_spiffe_does_not_know_is_refused(state: Path) -> None:
    done = command(state, "up", *FREE, "--trust-domain", "Shop!")
    assert done.returncode == 1
    assert done.stderr.startswith("error: 'Shop!' cannot be a trust domain\nhelp: ")
    assert not state.exists()


@pytest.mark.live
@pytest.mark.root
@pytest.mark.parametrize("size", ["4k", "16k", "64k"])
def test_a_full_disk_is_one_sentence(size: str, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk], check=False).returncode:
        pytest.skip("a file system cannot be mounted here")
    try:
        done = command(disk / "state", "up", *FREE)
    finally:
        subprocess.run(["umount", disk], check=True)
    assert done.returncode == 1
    assert re.fullmatch(r"error: [^\n]+\nhelp: [^\n]*free space[^\n]*\n", done.stderr), done.stderr


@pytest.mark.live
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("pause", [0.0, 0.05])
def test_a_second_signal_ends_it_without_a_traceback(number: signal.Signals, pause: float, state: Path) -> None:
    with up(state) as process:
        for _ in range(2):
            process.send_signal(number)
            time.sleep(pause)
        assert process.stderr is not None
        said = process.stderr.read()
        process.wait(10)
    assert "Traceback" not in said, said
    assert process.returncode in (0, 130, -number)


def _until_imports(process: subprocess.Popen[str]) -> None:
    """Wait until the interpreter has begun to load what ``weft up`` needs: before, a signal is not ours to handle."""
    while "_asyncio" not in Path(f"/proc/{process.pid}/maps").read_text():
        assert process.poll() is None
        time.sleep(0.002)


def _heed_interrupts() -> None:
    """Shells let what they run in the background ignore interrupts, and so would all that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.live
@pytest.mark.parametrize("pause", [0.0, 0.3, 0.6])
def test_ctrl_c_while_it_starts_is_no_traceback(pause: float, state: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "weft", "up", *FREE],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "WEFT_STATE": str(state)},
        preexec_fn=_heed_interrupts,
    )
    _until_imports(process)
    time.sleep(pause)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=15)
    assert process.returncode == 130
    assert "Traceback" not in said, said
