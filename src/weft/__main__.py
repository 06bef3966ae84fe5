"""``weft`` and ``python -m weft``: the command line, whose import an impatient Ctrl-C may end without a traceback."""

import sys


def main() -> None:
    """Run ``weft`` and leave with its exit code."""
    try:
        from weft.cli.main import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
