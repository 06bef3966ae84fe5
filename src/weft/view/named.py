"""What a resolver knows of names, in the form in which it is sent."""

from weft.kit.value import Value


class NamedPort(Value):
    """A port that services records tell: ``_http._tcp.reviews``."""

    name: str
    number: int
    udp: bool = False


class NamedPod(Value):
    """A pod of a headless service, named before the service: ``db-0.db``."""

    name: str
    address: str
    ports: tuple[NamedPort, ...] = ()


class Named(Value):
    """A host. ``alias`` is the name that it stands for, outside of the mesh."""

    host: str
    addresses: tuple[str, ...] = ()
    ports: tuple[NamedPort, ...] = ()
    pods: tuple[NamedPod, ...] = ()
    alias: str = ""


class Names(Value):
    """All that a workload of a namespace sees; services of ``suffix`` have short names, too."""

    namespace: str
    suffix: str
    hosts: tuple[Named, ...] = ()
