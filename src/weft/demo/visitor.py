"""A workload that only calls: it writes down how it reaches the mesh and waits, so that the demo can call as it.

``python -m weft.demo.visitor FILE`` writes a JSON object with ``proxy`` and every variable of its environment that ends
in ``_ADDR`` (``ORDERS_ADDR`` as ``orders``), each ``host:port`` or a URL, and ends at SIGTERM.
"""

import json
import os
import signal
import sys
from pathlib import Path

_ADDRESS = "_ADDR"


def main() -> None:
    """Write the addresses whole or not at all, then wait for the end."""
    names = {"proxy": "HTTP_PROXY"}
    names |= {name.removesuffix(_ADDRESS).lower(): name for name in os.environ if name.endswith(_ADDRESS)}
    target = Path(sys.argv[1])
    draft = target.with_suffix(".draft")
    draft.write_text(json.dumps({key: os.environ[name] for key, name in names.items()}))
    draft.rename(target)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main()
