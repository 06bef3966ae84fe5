"""``weft demo``: a whole mesh on this machine, with the demo shop in it."""

import rich_click as click


@click.command()
@click.option("--once", is_flag=True, help="End with 0 once everything is proved, or with 1 and the reason.")
@click.option("--keep", is_flag=True, help="Leave the demo's directory where it is afterwards.")
@click.option("--port-base", type=click.IntRange(1024, 64_000), help="Use the ports from here on; default: free ones.")
def command(once: bool, keep: bool, port_base: int | None) -> int:
    """Start a mesh with the demo shop and prove that it works."""
    from weft.demo.runner import run_demo

    return run_demo(once=once, keep=keep, port_base=port_base)
