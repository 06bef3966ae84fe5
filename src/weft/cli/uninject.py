"""``weft uninject``: manifests as they were before ``weft inject``."""

from typing import TYPE_CHECKING

import click

from weft.cli.inject import give_texts, read, tell

if TYPE_CHECKING:
    from weft.cli.injection import Told


@click.command()
@click.option("-f", "--filename", "names", multiple=True, metavar="FILE|-", help="Where to read; default: stdin.")
def command(names: tuple[str, ...]) -> None:
    """Take sidecars out of Kubernetes manifests.

    What nobody changed since `weft inject` is given back letter by letter; what somebody did loses the sidecar alone.
    """
    from weft.cli.injection import removed

    told: list[Told] = []
    give_texts([removed(text, name, told.append) for name, text in read(names)])
    for one in told:
        tell(one)
