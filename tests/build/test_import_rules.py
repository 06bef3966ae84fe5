"""Each import rule of the architecture breaks on the import it forbids; tried on a skeleton of the packages."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RULES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
FLOOR = re.compile(r"[(| )]+")
LAYERS = [
    f"{container}.{name}".removeprefix("weft.")
    for rule in RULES
    for container in rule.get("containers", ())
    for layer in rule["layers"]
    for name in FLOOR.split(layer)
    if name
]
NAMED = [
    module.removeprefix("weft.")
    for rule in RULES
    for key in ("modules", "source_modules", "forbidden_modules")
    for module in rule.get(key, ())
    if module.startswith("weft.")
]
MODULES = sorted({"compiler.resource", "xds.session", *LAYERS, *NAMED} - {"__main__"})

FLOORS = "imports run down only"
COMPOSITION = "the composition has floors of its own"
PURE = "model, dialects, view and compiler do no I/O and keep no time"
PROTOBUF = "only compiler, explain, servers and the agent's SDS speak Envoy's protobuf"
COMPILER = "the compiler never sees a document, a dialect or the whole mesh"
SERVERS = "servers get their functions handed in"
AGENT = "the agent is a guest of the host and never imports grpc"


def broken_by(tmp_path: Path, **imports: str) -> set[str]:
    """The names of the contracts that break when these modules (dots as __) hold these statements."""
    for module in ("", *MODULES):
        folder = tmp_path / "weft" / module.replace(".", "/")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").write_text(imports.get(module.replace(".", "__"), "") + "\n")
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [lint, "--no-cache", "--config", ROOT / "pyproject.toml"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    verdicts = dict(re.findall(r"^(.+) (KEPT|BROKEN)$", done.stdout, re.MULTILINE))
    assert verdicts, done.stdout + done.stderr
    return {contract for contract, verdict in verdicts.items() if verdict == "BROKEN"}


def test_what_the_architecture_allows_breaks_nothing(tmp_path: Path):
    assert not broken_by(
        tmp_path,
        app__parts="import asyncio, grpc\nfrom weft import api, pipeline, store\nfrom weft.app import config",
        cli="from weft import agent, app, demo",
        pipeline="from weft import compiler, dialects, view",
        xds__session="import asyncio, grpc\nfrom weft import _pb\nfrom weft.compiler import resource",
        compiler="from weft import _pb, model, view",
        agent="import asyncio, h2\nfrom weft import _pb, ca",
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "statement", "contract"),
    [
        ("kit", "import weft.model", FLOORS),
        ("view", "import weft.dialects", FLOORS),
        ("api", "import weft.agent", FLOORS),
        ("store", "import weft.registry", FLOORS),
        ("app", "import weft.demo", FLOORS),
        ("app__parts", "import weft.app.control_plane", COMPOSITION),
        ("model", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import weft.view", FLOORS),
        ("dialects__istio", "import weft.dialects.kubernetes", "a dialect knows no other dialect"),
        ("view", "import time", PURE),
        ("compiler", "import logging", PURE),
        ("dialects__kubernetes", "import sqlite3", PURE),
        ("model__mesh", "import asyncio", PURE),
        ("api", "import weft._pb", PROTOBUF),
        ("view", "import weft._pb", PROTOBUF),
        ("compiler", "import weft.model.mesh", COMPILER),
        ("compiler", "import weft.model.document", COMPILER),
        ("xds__session", "import weft.compiler", SERVERS),
        ("registry", "import weft.compiler.resource", SERVERS),
        ("store", "import weft.view", SERVERS),
        ("agent", "import grpc", AGENT),
        ("agent", "import weft.store", AGENT),
        ("agent", "import weft.pipeline", "the agent does not run the pipeline"),
    ],
)
def test_a_forbidden_import_breaks_its_rule(tmp_path: Path, module: str, statement: str, contract: str):
    assert contract in broken_by(tmp_path, **{module: statement})


@pytest.mark.slow
def test_grpc_behind_another_module_is_still_the_agents(tmp_path: Path):
    assert AGENT in broken_by(tmp_path, agent="import weft.ca", ca="import grpc")


@pytest.mark.slow
def test_time_behind_the_kit_is_still_the_views(tmp_path: Path):
    assert PURE in broken_by(tmp_path, view="import weft.kit", kit="import time")


@pytest.mark.slow
def test_a_package_without_a_floor_is_refused(tmp_path: Path):
    (tmp_path / "weft" / "utils").mkdir(parents=True)
    (tmp_path / "weft" / "utils" / "__init__.py").write_text("")
    assert FLOORS in broken_by(tmp_path)
