"""``weft ca``: what ends and when, how far a replacement of the root is, and its key kept elsewhere."""

import re
from pathlib import Path

from tests.cli.conftest import Running, Weft


def test_a_replacement_is_begun_shown_and_taken_back(weft: Weft, control_plane: Running) -> None:
    before = weft("ca", "status")
    assert (before.code, before.out.count("signs")) == (0, 1)
    for kind in ("root", "intermediate", "server"):
        assert kind in before.out
    assert re.search(r"intermediate +\w{16} +signs +(90d|89d23h)", before.out)
    assert "warning" not in before.err
    assert "the root is not being replaced" in before.out
    begun = weft("ca", "rotate")
    assert begun.code == 0
    assert "is believed" in begun.out
    assert "everybody is told to believe the next root too" in begun.out
    assert control_plane.state.bundle.read_text().count("BEGIN CERTIFICATE") == 2
    assert "being replaced already" in weft("ca", "rotate").err
    assert "does not sign yet" in weft("ca", "drop").err
    assert weft("ca", "abort").code == 0
    assert control_plane.state.bundle.read_text().count("BEGIN CERTIFICATE") == 1
    assert weft("ca", "abort").code != 0
    assert "the root is not being replaced" in weft("ca", "watch").err


def test_who_may_not_touch_the_authority_is_refused(weft: Weft, tmp_path: Path) -> None:
    secret = tmp_path / "jane.token"
    weft("auth", "token", "create", "--user", "jane", "--to-file", str(secret))
    assert "cannot update" in weft("ca", "rotate", "--token-file", str(secret)).err
    assert "cannot get" in weft("ca", "status", "--token-file", str(secret)).err
    assert "update authority" in weft("audit", "--who", "jane", "--outcome", "denied").out


def test_the_key_of_the_root_goes_and_the_next_intermediate_is_installed(weft: Weft, tmp_path: Path) -> None:
    from weft.ca.authority import open_authority
    from weft.kit.clock import SystemClock

    state, exported, request, made = (tmp_path / name for name in ("state", "root.pem", "request.pem", "made.pem"))
    authority = open_authority(state / "ca", trust_domain="cluster.local", clock=SystemClock())
    moved = weft("ca", "export-root", str(exported), "--state", str(state))
    assert moved.code == 0, moved.err
    assert "nowhere else" in moved.err
    assert exported.stat().st_mode & 0o777 == 0o600
    request.write_text(weft("ca", "request-intermediate", "--state", str(state)).out)
    assert "PRIVATE" not in request.read_text()
    made.write_text(weft("ca", "sign-intermediate", str(request), "--root", str(exported)).out)
    installed = weft("ca", "install-intermediate", str(made), "--state", str(state))
    assert "the intermediate ends in 36" in installed.err
    again = weft("ca", "export-root", str(tmp_path / "twice"), "--state", str(state))
    assert "not here" in again.err
    assert authority.bundle == (state / "ca" / "root.pem").read_text()
