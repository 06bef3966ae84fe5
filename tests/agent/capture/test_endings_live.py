"""However a captured workload ends, its host is as it was: no rule, no cgroup, no note, no process."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.capture.captive import Captive, captive, wait_until
from tests.agent.capture.lan import Host, lan
from tests.agent.capture.programs import HEARS, SAYS
from tests.agent.capture.tools import CAPTURES
from weft.agent.capture import ledger
from weft.agent.capture.cgroup import cgroup_of, place
from weft.agent.capture.ledger import Entry

pytestmark = [pytest.mark.live, pytest.mark.root, CAPTURES]
FORMS = ("nft", "iptables")
AT_LEISURE = ("nft", pytest.param("iptables", marks=pytest.mark.soak))
PYTHON = "/usr/bin/python3"
LASTING = ("/bin/sh", "-c", "trap '' TERM; while true; do sleep 0.2; done")
"""An application that does not mind being asked to end."""

ESCAPING = ("/bin/sh", "-c", "setsid -f sleep 600 >/dev/null 2>&1")
"""What leaves the application's process group, but not its cgroup."""


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """One host, whose nat is in use by others."""
    with lan("own") as (own,):
        for tool, theirs in (("iptables", "192.0.2.9"), ("ip6tables", "fd00::9")):
            for chain in ("OUTPUT", "PREROUTING"):
                own.run(tool, "-t", "nat", "-A", chain, "-d", theirs, "-p", "tcp", "-j", "REDIRECT", "--to-ports", "9")
        yield own


class Clean:
    """A host before, which it has to be after."""

    def __init__(self, host: Host, runtime: Path) -> None:
        self._host = host
        self._runtime = runtime
        self._before = host.rules()

    def wait(self, *names: str) -> None:
        """Wait until nothing is left of these workloads."""
        wait_until(lambda: not any(place(cgroup_of(name)).exists() for name in names))
        wait_until(lambda: not list((self._runtime / "capture").glob("*.json")))
        wait_until(lambda: self._host.rules() == self._before)


@pytest.fixture
def clean(host: Host, tmp_path: Path) -> Clean:
    """The host as it is."""
    return Clean(host, tmp_path)


@pytest.mark.parametrize("form", FORMS)
def test_a_crash_of_the_agent_leaves_nothing_and_nobody_behind(
    form: str, host: Host, tmp_path: Path, clean: Clean
) -> None:
    with captive(host, "web", tmp_path, *LASTING, capture={"mechanism": form}, ports=[8080]) as workload:
        workload.call(*ESCAPING)
        workload.kill()
        clean.wait("web")


@pytest.mark.parametrize("form", AT_LEISURE)
def test_until_a_crashed_agents_application_has_ended_it_reaches_nobody(
    form: str, host: Host, tmp_path: Path, clean: Clean
) -> None:
    """It has some seconds to end, during which its calls still go where its sidecar was."""
    with captive(host, "web", tmp_path, *LASTING, capture={"mechanism": form}, patience=5.0) as workload:
        workload.kill()
        assert "refused" in workload.call(PYTHON, "-c", HEARS, "192.0.2.77", "80")
        clean.wait("web")


@pytest.mark.parametrize("form", AT_LEISURE)
def test_what_escaped_from_the_application_ends_with_the_workload(
    form: str, host: Host, tmp_path: Path, clean: Clean
) -> None:
    with captive(host, "web", tmp_path, "sleep", "600", capture={"mechanism": form}) as workload:
        workload.call(*ESCAPING)
        workload.stop()
        clean.wait("web")


def test_rules_that_belong_to_their_holder_go_even_when_all_are_killed(
    host: Host, tmp_path: Path, clean: Clean, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEFT_RUNTIME", str(tmp_path))
    before = host.rules()
    with captive(host, "web", tmp_path, "sleep", "600") as workload:
        entry = noted(tmp_path)
        assert entry.mechanism == "nft-owned"
        os.kill(workload.process.pid, signal.SIGKILL)
        os.kill(entry.guardian, signal.SIGKILL)
        workload.process.wait(20)
        wait_until(lambda: host.rules() == before)
        assert host.weft("capture", "clean", runtime=tmp_path) == "undone: web\n"
    clean.wait("web")


def test_without_a_guardian_the_next_start_or_a_command_cleans_up(host: Host, tmp_path: Path, clean: Clean) -> None:
    for cleaned_by in ("command", "start"):
        with captive(host, "web", tmp_path, "sleep", "600", capture={"mechanism": "iptables"}) as workload:
            workload.process.send_signal(signal.SIGSTOP)  # or it would start another guardian
            os.kill(noted(tmp_path).guardian, signal.SIGKILL)
            workload.kill()
        assert "WEFT_" in host.rules()
        assert "left" in host.weft("capture", "status", runtime=tmp_path)
        if cleaned_by == "command":
            assert host.weft("capture", "clean", "web", runtime=tmp_path) == "undone: web\n"
        else:
            with captive(host, "web", tmp_path, "sleep", "600", capture={"mechanism": "iptables"}):
                pass
        clean.wait("web")


@pytest.mark.parametrize("form", FORMS)
def test_rules_whose_guardian_is_killed_come_back(form: str, host: Host, tmp_path: Path, clean: Clean) -> None:
    with captive(host, "web", tmp_path, *LASTING, capture={"mechanism": form}) as workload:
        before = noted(tmp_path).guardian
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: noted(tmp_path).guardian not in (before, 0))
        wait_until(lambda: workload.call(PYTHON, "-c", HEARS, "192.0.2.77", "80").startswith("outbound 192.0.2.77 80"))
        workload.stop()
        clean.wait("web")


