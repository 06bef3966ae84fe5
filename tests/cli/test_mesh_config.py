"""The file of ``weft up --mesh-config``."""

from pathlib import Path

import pytest

from weft.cli.errors import Told
from weft.cli.mesh_config import settings_in
from weft.kit.errors import UserError


def test_a_file_makes_the_settings_that_weft_starts_with(tmp_path: Path) -> None:
    file = tmp_path / "mesh.yaml"
    file.write_text("trustDomain: shop.example\nrootNamespace: mesh\nconnectTimeout: 1s\n")
    found = settings_in(file)
    assert (found.trust_domain, found.root_namespace, found.connect_timeout) == ("shop.example", "mesh", 1000)


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    file = tmp_path / "mesh.yaml"
    file.write_text("# nothing\n")
    assert settings_in(file).trust_domain == "cluster.local"


def test_a_wrong_file_ends_the_command_and_shows_the_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mesh.yaml"
    file.write_text("connectTimeout: 1s\ningressClass: mine\n")
    with pytest.raises(Told):
        settings_in(file)
    said = capsys.readouterr().err
    assert "error[W0110]: ingressClass" in said
    assert "mesh.yaml:2:1" in said


def test_a_file_that_is_no_yaml_is_an_error_of_the_user(tmp_path: Path) -> None:
    file = tmp_path / "mesh.yaml"
    file.write_text("a: [\n")
    with pytest.raises(UserError):
        settings_in(file)
