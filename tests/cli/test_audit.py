"""``weft audit``: who did what, and that the log of it is whole."""

import json
from pathlib import Path

from tests.cli.conftest import Running, Weft

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: audited, namespace: shop-of-the-audit}
spec: {ports: [{port: 80, name: http}]}
"""


def test_what_was_done_is_found_by_who_and_what(weft: Weft, tmp_path: Path) -> None:
    (tmp_path / "service.yaml").write_text(SERVICE)
    assert weft("apply", "-f", str(tmp_path / "service.yaml")).code == 0
    assert weft("delete", "service", "audited", "-n", "shop-of-the-audit").code == 0
    found = json.loads(weft("audit", "--what", "shop-of-the-audit/audited", "--since", "1h", "-o", "json").out)
    assert next(entry["verb"] for entry in found) == "delete"
    assert {entry["verb"] for entry in found} <= {"delete", "patch", "create", "update"}
    assert {entry["who"] for entry in found} == {"weft:admin"}
    shown = weft("audit", "--who", "weft:admin", "--what", "delete").out
    assert "delete services shop-of-the-audit/audited" in shown
    nobody = weft("audit", "--who", "nobody-of-this-name")
    assert (nobody.code, nobody.out) == (0, "")


def test_a_line_that_was_altered_is_told_with_its_place(weft: Weft, control_plane: Running) -> None:
    weft("auth", "token", "create", "--user", "somebody")
    assert "each as it was written" in weft("audit", "verify").out
    file = max(control_plane.state.audit.glob("*.jsonl"))
    content = file.read_bytes()
    try:
        file.write_bytes(content.replace(b"weft:admin", b"weft:nobody", 1))
        broken = weft("audit", "verify")
        assert broken.code != 0
        assert f"{file.name}, line" in broken.err
    finally:
        file.write_bytes(content)
