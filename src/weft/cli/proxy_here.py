"""``weft proxy here`` and ``weft proxy upgrade``: the proxies of this host, by what their agents write down.

Nothing is asked of the control plane: this works while it is away.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec

from weft.agent.status import FILE, Said, read_said
from weft.cli import live_names
from weft.cli.errors import Usage
from weft.cli.listing import How, Item, Shown, listing, show
from weft.cli.talk import give, say
from weft.kit.errors import Missing, Unreachable, UserError
from weft.kit.state_dir import default_state_dir

_PATIENCE = 90.0
_BETWEEN = 2.0
_LOOK = 0.1
_PROCESSES = Path("/proc")


def here() -> dict[str, Path]:
    """The files of the agents that run, by workload."""
    places = (default_state_dir().root / "workloads").glob(f"*/{FILE}")
    return {file.parent.name: file for file in sorted(places) if _said(file) is not None}


@click.command("here")
@listing
def show_here(how: How) -> None:
    """Show the proxies of this host as their agents say, also while the control plane is away."""
    show(how, lambda: {"items": [msgspec.to_builtins(said) for said in _all() if said is not None]}, _SHOWN)


@contextmanager
def pointing_here() -> Iterator[None]:
    """Where the control plane is away, say what can be seen without it."""
    try:
        yield
    except Unreachable as away:
        if not here():
            raise
        raise Unreachable(str(away), help="`weft proxy here` shows the proxies of this host without it") from away


def old_here() -> Iterator[tuple[str, bool, str]]:
    """The proxies of this host: their names, whether their configuration is the newest that they were sent, and a
    sentence about it."""
    for said in _all():
        if said is not None and said.stale:
            without = f", without {', '.join(said.without)}" if said.without else ""
            yield said.name, False, f"{said.name} uses its last good configuration, of {_moment(said.stale)}{without}"
        elif said is not None:
            yield said.name, True, f"{said.name} is {said.state}, and goes on with what it has"


@click.command("upgrade")
@click.argument("names", nargs=-1, shell_complete=live_names.local(lambda: here()))
@click.option("--all", "everyone", is_flag=True, help="All proxies of this host.")
@click.option("--only", type=click.Choice(["agent", "envoy"]), help="Not both.")
def upgrade(names: tuple[str, ...], everyone: bool, only: str | None) -> None:
    """Use the weft and the Envoy that are installed now, without ending anything that runs.

    One proxy after the other: its agent becomes the new version, then a new Envoy takes over. Applications, connections
    and requests go on. To be called on the proxies' host, as their user.
    """
    known = here()
    chosen = tuple(known) if everyone else names
    if not chosen:
        raise Usage("no proxy is named", help="name proxies of this host, or give --all")
    for name in chosen:
        if name not in known:
            running = f"here run {', '.join(known)}" if known else "none runs on this host"
            raise Missing(f"there is no agent of {name}", help=running)
    failed = [name for name in chosen if not _upgrade(name, known[name], only)]
    if failed:
        raise UserError(f"not everything was upgraded: {', '.join(failed)}", help="what runs goes on as it was")


def _upgrade(name: str, file: Path, only: str | None) -> bool:
    """Whether it worked; a sentence in any case."""
    if only != "envoy":
        before = _now(file)
        os.kill(before.pid, signal.SIGUSR2)
        problem = _wait(file, before, lambda said: said.started != before.started and said.state == "ready")
        if problem:
            say(f"{name}: its agent stays: {problem}")
            return False
    if only != "agent":
        before = _now(file)
        os.kill(before.pid, signal.SIGUSR1)
        problem = _wait(file, before, lambda said: said.epoch > before.epoch)
        if problem:
            say(f"{name}: its envoy stays: {problem}")
            return False
    said = _now(file)
    give(f"{name}: weft {said.version}, envoy {said.envoy}")
    return True


def _wait(file: Path, before: Said, done: Callable[[Said], bool]) -> str:
    """Wait until it is done; why it is not."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        said = _now(file)
        if done(said):
            return ""
        if said.renewed > before.renewed and said.problem:
            return said.problem
        time.sleep(_LOOK)
    return f"nothing came of it within {_PATIENCE:g} s"


def _now(file: Path) -> Said:
    """What an agent says; while it becomes another program, the kernel does not tell which it is."""
    begun = seen = time.monotonic()
    while (said := _said(file)) is None:
        now = time.monotonic()
        if _is_becoming(file):
            seen = now
        if now - seen > _BETWEEN or now - begun > _PATIENCE:
            raise UserError(f"the agent of {file.parent.name} has ended", help="look at what it said last")
        time.sleep(_LOOK)
    return said


def _is_becoming(file: Path) -> bool:
    """Whether an agent's process is there and has no words yet; one that has ended has no program either."""
    said = read_said(file)
    if said is None:
        return False
    process = _PROCESSES / str(said.pid)
    try:
        return bool(process.joinpath("exe").readlink()) and not process.joinpath("cmdline").read_bytes()
    except OSError:
        return False


def _all() -> Iterator[Said | None]:
    return (_said(file) for file in here().values())


def _said(file: Path) -> Said | None:
    """What an agent wrote; ``None`` when it has ended and its number is perhaps another process's."""
    said = read_said(file)
    if said is None:
        return None
    try:
        words = (_PROCESSES / str(said.pid) / "cmdline").read_bytes()
    except OSError:
        return None
    return said if b"weft.agent" in words else None


def _row(item: Item) -> list[str]:
    said = msgspec.convert(item, Said)
    stale = _moment(said.stale) if said.stale else "-"
    without = f"without {', '.join(said.without)}" if said.without else ""
    return [said.name, said.state, said.version, said.envoy, str(said.epoch), stale, said.problem or without or "-"]


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(seconds))


_SHOWN = Shown(
    name=lambda one: str(one["name"]),
    head=("name", "state", "weft", "envoy", "taken over", "stale since", "problem"),
    cells=_row,
    wide_head=("pid", "pid of envoy"),
    wide_cells=lambda one: [str(one["pid"]), str(one["envoy_pid"] or "-")],
    none="no sidecar runs on this host",
)
