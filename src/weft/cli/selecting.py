"""``-l``: what has some labels."""

import click

from weft.cli.client import Client

SELECTOR = click.option(
    "-l", "--selector", default="", metavar="KEY=VALUE,...", help="Only what has these labels, as kubectl writes them."
)


def services_with(client: Client, selector: str, namespace: str) -> frozenset[tuple[str, str]]:
    """The services with some labels, as namespaces and names; ``namespace`` "" is all of them."""
    path = f"/api/v1/namespaces/{namespace}/services" if namespace else "/api/v1/services"
    items = client.get(path, labelSelector=selector)["items"]
    return frozenset((one["metadata"]["namespace"], one["metadata"]["name"]) for one in items)
