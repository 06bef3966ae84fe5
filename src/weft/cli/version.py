"""``weft version``."""

from importlib.metadata import version

import click

from weft.cli.talk import give
from weft.kit.envoy_binary import pinned_version


@click.command()
def command() -> None:
    """Print the versions of weft and of its Envoy."""
    give(f"weft {version('weft')}")
    give(f"envoy {pinned_version()}")
