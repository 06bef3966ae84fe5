"""``weft install``: what keeps a mesh running on a host."""

import shutil
import stat
import sys
from pathlib import Path

import click

from weft.cli.errors import Usage
from weft.cli.talk import give, say
from weft.kit.errors import UserError

_PRIVATE = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108  each unit has such directories of its own
_ROOT = click.Path(path_type=Path, file_okay=False)


@click.group()
def command() -> None:
    """Have systemd keep the control plane and workloads running."""


@command.command("systemd", context_settings={"allow_interspersed_args": False})
@click.option("--control-plane", "plane", is_flag=True, help="The control plane, weft.service.")
@click.option("--service", default="", metavar="NAME", help="A workload, weft@NAME.service.")
@click.option(
    "--encryption-key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With --control-plane: the key for secrets, which systemd hands over.",
)
@click.option("--capture", is_flag=True, help="With --service: it may capture traffic, by CAP_NET_ADMIN.")
@click.option("--root", type=_ROOT, default="/", help="Write below this directory instead of /.")
@click.option("--dry-run", is_flag=True, help="Show the files, write none.")
@click.option("--force", is_flag=True, help="Replace files that somebody changed.")
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[-- OPTIONS...]")
def systemd(
    plane: bool,
    service: str,
    encryption_key_file: Path | None,
    capture: bool,
    root: Path,
    dry_run: bool,
    force: bool,
    options: tuple[str, ...],
) -> None:
    """Write hardened units for systemd.

    OPTIONS are those of `weft up`, or of `weft run` with its command: `weft install systemd --service reviews --
    --port 9080:8080 --token-file reviews.token -- /srv/reviews/serve`.
    """
    from weft.cli import units

    weft = _weft()
    if plane == bool(service):
        raise Usage("nothing says what to install", help="give either --control-plane or --service NAME")
    if plane:
        if capture:
            raise Usage("a control plane captures nothing", help="leave --capture out")
        _check("up", options)
        key = encryption_key_file.absolute() if encryption_key_file else None
        found: tuple[units.Unit, ...] = (units.control_plane(weft, options, key),)
    else:
        if encryption_key_file:
            raise Usage("a workload keeps no secrets", help="leave --encryption-key-file out")
        _check("run", (*("--service", service), *options))
        capture = capture or units.captures(options)
        found = (units.template(weft), units.instance(weft, service, options, capture=capture))
    if dry_run:
        for unit in found:
            give(f"# /{unit.path}\n{unit.written}")
        return
    for unit in found:
        _write(root / unit.path, unit.written, force=force)
    name = units.CONTROL_PLANE if plane else f"weft@{service}.service"
    if closed := closed_to_others((Path(weft[0]), Path(sys.executable))):
        say(f"warning: {closed} is closed to the users that units run as, so that they cannot start")
        say("help: install weft where all may read it, as in /opt")
    say(f"try next: systemctl daemon-reload && systemctl enable --now {name}")


def _check(name: str, options: tuple[str, ...]) -> None:
    """Whether a command would take the options: a unit that cannot start helps nobody."""
    import importlib

    target: click.Command = importlib.import_module(f"weft.cli.{name}").command
    target.make_context(f"weft {name}", list(options))
    if name == "run":
        from weft.cli.run import checked_name

        checked_name(options[1], "--service")


def _weft() -> tuple[str, ...]:
    """This very weft: its script, or its Python."""
    beside = Path(sys.executable).with_name("weft")
    found = beside if beside.is_file() else shutil.which("weft")
    return (str(found),) if found else (sys.executable, "-m", "weft")


def closed_to_others(programs: tuple[Path, ...]) -> Path | None:
    """What keeps a user whom systemd makes from running one of the programs, links and all."""
    for program in programs:
        real = program.resolve()
        if any(real.is_relative_to(place) for place in _PRIVATE):
            return real
        for place in (*reversed(program.parents), *reversed(real.parents), real):
            wanted = stat.S_IROTH | stat.S_IXOTH if place == real else stat.S_IXOTH
            if place.stat().st_mode & wanted != wanted:
                return place
    return None


def _write(path: Path, content: str, *, force: bool) -> None:
    from weft.cli.units import untouched

    before = path.read_text() if path.exists() else None
    if before == content:
        say(f"{path} is as it should be")
        return
    if before is not None and not untouched(before) and not force:
        raise UserError(f"{path} was changed since it was written", help="keep what you need of it, then use --force")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    except OSError as refused:
        raise UserError(
            f"{path} cannot be written ({(refused.strerror or str(refused)).lower()})",
            help="be root, or use --root or --dry-run",
        ) from refused
    say(f"{'wrote' if before is None else 'replaced'} {path}")
