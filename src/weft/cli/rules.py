"""``weft rules``: Prometheus' rules for a mesh of weft."""

import click
import yaml

from weft.cli.talk import give


@click.group()
def command() -> None:
    """Write Prometheus' recording and alerting rules for the mesh."""


@command.command("export")
def export() -> None:
    """Print the file of rules."""
    from weft.monitoring.rules import prometheus

    give(yaml.safe_dump(prometheus(), sort_keys=False, width=120).rstrip())
