"""Every command that lists, found by walking through all of them, can be asked for its list in the same ways."""

import json
from collections.abc import Iterator

import click
import pytest
import yaml

from tests.cli.conftest import Running, run_weft, serving
from weft.cli.listing import LISTED
from weft.cli.main import loaded, weft

ACTS = frozenset({
    "apply", "audit verify", "auth can-i", "auth credential", "auth login", "auth logout", "auth token create",
    "auth token revoke", "breaker force-closed", "breaker force-open", "breaker reset", "bug-report", "ca abort",
    "ca create-in-token", "ca drop", "ca export-root", "ca install-intermediate", "ca request-intermediate",
    "ca revoke", "ca rotate", "ca sign-intermediate", "ca unrevoke", "ca watch", "capture clean", "capture plan",
    "completion", "compose", "dashboards export", "delete", "demo", "gateway run", "inject", "install systemd",
    "join", "kubeconfig", "logs", "man", "proxy upgrade", "report compliance", "rules export", "run",
    "secrets new-key", "secrets rotate-key", "slo create", "token create", "token revoke", "top", "trace start",
    "trace stop", "uninject", "uninstall systemd", "up",
})  # fmt: skip
"""What lists nothing: it does something, writes a file, draws on the screen, or passes on what others write."""
ONCE = frozenset({"diff", "replay", "tap", "validate", "version"})
"""What is not asked anew: files alone, what shows everything as it comes, and requests that would be sent again."""
NOWHERE = frozenset({
    "audit shipping", "auth token list", "auth whoami", "ca status", "capture status", "proxy here", "query",
    "replay", "trace compare", "trace dependencies", "trace show", "version",
})  # fmt: skip
"""What is of no namespace, or of the one that its query names."""
NAMED = frozenset({"analyze", "authz check", "authz simulate", "diff", "explain", "validate"})
"""Whose -n is for names and documents without one."""
ONE = frozenset({"proxy config", "proxy diff", "proxy log-level"})
"""What is about one sidecar, whose name has its namespace."""
BY_LABELS = frozenset({"edges", "get", "proxy status", "slo list", "stat", "trace list"})
FREE = {
    "auth can-i": {"name"},
    "install systemd": {"options"},
    "run": {"arguments"},
    "explain": {"url"},
    "authz check": {"path"},
}
"""Arguments that are no names."""


def commands(found: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something by itself, by its words."""
    found = loaded(found)
    if not isinstance(found, click.Group):
        yield " ".join(words), found
        return
    if found.invoke_without_command:
        yield " ".join(words), found
    for name, one in sorted(found.commands.items()):
        yield from commands(one, (*words, name))


EVERY = dict(commands(weft))
LISTS = [name for name in EVERY if name not in ACTS]


def options(name: str) -> set[str]:
    return {word for one in EVERY[name].params if isinstance(one, click.Option) for word in one.opts}


def test_what_is_said_of_commands_is_said_of_some_that_there_are() -> None:
    assert (ACTS | ONCE | NOWHERE | NAMED | ONE | BY_LABELS | FREE.keys()) <= EVERY.keys()


@pytest.mark.parametrize("name", LISTS)
def test_a_command_that_lists_takes_the_options_of_all(name: str) -> None:
    (output,) = [one for one in EVERY[name].params if one.name == "output"]
    assert isinstance(output.type, click.Choice)
    assert set(LISTED) <= set(output.type.choices), "use weft.cli.listing, or say in ACTS that it lists nothing"
    taken = options(name)
    assert {"-o", "--output"} <= taken
    assert (name in ONCE) or {"-w", "--watch"} <= taken
    if name in NAMED:
        assert {"-n", "--namespace"} <= taken
    elif name not in NOWHERE | ONE:
        assert {"-n", "--namespace", "-A", "--all-namespaces"} <= taken
    assert (name in BY_LABELS) is ({"-l", "--selector"} <= taken)


@pytest.mark.parametrize("name", EVERY)
def test_the_shell_completes_every_argument_that_is_a_name(name: str) -> None:
    for one in EVERY[name].params:
        if isinstance(one, click.Argument) and one.name not in FREE.get(name, ()):
            known = isinstance(one.type, click.Choice | click.Path | click.File)
            assert known or one._custom_shell_complete is not None, one.name


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("state")) as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv("WEFT_STATE", str(running.state.root))
        assert run_weft("token", "create", "-n", "shop", "--service-account", "web").code == 0
        yield running


ASKED = {
    "auth whoami": (),
    "breaker list": (),
    "ca issued": (),
    "ca revocations": (),
    "ca status": (),
    "check": (),
    "limits list": (),
    "proxy here": (),
    "query": ("vector(1)",),
    "report plaintext": (),
    "slo alerts": (),
    "token list": ("-n", "shop"),
    "trace started": (),
    "version": (),
}


@pytest.mark.parametrize("name", ASKED)
def test_json_and_yaml_say_the_same_and_the_others_can_be_asked_for(name: str, plane: Running) -> None:
    told = {one: run_weft(*name.split(), *ASKED[name], "-o", one) for one in LISTED}
    assert {one.code for one in told.values()} <= {0, 1}, told
    first, second = json.loads(told["json"].out), yaml.safe_load(told["yaml"].out)
    assert isinstance(first, type(second))
    assert set(first) == set(second)


def test_a_list_can_be_narrowed_to_a_namespace(plane: Running) -> None:
    for namespace, count in (("shop", 1), ("other", 0)):
        assert len(json.loads(run_weft("token", "list", "-n", namespace, "-o", "json").out)["items"]) == count
    assert len(json.loads(run_weft("token", "list", "-n", "other", "-A", "-o", "json").out)["items"]) == 1
