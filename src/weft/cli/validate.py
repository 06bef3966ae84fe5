"""``weft validate``: what the control plane would say about each document of files alone."""

import click

from weft.cli.check_files import Request, check_files
from weft.cli.listing import How, listing_as
from weft.cli.manifests import with_files


@click.command()
@with_files
@click.option("-n", "--namespace", envvar="WEFT_NAMESPACE", default="default", help="For documents that name none.")
@click.option("--strict", is_flag=True, help="End with 3 if there are warnings.")
@listing_as("text", watched=False)
def command(names: tuple[str, ...], recursive: bool, namespace: str, strict: bool, how: How) -> None:
    """Check files one document at a time, without a control plane."""
    check_files(
        Request(names=names, recursive=recursive, namespace=namespace, strict=strict, output=how.output, together=False)
    )