def test_a_workload_that_is_captured_cannot_be_captured_again(host: Host, tmp_path: Path) -> None:
    with (
        captive(host, "web", tmp_path, "sleep", "600"),
        pytest.raises(AssertionError, match="is captured already"),
        captive(host, "web", tmp_path, "sleep", "600"),
    ):
        pass


def test_a_connection_from_before_stays_what_it_was(host: Host, tmp_path: Path) -> None:
    """Both ends on this host, so that the rules see each of its packets; nothing had tracked it before them."""
    server = host.popen(PYTHON, "-c", ECHO, "8080")
    assert server.stdout is not None
    assert server.stdout.readline() == "ready\n"
    caller = host.popen(PYTHON, "-c", TALKS, host.address, "8080")
    assert caller.stdin is not None
    assert caller.stdout is not None
    for turn in ("before", "while", "after"):
        if turn == "while":
            with captive(host, "web", tmp_path, "sleep", "600", ports=[8080]) as workload:
                assert workload.host.run(PYTHON, "-c", HEARS, host.address, "8080").startswith("inbound")
                assert said(caller, turn) == turn
        else:
            assert said(caller, turn) == turn
    for process in (caller, server):
        process.kill()
        process.communicate()


def test_workloads_of_one_host_do_not_meet(host: Host, tmp_path: Path, clean: Clean) -> None:
    names = ("web", "shop.v1", "db")
    with (
        captive(host, "web", tmp_path, PYTHON, "-c", SAYS, "8081", "web", ports=[8081]) as web,
        captive(host, "shop.v1", tmp_path, PYTHON, "-c", SAYS, "8082", "shop", ports=[8082]) as shop,
        captive(
            host, "db", tmp_path, PYTHON, "-c", SAYS, "8083", "db", ports=[8083], capture={"mechanism": "iptables"}
        ),
    ):
        status = host.weft("capture", "status", runtime=tmp_path)
        assert status.count("captured") == 3, status
        wait_until(lambda: all(f":{port} " in host.run("ss", "-ltn") for port in (8081, 8082, 8083)))
        assert hears(web, "192.0.2.1", 80) == f"outbound 192.0.2.1 80 from {host.address}"
        assert hears(shop, "192.0.2.2", 80) == f"outbound 192.0.2.2 80 from {host.address}"
        assert hears(web, "127.0.0.1", 8082) == "inbound 127.0.0.1 8082 from 127.0.0.1"
        assert hears(shop, host.address, 8082) == f"shop from {host.address}"
        web.stop()
        assert hears(shop, "192.0.2.2", 80) == f"outbound 192.0.2.2 80 from {host.address}"
    clean.wait(*names)


@pytest.mark.parametrize("form", AT_LEISURE)
def test_one_capability_is_enough(form: str, host: Host, tmp_path: Path, clean: Clean) -> None:
    """Besides the right to make a cgroup, which is here that of root over files, elsewhere delegation."""
    poor = ("setpriv", "--bounding-set", "-all,+net_admin,+dac_override")
    with captive(host, "web", tmp_path, "sleep", "600", through=poor, capture={"mechanism": form}) as workload:
        assert hears(workload, "192.0.2.1", 80) == f"outbound 192.0.2.1 80 from {host.address}"
        workload.kill()
        clean.wait("web")


def test_without_it_capture_is_refused_in_words(host: Host, tmp_path: Path) -> None:
    poor = ("setpriv", "--bounding-set", "-all")
    with (
        pytest.raises(AssertionError, match="capture needs root, or CAP_NET_ADMIN"),
        captive(host, "web", tmp_path, "sleep", "600", through=poor),
    ):
        pass


ECHO = """
import socket, sys
server = socket.create_server(("0.0.0.0", int(sys.argv[1])))
print("ready", flush=True)
connection, _ = server.accept()
while piece := connection.recv(100):
    connection.sendall(piece)
"""
TALKS = """
import socket, sys
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)
while line := sys.stdin.readline():
    connection.sendall(line.encode())
    print(connection.recv(100).decode().strip(), flush=True)
"""


def said(caller: "subprocess.Popen[str]", word: str) -> str:
    """What comes back over the caller's one connection."""
    assert caller.stdin is not None
    assert caller.stdout is not None
    caller.stdin.write(word + "\n")
    caller.stdin.flush()
    return caller.stdout.readline().strip()


def hears(workload: Captive, address: str, port: int) -> str:
    """What the application hears that connects."""
    return workload.call(PYTHON, "-c", HEARS, address, str(port))


def noted(runtime: Path) -> Entry:
    """The one entry of the ledger."""
    (path,) = (runtime / "capture").glob("*.json")
    entry = ledger.read(path)
    assert entry is not None
    return entry
