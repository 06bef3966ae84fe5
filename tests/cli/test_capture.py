"""``weft capture`` without any rule in force: what would be done, and what is refused."""

import os
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import run_weft
from weft.agent.capture import ledger
from weft.agent.capture.ledger import Entry
from weft.agent.capture.rules import ByUser, Rules

_RULES = Rules(workload="web", who=ByUser(uid=1234), outbound=1, inbound=2, inbound_ports=(8080,))
needs_nft = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("nft", path="/usr/sbin:/usr/bin"), reason="needs root and nft"
)


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WEFT_RUNTIME", str(tmp_path))
    return tmp_path


@needs_nft
def test_a_plan_shows_the_rules_for_nft_and_changes_nothing() -> None:
    done = run_weft("capture", "plan", "--port", "9080:8080", "--exclude-outbound-ports", "3306")
    assert done.code == 0, done.err
    assert "table inet weft-planned {" in done.out
    assert "tcp dport { 22, 3306 } return" in done.out
    assert "tcp dport 8080 redirect to :15006" in done.out
    assert "udp dport 53 redirect to :15053" in done.out
    assert "dport 53 " not in run_weft("capture", "plan", "--no-dns").out


@needs_nft
def test_a_plan_shows_the_rules_for_iptables_and_both_families() -> None:
    done = run_weft("capture", "plan", "--port", "8080", "--as", "iptables", "--run-as", "games", "--capture=user")
    assert done.code == 0, done.err
    assert "# iptables-restore --noflush" in done.out
    assert "# ip6tables-restore --noflush" in done.out
    assert "-m owner --uid-owner 5" in done.out


def test_options_of_capture_say_nothing_without_it() -> None:
    done = run_weft("run", "--service", "web", "--exclude-outbound-ports", "3306", "--", "true")
    assert done.code == 2
    assert "--exclude-outbound-ports says nothing without --capture" in done.err


@needs_nft
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--capture=user",), "capture by user needs one"),
        (("--capture=user", "--run-as", "nobody-of-that-name"), "there is no user nobody-of-that-name"),
        (("--capture=user", "--run-as", "root"), "is also the sidecar's"),
        (("--exclude-outbound-ports", "many"), "'many' is no port"),
        (("--exclude-outbound-cidrs", "10.0.0.0/40"), "is no range of addresses"),
        (("--capture-at", "10.0.0.0/8"), "is no address"),
    ],
)
def test_what_cannot_be_captured_is_refused_in_words(arguments: tuple[str, ...], said: str) -> None:
    done = run_weft("capture", "plan", *arguments)
    assert done.code != 0
    assert said in done.err


def test_what_an_agent_left_is_shown_and_cleaned_away(runtime: Path) -> None:
    path = ledger.write(Entry(rules=_RULES, mechanism="nft", pid=1, started=1, namespace=ledger.network_namespace()))
    done = run_weft("capture", "status")
    assert "web" in done.out
    assert "left" in done.out
    assert run_weft("capture", "clean", "other").code == 4
    if shutil.which("nft", path="/usr/sbin:/usr/bin"):
        assert "undone: web" in run_weft("capture", "clean").err
        assert not path.exists()


def test_what_a_running_agent_holds_is_not_cleaned_away() -> None:
    own = os.getpid()
    held = Entry(
        rules=_RULES, mechanism="nft", pid=own, started=ledger.started(own), namespace=ledger.network_namespace()
    )
    path = ledger.write(held)
    done = run_weft("capture", "clean", "web")
    assert done.code == 1
    assert f"is captured by the agent {own}, which runs" in done.err
    assert path.exists()


def test_a_ledger_that_others_may_write_is_not_used(runtime: Path) -> None:
    (runtime / "capture").mkdir()
    (runtime / "capture").chmod(0o777)
    with pytest.raises(Exception, match="can be written by others"):
        ledger.write(Entry(rules=_RULES, mechanism="nft", pid=1, started=1))
