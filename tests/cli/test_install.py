"""``weft install systemd`` and ``weft uninstall systemd``: files below a root, checked by systemd's own tools."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import run_weft
from weft.cli.install import closed_to_others
from weft.cli.units import quoted, untouched

UNITS = Path("etc/systemd/system")
MOST_EXPOSED = {"weft.service": 25, "weft@.service": 25}
"""Tenths of systemd-analyze's exposure, of 100: below 30 is what it calls good."""
RUN = ("--port", "9080:8080", "--health", "http:/healthz", "--", "/srv/reviews/serve", "--name=$x 100%", "a b")


def installed(root: Path, *arguments: str) -> Path:
    done = run_weft("install", "systemd", "--root", str(root), *arguments)
    assert done.code == 0, done.err
    return root / UNITS


def test_a_control_plane_gets_its_key_from_the_manager_and_no_privilege(tmp_path: Path) -> None:
    key = tmp_path / "key"
    units = installed(tmp_path, "--control-plane", "--encryption-key-file", str(key), "--", "--api-port", "7443")
    text = (units / "weft.service").read_text()
    assert f"LoadCredential=weft-encryption-key:{key}\n" in text
    assert " up --log-format json --api-port 7443 $WEFT_UP\n" in text
    assert "\nCapabilityBoundingSet=\n" in text
    assert "\nType=notify\n" in text
    assert not list(units.glob("weft@*"))


def test_a_services_command_stays_what_it_is_and_its_token_needs_no_reader(tmp_path: Path) -> None:
    token = tmp_path / "t"
    units = installed(tmp_path, "--service", "reviews", "--", "--token-file", str(token), *RUN)
    text = (units / "weft@reviews.service.d" / "run.conf").read_text()
    assert f"LoadCredential=join-token:{token}\n" in text
    assert "--service %i --same-name --token-file %d/join-token --port 9080:8080 --health http:/healthz -- " in text
    assert text.endswith('/srv/reviews/serve "--name=$$x 100%%" "a b"\n')
    template = (units / "weft@.service").read_text()
    assert "\nKillMode=mixed\n" in template, "systemd must not end Envoy before the agent has drained it"
    assert "\nCapabilityBoundingSet=\n" in template


def test_capture_is_the_only_privilege_and_only_of_the_service_that_asks_for_it(tmp_path: Path) -> None:
    units = installed(tmp_path, "--service", "reviews", "--capture", "--", *RUN)
    installed(tmp_path, "--service", "ratings", "--", *RUN)
    installed(tmp_path, "--service", "details", "--", "--capture", *RUN)
    for name in ("reviews", "details"):
        text = (units / f"weft@{name}.service.d" / "run.conf").read_text()
        assert "\nAmbientCapabilities=CAP_NET_ADMIN\n" in text
        assert "\nDelegate=yes\n" in text, "the application gets a cgroup of its own"
    assert "CAP_" not in (units / "weft@ratings.service.d" / "run.conf").read_text()
    assert "CAP_" not in (units / "weft@.service").read_text()


def test_installing_again_changes_nothing_and_what_somebody_changed_is_kept(tmp_path: Path) -> None:
    unit = installed(tmp_path, "--control-plane") / "weft.service"
    before = unit.stat().st_mtime_ns
    done = run_weft("install", "systemd", "--root", str(tmp_path), "--control-plane")
    assert "as it should be" in done.err
    assert unit.stat().st_mtime_ns == before
    unit.write_text(unit.read_text().replace("WatchdogSec=30", "WatchdogSec=90"))
    assert not untouched(unit.read_text())
    for command in ("install", "uninstall"):
        done = run_weft(command, "systemd", "--root", str(tmp_path), "--control-plane")
        assert done.code == 1
        assert "was changed since it was written" in done.err
    assert "WatchdogSec=90" in unit.read_text()
    installed(tmp_path, "--control-plane", "--force")
    assert "WatchdogSec=30" in unit.read_text()


