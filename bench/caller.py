"""A workload that only calls: it writes some of its environment to a file as JSON and waits for SIGTERM.

``python caller.py FILE NAME...``; nothing beyond the standard library, so that it starts at once.
"""

import json
import os
import signal
import sys
from pathlib import Path


def main(target: Path, names: list[str]) -> None:
    """Write the file whole or not at all."""
    draft = target.with_suffix(".draft")
    draft.write_text(json.dumps({name: os.environ[name] for name in names}))
    draft.rename(target)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main(Path(sys.argv[1]), sys.argv[2:])
