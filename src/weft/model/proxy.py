"""What is said of proxies themselves: read once, when one is started (Istio: ``ProxyConfig``)."""

from weft.kit.value import Labels, Value
from weft.model.document import Origin


class ProxySettings(Value):
    """For the proxies of a namespace, or for those that have the labels of the ``selector``; the root namespace's for
    all. ``concurrency`` is the number of worker threads, 0 for one for each CPU.
    """

    origin: Origin
    selector: Labels = ()
    concurrency: int | None = None
