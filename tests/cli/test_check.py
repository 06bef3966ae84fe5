"""``weft check``: named checks, before there is a control plane and with one."""

import json
import socket
from collections.abc import Iterator

import click
import pytest
import yaml

from tests.cli.conftest import Weft
from weft.cli.listing import LISTED
from weft.cli.main import COMMANDS, loaded
from weft.cli.main import weft as weft_group


def test_every_check_has_a_name_and_a_group_and_short_shows_only_trouble(weft: Weft) -> None:
    rows = json.loads(weft("check", "-o", "json").out)["items"]
    names = {row["name"] for row in rows}
    assert {"control-plane-answers", "control-plane-ready", "control-plane-loop", "store-room"} <= names
    assert {"certificate-root", "certificate-server", "sink-windows", "sink-traces"} <= names
    assert all(row["state"] in ("ok", "warn", "fail") and row["group"] and row["message"] for row in rows)
    short = weft("check", "-o", "short").out
    assert "control-plane-answers" not in short
    assert all(name in short for name in (row["name"] for row in rows if row["state"] != "ok"))


def test_checks_are_listed_as_everything_else_is(weft: Weft) -> None:
    names = weft("check", "-o", "name").out.split()
    assert {"control-plane-answers", "certificate-root"} <= set(names)
    table = weft("check", "-o", "table").out.splitlines()
    assert table[0].split() == ["CHECK", "GROUP", "STATE", "MESSAGE"]
    assert table[1].split()[:4] == ["control-plane-answers", "control", "plane", "ok"]
    assert weft("check", "-o", "wide").out.splitlines()[0].split()[-2:] == ["NAMESPACE", "HELP"]
    listed = yaml.safe_load(weft("check", "-n", "shop", "-o", "yaml").out)["items"]
    assert list(dict.fromkeys(one["name"] for one in listed)) == names


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_who_takes_an_output_takes_the_common_ones(name: str) -> None:
    """What writes documents or streams has outputs of its own, which are named here."""
    own = {"tap", "analyze", "validate", "diff", "explain", "authz", "query", "replay", "compose", "kubeconfig"}
    for command in _leaves(loaded(weft_group.commands[name])):
        given = next((one for one in command.params if "--output" in one.opts), None)
        if given is not None and name not in own:
            assert isinstance(given.type, click.Choice)
            assert set(LISTED) <= set(given.type.choices), command.name


def _leaves(command: click.Command) -> Iterator[click.Command]:
    if isinstance(command, click.Group):
        for one in command.commands.values():
            yield from _leaves(one)
    else:
        yield command


def test_a_machine_is_checked_before_there_is_a_control_plane(weft: Weft) -> None:
    rows = {row["name"]: row for row in json.loads(weft("check", "--pre", "-o", "json").out)["items"]}
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
