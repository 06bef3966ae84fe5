"""Values of patches are checked in files, without a control plane."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from weft.cli.analyze import command as analyze
from weft.cli.validate import command as validate

_FILTER = """\
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: it, namespace: shop}
spec:
  configPatches:
    - applyTo: CLUSTER
      patch:
        operation: MERGE
        value: {connectTimeout: VALUE}
"""


@pytest.mark.parametrize("command", [analyze, validate], ids=["analyze", "validate"])
def test_a_value_that_is_not_envoys_message_is_an_error_at_its_place(command, tmp_path: Path):  # type: ignore[no-untyped-def]
    file = tmp_path / "patch.yaml"
    file.write_text(_FILTER.replace("VALUE", "soon"))
    told = CliRunner().invoke(command, ["-f", str(file)])
    assert told.exit_code == 1
    assert "W0162" in told.output
    assert "patch.yaml:9" in told.output
    file.write_text(_FILTER.replace("VALUE", "3s"))
    assert CliRunner().invoke(command, ["-f", str(file)]).exit_code == 0
