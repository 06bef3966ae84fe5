"""Cells of ``kubectl get`` that no JSON path can select: as Kubernetes' API server writes them for its own kinds.

Its words are kept, ``<none>`` among them, because scripts read them.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Content = Mapping[str, Any]
_NONE = "<none>"


def cluster_ip(service: Content) -> str:
    """The first one."""
    spec = _mapping(service, "spec")
    addresses = spec.get("clusterIPs") or [spec.get("clusterIP")]
    return str(addresses[0] or _NONE)


def external_ip(service: Content) -> str:
    """Where it is reached from outside, or the name that it stands for."""
    spec = _mapping(service, "spec")
    kind = spec.get("type", "ClusterIP")
    if kind == "ExternalName":
        return str(spec.get("externalName", ""))
    addresses = [*_ingress(service), *(spec.get("externalIPs") or ())]
    return ",".join(addresses) or ("<pending>" if kind == "LoadBalancer" else _NONE)


def ports(service: Content) -> str:
    """``80/TCP,8080:30080/TCP``."""
    return ",".join(_port(port) for port in _mapping(service, "spec").get("ports") or ()) or _NONE


def selector(service: Content) -> str:
    """``app=web,version=v1``."""
    found = _mapping(service, "spec").get("selector") or {}
    return ",".join(f"{key}={found[key]}" for key in sorted(found)) or _NONE


def role(binding: Content) -> str:
    """``ClusterRole/view``."""
    reference = _mapping(binding, "roleRef")
    return f"{reference.get('kind', '')}/{reference.get('name', '')}"


def users(binding: Content) -> str:
    """The users who get the role."""
    return _subjects(binding, "User")


def groups(binding: Content) -> str:
    """The groups that get the role."""
    return _subjects(binding, "Group")


def accounts(binding: Content) -> str:
    """The service accounts that get the role."""
    return _subjects(binding, "ServiceAccount")


def amounts(quota: Content) -> str:
    """``services: 3/20``: what is used of what may be."""
    return _amounts(quota, limits=False)


def limits(quota: Content) -> str:
    """The same of what begins with ``limits.``."""
    return _amounts(quota, limits=True)


def involved(event: Content) -> str:
    """``virtualservice/reviews``."""
    about = _mapping(event, "involvedObject")
    return f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"


def _amounts(quota: Content, *, limits: bool) -> str:
    status = _mapping(quota, "status")
    hard, used = _mapping(status, "hard"), _mapping(status, "used")
    chosen = (name for name in sorted(hard) if name.startswith("limits.") is limits)
    return ", ".join(f"{name}: {used.get(name, 0)}/{hard[name]}" for name in chosen)


def _subjects(binding: Content, kind: str) -> str:
    chosen = (one for one in binding.get("subjects") or () if one.get("kind") == kind)
    return ", ".join(_subject(one) for one in chosen)


def _subject(subject: Content) -> str:
    namespace = subject.get("namespace")
    return f"{namespace}/{subject.get('name', '')}" if namespace else str(subject.get("name", ""))


def _ingress(service: Content) -> Iterator[str]:
    found = _mapping(_mapping(service, "status"), "loadBalancer").get("ingress") or ()
    yield from sorted(str(one.get("ip") or one["hostname"]) for one in found if one.get("ip") or one.get("hostname"))


def _port(port: Content) -> str:
    node = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port')}{node}/{port.get('protocol', 'TCP')}"


def _mapping(content: Content, key: str) -> Mapping[str, Any]:
    found = content.get(key)
    return found if isinstance(found, Mapping) else {}
