"""``weft ca``: the roots, when they end, and how far a replacement is."""

from pathlib import Path

from tests.cli.conftest import Running, Weft


def test_a_replacement_is_begun_shown_and_taken_back(weft: Weft, control_plane: Running) -> None:
    before = weft("ca", "status")
    assert (before.code, before.out.count("signs")) == (0, 1)
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
