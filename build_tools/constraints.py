"""``python -m build_tools.constraints``: the versions that the image is made of, those of this environment.

Everything that weft needs, and what that needs, as far as it is installed here; written to ``deploy/constraints.txt``.
"""

import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "deploy" / "constraints.txt"
_HEAD = "# Written by python -m build_tools.constraints: what weft's image is made of.\n"


def constraints() -> str:
    """The text of the file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found: dict[str, str] = {}
    for text in project["dependencies"]:
        _add(Requirement(text), found)
    return _HEAD + "".join(f"{name}=={version}\n" for name, version in sorted(found.items()))


def _add(requirement: Requirement, found: dict[str, str]) -> None:
    name = canonicalize_name(requirement.name)
    if name in found:
        return
    try:
        installed = distribution(name)
    except PackageNotFoundError:
        return
    found[name] = installed.version
    for needed in _needs(installed.requires or [], requirement.extras):
        _add(needed, found)


def _needs(texts: list[str], extras: set[str]) -> Iterator[Requirement]:
    for requirement in map(Requirement, texts):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield requirement


if __name__ == "__main__":
    FILE.write_text(constraints())
    print("wrote", FILE.relative_to(ROOT))
