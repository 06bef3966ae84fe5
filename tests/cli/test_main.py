"""The frame of the command line: help, start-up cost, usage errors, exit codes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import run_weft
from weft.cli.main import COMMANDS, loaded
from weft.cli.main import weft as weft_group

HEAVY = (
    "grpc",
    "pydantic",
    "starlette",
    "cryptography",
    "httpx2",
    "uvicorn",
    "yaml",
    "google",
    "msgspec",
    "structlog",
    "rich",
)


def weft(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "weft", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, **environment},
    )


def test_help_imports_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "weft", "--help"], capture_output=True, text=True, check=True
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time")}
    assert "click" in imported
    assert {name for name in imported if name.partition(".")[0] in HEAVY} == set()
    assert {name for name in imported if name.startswith("weft.")} <= {
        "weft.cli", "weft.cli.main", "weft.cli.errors", "weft.cli.help", "weft.cli.talk", "weft.kit",
        "weft.kit.errors", "weft.__main__",
    }  # fmt: skip
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_of_itself_what_the_table_says_of_it(name: str) -> None:
    command = loaded(weft_group.commands[name])
    assert command.help.splitlines()[0] == COMMANDS[name]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    done = run_weft(name, "--help")
    assert (done.code, done.err) == (0, "")
    assert f"weft {name}" in done.out


def test_an_unknown_command_is_a_usage_error_with_a_guess() -> None:
    done = weft("gt")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "error: no such command 'gt'\nhelp: did you mean 'get'? see `weft --help`\n"


def test_an_unknown_option_is_a_usage_error() -> None:
    done = weft("version", "--foo")
    assert done.returncode == 2
    assert done.stderr == "error: no such option '--foo'\nhelp: see `weft version --help`\n"


def test_a_missing_argument_is_a_usage_error() -> None:
    done = weft("get")
    assert done.returncode == 2
    assert done.stderr == "error: missing argument 'KIND'\nhelp: see `weft get --help`\n"


def test_version_is_data_on_stdout() -> None:
    done = weft("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("weft ")
    assert done.stderr == ""


def test_a_control_plane_that_is_down_is_one_sentence_and_exit_code_6(tmp_path: Path) -> None:
    address = "https://127.0.0.1:1"
    done = weft("get", "services", WEFT_STATE=str(tmp_path), WEFT_ADDR=address)
    assert done.returncode == 6
    assert done.stderr == (
        f"error: cannot reach the control plane at {address} (connection refused)\n"
        "help: start one with `weft up`, or set WEFT_ADDR\n"
    )


def test_an_address_that_is_not_https_is_refused_before_a_token_is_sent(tmp_path: Path) -> None:
    done = weft("get", "services", "--server", "http://127.0.0.1:1", WEFT_STATE=str(tmp_path))
    assert done.returncode == 1
    assert "not an https address" in done.stderr


def test_a_token_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = weft("check", "--token-file", str(tmp_path / "none"), WEFT_STATE=str(tmp_path))
    assert done.returncode == 1
    assert str(tmp_path / "none") in done.stderr


def test_tracebacks_are_for_debug_only(tmp_path: Path) -> None:
    address = "https://127.0.0.1:1"
    plain = weft("check", WEFT_STATE=str(tmp_path), WEFT_ADDR=address)
    debugged = weft("--debug", "check", WEFT_STATE=str(tmp_path), WEFT_ADDR=address)
    assert "Traceback" not in plain.stderr
    assert "Traceback" in debugged.stderr
    assert plain.returncode == debugged.returncode == 6


def test_no_command_at_all_shows_help_and_fails() -> None:
    done = weft()
    assert done.returncode == 2
    assert "Usage" in done.stdout + done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_call_weft_back(shell: str) -> None:
    done = weft("completion", shell)
    assert done.returncode == 0
    assert "_WEFT_COMPLETE" in done.stdout


def test_commands_are_completed_without_loading_them() -> None:
    done = weft(_WEFT_COMPLETE="bash_complete", COMP_WORDS="weft ku", COMP_CWORD="1")
    assert "kubeconfig" in done.stdout


def test_an_interrupt_of_code_that_is_made_by_exec_leaves_with_130(tmp_path: Path) -> None:
    """CPython would end itself by SIGINT, although the interrupt was caught."""
    (tmp_path / "interrupted.py").write_text(
        "import weft.cli.main\n"
        "from weft.__main__ import main\n"
        "def run():\n"
        "    try:\n"
        "        exec('raise KeyboardInterrupt')\n"
        "    except KeyboardInterrupt:\n"
        "        raise SystemExit(130)\n"
        "weft.cli.main.main = run\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "interrupted"], cwd=tmp_path, capture_output=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (130, b"")


def test_every_command_has_a_manual_page_that_says_what_its_exit_codes_mean(tmp_path: Path) -> None:
    done = weft("man", "--dir", str(tmp_path))
    assert done.returncode == 0, done.stderr
    pages = {file.name.removesuffix(".1"): file.read_text() for file in tmp_path.iterdir()}
    assert pages.keys() >= {"weft", "weft-proxy", "weft-proxy-log-level", *(f"weft-{name}" for name in COMMANDS)}
    for name, page in pages.items():
        assert page.startswith(f'.TH "{name.upper()}" 1 '), name
        assert ".SH EXIT STATUS" in page
        assert not [line for line in page.splitlines() if line.startswith((".", "'")) and line.split()[0] not in MACROS]


MACROS = {".TH", ".SH", ".PP", ".TP", ".B", ".BR"}


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_manual_pages_are_read_without_complaint(tmp_path: Path) -> None:
    weft("man", "--dir", str(tmp_path))
    for file in tmp_path.iterdir():
        read = subprocess.run(
            ["groff", "-man", "-ww", "-Tutf8", "-z", str(file)], capture_output=True, timeout=30, check=False
        )
        assert (read.returncode, read.stderr) == (0, b""), file.name


def test_one_page_is_printed_and_one_that_is_not_there_is_not_found() -> None:
    done = weft("man", "proxy", "diff")
    assert '.TH "WEFT-PROXY-DIFF" 1' in done.stdout
    assert weft("man", "proxy", "dif").returncode == 4


def test_a_picture_is_not_narrowed_by_labels() -> None:
    """They would not change it."""
    assert weft("graph", "-l", "a=b").returncode == 2