def test_uninstalling_leaves_what_it_found(tmp_path: Path) -> None:
    units = tmp_path / UNITS
    units.mkdir(parents=True)
    (units / "other.service").write_text("[Service]\nExecStart=/bin/true\n")
    installed(tmp_path, "--control-plane")
    installed(tmp_path, "--service", "reviews", "--", *RUN)
    installed(tmp_path, "--service", "ratings", "--", *RUN)
    (units / "weft@ratings.service.d" / "mine.conf").write_text("[Service]\nNice=5\n")
    (units / "weft@.service.d").mkdir()
    (units / "weft@.service.d" / "all.conf").write_text("[Service]\nNice=5\n")
    for arguments in (("--service", "reviews"), ("--control-plane",)):
        assert run_weft("uninstall", "systemd", "--root", str(tmp_path), *arguments).code == 0
    assert (units / "weft@.service").exists(), "ratings needs it"
    assert run_weft("uninstall", "systemd", "--root", str(tmp_path), "--service", "ratings").code == 0
    assert sorted(str(one.relative_to(units)) for one in units.rglob("*") if one.is_file()) == [
        "other.service",
        "weft@.service",
        "weft@.service.d/all.conf",
        "weft@ratings.service.d/mine.conf",
    ]
    assert run_weft("uninstall", "systemd", "--root", str(tmp_path), "--control-plane").code == 4


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--control-plane", "--service", "reviews"),
        ("--control-plane", "--capture"),
        ("--service", "reviews", "--", "--prot", "9080", "--", "x"),
        ("--service", "reviews", "--", "--port", "9080"),
        ("--service", "Reviews!", "--", "--", "x"),
        ("--control-plane", "--", "--api-prot", "1"),
    ],
)
def test_what_could_never_start_is_refused_and_nothing_is_written(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run_weft("install", "systemd", "--root", str(tmp_path), *arguments)
    assert done.code == 2
    assert not (tmp_path / "etc").exists()


def test_what_keeps_others_from_running_weft_is_found(tmp_path: Path) -> None:
    assert closed_to_others((Path("/usr/bin/env"),)) is None
    program = tmp_path / "weft"
    program.symlink_to("/usr/bin/env")
    tmp_path.chmod(0o700)
    assert closed_to_others((program,)) in (tmp_path, *tmp_path.parents), "the way to a link counts, too"
    assert closed_to_others((Path("/etc/shadow"),)) == Path("/etc/shadow")


def test_a_dry_run_shows_the_files(tmp_path: Path) -> None:
    done = run_weft("install", "systemd", "--dry-run", "--root", str(tmp_path), "--service", "reviews", "--", *RUN)
    assert "# /etc/systemd/system/weft@.service" in done.out
    assert "# /etc/systemd/system/weft@reviews.service.d/run.conf" in done.out
    assert not (tmp_path / "etc").exists()


@pytest.mark.parametrize(
    ("word", "text"), [("a", "a"), ("a b", '"a b"'), ('"', '"\\""'), ("$A%n", "$$A%%n"), ("", '""')]
)
def test_words_stay_words(word: str, text: str) -> None:
    assert quoted(word) == text


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
class TestBySystemd:
    """What systemd itself says of the files."""

    def test_units_are_correct(self, tmp_path: Path) -> None:
        units = installed(tmp_path, "--control-plane", "--encryption-key-file", "/etc/weft/key")
        program = Path(sys.executable)
        installed(tmp_path, "--service", "reviews", "--capture", "--", "--token-file", "/t", "--", str(program), "a b")
        path = os.pathsep.join((str(units), "/lib/systemd/system"))
        for name in ("weft.service", "weft@reviews.service"):
            done = _analyze("verify", "--man=no", "--recursive-errors=no", name, path=path)
            assert (done.returncode, done.stderr) == (0, ""), name

    @pytest.mark.parametrize(("name", "most"), MOST_EXPOSED.items())
    def test_units_expose_little(self, tmp_path: Path, name: str, most: int) -> None:
        installed(tmp_path, "--control-plane")
        units = installed(tmp_path, "--service", "reviews", "--", *RUN)
        done = _analyze("security", "--offline=yes", f"--threshold={most}", str(units / name))
        assert done.returncode == 0, done.stdout


def _analyze(*arguments: str, path: str = "") -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, **({"SYSTEMD_UNIT_PATH": path} if path else {})}
    command = ("systemd-analyze", "--no-pager", *arguments)
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
