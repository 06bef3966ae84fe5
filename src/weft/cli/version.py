"""``weft version``."""

from importlib.metadata import version

import click

from weft.cli.listing import How, Shown, give_items, listing_as
from weft.cli.talk import give
from weft.kit.envoy_binary import pinned_version


@click.command()
@listing_as("text", watched=False)
def command(how: How) -> None:
    """Print the versions of weft and of its Envoy."""
    items = [{"name": "weft", "version": version("weft")}, {"name": "envoy", "version": pinned_version()}]
    if how.output == "text":
        for one in items:
            give(f"{one['name']} {one['version']}")
    else:
        give_items(how, {"items": items}, _SHOWN)


_SHOWN = Shown(
    name=lambda one: str(one["name"]), head=("name", "version"), cells=lambda one: [one["name"], one["version"]]
)
