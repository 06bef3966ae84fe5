"""``weft demo``: a whole mesh on this machine, with the demo shop in it."""

import click


@click.command()
@click.option("--once", is_flag=True, help="End with 0 once everything is proved, or with 1 and the reason.")
@click.option("--keep", is_flag=True, help="Leave the demo's directory where it is afterwards.")
def command(once: bool, keep: bool) -> int:
    """Start a mesh with the demo shop and prove that it works."""
    from weft.demo.runner import run_demo

    return run_demo(once=once, keep=keep)
