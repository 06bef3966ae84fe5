"""A workload that only calls: it writes down how it reaches the mesh and waits, so that the demo can call as it.

``python -m weft.demo.visitor FILE`` writes a JSON object with ``proxy``, ``orders`` and ``ledger`` (each ``host:port``
or a URL), as its environment has them, and ends at SIGTERM.
"""

import json
import os
import signal
import sys
from pathlib import Path


def main() -> None:
    """Write the addresses whole or not at all, then wait for the end."""
    names = {"proxy": "HTTP_PROXY", "orders": "ORDERS_ADDR", "ledger": "LEDGER_ADDR"}
    target = Path(sys.argv[1])
    draft = target.with_suffix(".draft")
    draft.write_text(json.dumps({key: os.environ[name] for key, name in names.items()}))
    draft.rename(target)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main()
