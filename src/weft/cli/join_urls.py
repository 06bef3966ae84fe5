"""``--join-url``: where the control plane is; several times, or with commas, where it may be."""

import click

from weft.agent.trust import doors_of


def _joined(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> str | None:
    """One word of all of them, each of which is one. Raises ``UserError``."""
    urls = ",".join(url.strip() for word in given for url in word.split(",") if url.strip())
    if not urls:
        return None
    doors_of(urls)
    return urls


join_url_option = click.option(
    "--join-url",
    multiple=True,
    envvar="WEFT_JOIN_URL",
    callback=_joined,
    help="Where the control plane answers agents; more than one: the first that answers.",
)
