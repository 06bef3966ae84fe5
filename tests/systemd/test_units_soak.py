"""The units of ``weft install systemd`` under a real systemd: ready when they say so, watched, fenced, and there again
after crashes and restarts of the machine."""

import re
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from tests.systemd.installed import BINDS, WEFT, install, weft
from tests.systemd.machine import Machine, machine, why_not

pytestmark = [
    pytest.mark.soak,
    pytest.mark.root,
    pytest.mark.timeout(600),
    pytest.mark.skipif(bool(why_not()), reason=f"no machine with systemd: {why_not()}"),
]
PROXY = 15001
HELLO = "/srv/reviews/index.html"
LOOP = """#!/bin/sh
cd /var/lib/weft-services/legacy
while sleep 0.2; do curl --silent --include --max-time 2 http://reviews:9080/ >new && mv new answer; done
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine on which a control plane, a service and a caller were installed, and switched on."""
    with machine("host", tmp_path_factory.mktemp("systemd") / "host", BINDS) as made:
        install(made)
        made.file(HELLO).parent.mkdir(parents=True)
        made.file(HELLO).write_text("hello\n")
        weft(made, "install", "systemd", "--control-plane")
        enable(made, "weft")
        serving = ("--port", "9080:8080", "--health", "http:/")
        command = (
            "/usr/bin/python3",
            "-m",
            "http.server",
            "--bind",
            "127.0.0.1",
            "--directory",
            "/srv/reviews",
            "8080",
        )
        workload(made, "reviews", *serving, "--", *command)
        workload(made, "web", "--http-proxy-port", str(PROXY), "--", "/bin/sleep", "infinity")
        yield made


def test_units_are_ready_when_systemd_says_so(host: Machine) -> None:
    for unit in ("weft", "weft@reviews", "weft@web"):
        assert show(host, unit, "ActiveState") == "active"
        assert show(host, unit, "NRestarts") == "0"
    assert show(host, "weft", "StatusText").startswith("API https://127.0.0.1:7070")
    assert show(host, "weft@reviews", "StatusText").endswith("serves reviews")
    assert call(host) == "hello\n"


@pytest.mark.parametrize("unit", ["weft", "weft@reviews"])
def test_units_run_as_nobody_known_and_without_a_privilege(host: Machine, unit: str) -> None:
    status = host.file(f"/proc/{show(host, unit, 'MainPID')}/status").read_text()
    assert int(re.findall(r"^Uid:\t(\d+)", status, re.MULTILINE)[0]) >= 61184, "one of systemd's dynamic users"
    assert set(re.findall(r"^Cap\w+:\t(\w+)$", status, re.MULTILINE)) == {"0" * 16}
    assert re.findall(r"^(?:NoNewPrivs|Seccomp):\t(\d)", status, re.MULTILINE) == ["1", "2"]


@pytest.mark.parametrize("unit", ["weft.service", "weft@reviews.service"])
def test_systemd_finds_no_fault_and_little_exposure(host: Machine, unit: str) -> None:
    assert host.run("systemd-analyze", "verify", "--man=no", unit).stderr == ""
    host.run("systemd-analyze", "security", "--threshold=25", unit)


def test_a_workload_cannot_read_what_others_keep(host: Machine) -> None:
    """Its user, its view of files and its own state, tried from inside."""
    first = show(host, "weft@reviews", "MainPID")
    user = host.file(f"/proc/{first}/status").read_text().split("Uid:\t")[1].split()[0]
    inside = ("nsenter", "--target", first, "--mount", "setpriv", "--reuid", user, "--regid", user, "--clear-groups")
    for path in ("/var/lib/weft/ca", "/var/lib/weft-services/web", "/root", "/run/credentials/weft@web.service"):
        assert host.run(*inside, "ls", f"{path}/", check=False).returncode != 0, path
    assert host.run(*inside, "touch", "/opt/weft/bin/mine", check=False).returncode != 0
    host.run(*inside, "ls", "/var/lib/weft-services/reviews")


@pytest.mark.parametrize("unit", ["weft@reviews", "weft"])
def test_who_hangs_is_ended_by_the_watchdog_and_started_again(host: Machine, unit: str) -> None:
    drop_in(host, "weft@.service" if "@" in unit else "weft.service", "[Service]\nWatchdogSec=2\n")
    host.run("systemctl", "restart", unit)
    first = show(host, unit, "MainPID")
    host.run("kill", "-STOP", first)
    try:
        until(lambda: show(host, unit, "MainPID") not in (first, "0") and show(host, unit, "ActiveState") == "active")
    finally:
        drop_in(host, "weft@.service" if "@" in unit else "weft.service", "")
    assert "Watchdog timeout" in host.run("journalctl", "--no-pager", "--unit", unit).stdout
    until(lambda: call(host) == "hello\n")


