"""``weft`` and ``python -m weft``: the command line, whose import an impatient Ctrl-C may end without a traceback."""

import contextlib
import os
import sys

_INTERRUPTED = 130


def main() -> None:
    """Run ``weft`` and leave with its exit code."""
    try:
        from weft.cli.main import main as run

        run()
    except KeyboardInterrupt:
        _leave()
    except SystemExit as left:
        if left.code == _INTERRUPTED:
            _leave()
        raise


def _leave() -> None:
    """End at once, with 130.

    CPython remembers an interrupt that met code given to ``exec`` (a dataclass that is being made, say), also when it
    was caught, and would end itself by SIGINT instead.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
