"""``weft dashboards``: Grafana's dashboards of weft, as files."""

from pathlib import Path

import click
import msgspec

from weft.cli.talk import give
from weft.kit.errors import UserError


@click.group()
def command() -> None:
    """Write Grafana's dashboards of the mesh."""


@command.command("export")
@click.option("--dir", "directory", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Where to.")
def export(directory: Path) -> None:
    """Write every dashboard into a file: import them, or let Grafana provision the directory."""
    from weft.monitoring.grafana import DASHBOARDS, grafana

    try:
        directory.mkdir(parents=True, exist_ok=True)
        for one in DASHBOARDS:
            file = directory / f"{one.id}.json"
            file.write_bytes(msgspec.json.format(msgspec.json.encode(grafana(one)), indent=2) + b"\n")
            give(str(file))
    except OSError as refused:
        reason = (refused.strerror or str(refused)).lower()
        raise UserError(f"{directory} cannot be written ({reason})", help="name another with --dir") from None