def test_a_crash_is_followed_by_a_start_with_the_same_identity(host: Machine) -> None:
    """The join token is used up: what was kept must be found again."""
    before = workloads(host)
    host.run("systemctl", "kill", "--signal=KILL", "weft@reviews")
    until(lambda: show(host, "weft@reviews", "ActiveState") == "active" and call(host) == "hello\n")
    assert workloads(host) == before


def test_the_application_ends_after_its_sidecar_was_drained(host: Machine) -> None:
    started = time.monotonic()
    host.run("systemctl", "stop", "weft@reviews")
    assert time.monotonic() - started < 15
    assert show(host, "weft@reviews", "Result") == "success"
    assert host.run("pgrep", "--full", "http.server", check=False).stdout == ""
    journal = host.run("journalctl", "--no-pager", "--unit", "weft@reviews", "--lines", "20").stdout
    assert "draining" in journal
    host.run("systemctl", "start", "weft@reviews")
    until(lambda: call(host) == "hello\n")


def test_capture_is_the_one_privilege_of_the_service_that_asks_for_it(host: Machine) -> None:
    script = host.file("/srv/legacy")
    script.write_text(LOOP)
    script.chmod(0o755)
    before = host.run("nft", "list", "ruleset").stdout
    workload(host, "legacy", "--capture", "--", "/srv/legacy")
    status = host.file(f"/proc/{show(host, 'weft@legacy', 'MainPID')}/status").read_text()
    assert set(re.findall(r"^Cap(?:Prm|Eff|Bnd):\t(\w+)$", status, re.MULTILINE)) == {f"{1 << 12:016x}"}
    answer = host.file("/var/lib/weft-services/legacy/answer")
    until(lambda: answer.exists() and answer.read_text().endswith("hello\n"))
    assert host.run("getent", "hosts", "reviews", check=False).returncode != 0, "only its sidecar knows this name"
    assert "weft-legacy" in host.run("nft", "list", "ruleset").stdout
    assert "captured" in weft(host, "capture", "status").stdout, "root sees what a service captures"
    weft(host, "capture", "clean")
    assert "weft-legacy" in host.run("nft", "list", "ruleset").stdout, "and leaves it alone"
    host.run("systemctl", "disable", "--now", "weft@legacy")
    assert host.run("nft", "list", "ruleset").stdout == before
    assert show(host, "weft@legacy", "Result") == "success"


def test_everything_is_there_again_after_the_machine_was_restarted(host: Machine) -> None:
    before = workloads(host)
    host.stop()
    host.start()
    until(lambda: call(host) == "hello\n")
    for unit in ("weft", "weft@reviews", "weft@web"):
        assert show(host, unit, "ActiveState") == "active"
    assert workloads(host) == before


def test_uninstalling_leaves_no_unit(host: Machine) -> None:
    host.run("systemctl", "disable", "--now", "weft@reviews", "weft@web", "weft")
    for name in ("reviews", "web", "legacy"):
        weft(host, "uninstall", "systemd", "--service", name)
    weft(host, "uninstall", "systemd", "--control-plane")
    host.run("systemctl", "daemon-reload")
    left = [path.name for path in host.file("/etc/systemd/system").glob("weft*") if not path.name.endswith(".d")]
    assert left == []
    assert host.file("/var/lib/weft/ca/root.pem").exists(), "state stays"


def workload(host: Machine, name: str, *options: str) -> None:
    """Install and switch on a workload that joins with a token of root's."""
    token = host.file(f"/root/{name}.token")
    said = host.run("env", "WEFT_STATE=/var/lib/weft", WEFT, "token", "create", "-n", "shop", "--service-account", name)
    token.write_text(said.stdout)
    token.chmod(0o600)
    joining = ("--token-file", f"/root/{name}.token", "--ca-file", "/var/lib/weft/ca/root.pem")
    weft(host, "install", "systemd", "--service", name, "--", *joining, *options)
    enable(host, f"weft@{name}")


def enable(host: Machine, unit: str) -> None:
    host.run("systemctl", "daemon-reload")
    done = host.run("systemctl", "enable", "--now", unit, check=False, timeout=130)
    assert done.returncode == 0, host.run("journalctl", "--no-pager", "--unit", unit).stdout


def drop_in(host: Machine, unit: str, text: str) -> None:
    """A user's own setting beside what was written; none, if there is no text."""
    file = host.file(f"/etc/systemd/system/{unit}.d/mine.conf")
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    host.run("systemctl", "daemon-reload")


def show(host: Machine, unit: str, what: str) -> str:
    return host.run("systemctl", "show", "--value", "--property", what, unit).stdout.strip()


def workloads(host: Machine) -> list[str]:
    return sorted(path.name for path in host.file("/var/lib/weft-services").glob("*/workloads/*"))


def call(host: Machine) -> str:
    """What the caller's sidecar is answered for the service."""
    asked = ("curl", "--silent", "--fail", "--max-time", "3", "--proxy", f"127.0.0.1:{PROXY}", "http://reviews:9080/")
    done: subprocess.CompletedProcess[str] = host.run(*asked, check=False)
    return done.stdout


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.1)
