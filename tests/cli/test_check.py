"""``weft check``: named checks, before there is a control plane and with one."""

import json
import socket

from tests.cli.conftest import Weft


def test_every_check_has_a_name_and_a_group_and_short_shows_only_trouble(weft: Weft) -> None:
    rows = json.loads(weft("check", "-o", "json").out)
    names = {row["name"] for row in rows}
    assert {"control-plane-answers", "control-plane-ready", "control-plane-loop", "store-room"} <= names
    assert {"certificate-root", "certificate-server", "sink-windows", "sink-traces"} <= names
    assert all(row["state"] in ("ok", "warn", "fail") and row["group"] and row["message"] for row in rows)
    short = weft("check", "-o", "short").out
    assert "control-plane-answers" not in short
    assert all(name in short for name in (row["name"] for row in rows if row["state"] != "ok"))


def test_a_machine_is_checked_before_there_is_a_control_plane(weft: Weft) -> None:
    rows = {row["name"]: row for row in json.loads(weft("check", "--pre", "-o", "json").out)}
    assert {"pre-python", "pre-envoy", "pre-state", "pre-room", "pre-sqlite", "pre-files", "pre-ports"} <= set(rows)
    assert rows["pre-envoy"]["state"] == "ok"


def test_a_port_that_is_taken_is_told_with_the_option_that_chooses_another(weft: Weft) -> None:
    with socket.socket() as taken:
        try:
            taken.bind(("127.0.0.1", 7071))
            taken.listen()
        except OSError:
            pass  # somebody else has it: the same for the check
        told = weft("check", "--pre", "-o", "short").out
    assert "port 7071 is in use" in told
    assert "--xds-port" in told
