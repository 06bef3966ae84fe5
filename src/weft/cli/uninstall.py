"""``weft uninstall``: takes away what ``weft install`` wrote, and nothing else."""

from pathlib import Path

import click

from weft.cli.errors import Usage
from weft.cli.talk import say
from weft.kit.errors import Missing, UserError

_ROOT = click.Path(path_type=Path, file_okay=False)


@click.group()
def command() -> None:
    """Remove what weft install wrote."""


@command.command("systemd")
@click.option("--control-plane", "plane", is_flag=True, help="The control plane, weft.service.")
@click.option("--service", default="", metavar="NAME", help="A workload, weft@NAME.service.")
@click.option("--root", type=_ROOT, default="/", help="Look below this directory instead of /.")
@click.option("--force", is_flag=True, help="Remove files that somebody changed.")
def systemd(plane: bool, service: str, root: Path, force: bool) -> None:
    """Remove units. The template of workloads goes with the last of them; state stays in /var/lib.

    Stop them before: `systemctl disable --now`.
    """
    from weft.cli.units import CONTROL_PLANE, TEMPLATE, UNITS

    if plane == bool(service):
        raise Usage("nothing says what to remove", help="give either --control-plane or --service NAME")
    units = root / UNITS
    if plane:
        _remove(units / CONTROL_PLANE, force=force)
    else:
        _remove(units / f"weft@{service}.service.d" / "run.conf", force=force)
        _remove_empty(units / f"weft@{service}.service.d")
        if not list(units.glob("weft@?*.service.d")):
            _remove(units / TEMPLATE, force=force)
    say("try next: systemctl daemon-reload")


def _remove(path: Path, *, force: bool) -> None:
    from weft.cli.units import untouched

    if not path.exists():
        raise Missing(f"there is no {path}")
    if not untouched(path.read_text()) and not force:
        raise UserError(f"{path} was changed since it was written", help="keep what you need of it, then use --force")
    try:
        path.unlink()
    except OSError as refused:
        raise UserError(
            f"{path} cannot be removed ({(refused.strerror or str(refused)).lower()})", help="be root, or use --root"
        ) from refused
    say(f"removed {path}")


def _remove_empty(directory: Path) -> None:
    """What users put beside ours stays."""
    if directory.is_dir() and not any(directory.iterdir()):
        directory.rmdir()
