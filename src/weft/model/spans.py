"""How proxies tell of recorded calls in a log: its name, and the tags of an entry that are weft's own.

The compiler writes them, the control plane reads them.
"""

LOG = "weft.spans"
OWN = "weft."
"""What the names of the tags begin with; all others are tags that documents add to spans."""
TRACE, PARENT = "weft.trace", "weft.parent"
"""The header ``traceparent`` as the call went on, and as it came where it belonged to a recorded trace."""
B3 = "weft.b3"
"""The span of ``x-b3-*`` as the call went on, and its parent's."""
UNTOLD = "untold"
"""In the place of the parent: there is no span."""
SERVICE, SIDE, CLIENT, SERVER = "weft.service", "weft.side", "client", "server"
STATUS, FLAGS = "weft.status", "weft.flags"
"""The status of gRPC, and Envoy's flags, in its letters."""
CLUSTER = "weft.cluster"
"""The name by which statistics know the cluster."""
LIMIT = "weft.limit"
"""How much of a path is told."""
