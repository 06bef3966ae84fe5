"""The recipe of the image: what can be said of it where there is no daemon to build it."""

import re
import shlex
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "deploy" / "Containerfile"


def instructions() -> list[tuple[str, str]]:
    """The recipe's instructions, with lines joined."""
    text = re.sub(r"^\s*#.*\n", "", RECIPE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    words = (line.partition(" ") for line in text.splitlines() if line.strip())
    return [(name, rest.strip()) for name, _, rest in words]


def test_the_image_runs_as_nobody_and_its_last_stage_installs_nothing_but_nft() -> None:
    found = instructions()
    last = max(at for at, (name, _) in enumerate(found) if name == "FROM")
    stage = found[last:]
    assert ("USER", "1337:1337") in stage
    installing = [rest for name, rest in stage if name == "RUN" and ("pip" in rest or "apt" in rest)]
    assert [rest.count("install --yes --no-install-recommends nftables ") for rest in installing] == [1]
    assert [rest for name, rest in stage if name == "COPY"] == ["--from=build /weft /weft"]
    assert not [name for name, _ in found if name == "ADD"]
    after = [name for name, _ in stage[stage.index(("USER", "1337:1337")) :]]
    assert "RUN" not in after


def test_what_the_recipe_copies_is_there_and_is_not_ignored() -> None:
    ignored = (RECIPE.with_name("Containerfile.dockerignore")).read_text().splitlines()
    for name, rest in instructions():
        if name == "COPY" and "--from" not in rest:
            for source in shlex.split(rest)[:-1]:
                assert (ROOT / source).exists(), source
                assert f"!{source}" in ignored, source


def test_every_dependency_has_a_version_that_weft_allows() -> None:
    lines = (RECIPE.with_name("constraints.txt")).read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for text in project["dependencies"]:
        needed = Requirement(text)
        version = pinned.get(canonicalize_name(needed.name), "")
        assert needed.specifier.contains(version), f"{text}: run python -m build_tools.constraints"


def test_the_user_of_sidecars_is_the_one_of_the_image() -> None:
    for file in ("pods.py", "composed.py"):
        assert "1337" in (ROOT / "src" / "weft" / "cli" / file).read_text()
