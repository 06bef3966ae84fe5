"""What Kubernetes' API server adds to its own kinds before it stores them (``SetDefaults_*`` of its ``core/v1``).

Clients rely on it: ``kubectl describe`` shows these fields, and a second apply or a diff finds nothing to change. What
has not the shape of its kind is left as it is; the check has refused it.
"""

import base64
from typing import Any

Content = dict[str, Any]

_CLIENT_IP = {"clientIP": {"timeoutSeconds": 10_800}}
_ON_NODES = ("NodePort", "LoadBalancer")


def complete_service(content: Content) -> Content:
    """A Service with its type, the policies of its type, its stickiness and each port's transport and target."""
    spec = content.get("spec")
    if not isinstance(spec, dict):
        return content
    kind = spec.get("type") or "ClusterIP"
    defaults: Content = {"type": kind, "sessionAffinity": "None"}
    if kind != "ExternalName":
        defaults["internalTrafficPolicy"] = "Cluster"
    if kind in _ON_NODES:
        defaults["externalTrafficPolicy"] = "Cluster"
    if kind == "LoadBalancer":
        defaults["allocateLoadBalancerNodePorts"] = True
    if spec.get("sessionAffinity") == "ClientIP":
        defaults["sessionAffinityConfig"] = _CLIENT_IP
    made = _with(spec, defaults)
    if isinstance(spec.get("ports"), list):
        made["ports"] = [_completed_port(port) for port in spec["ports"]]
    return content | {"spec": made}


_CHOSEN = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")


def keep_service(old: Content, new: Content) -> Content:
    """A Service with the address that it has, unless its writer says another one or makes it one without."""
    before, spec = old.get("spec"), new.get("spec")
    if not isinstance(before, dict) or not isinstance(spec, dict) or spec.get("clusterIP"):
        return new
    if spec.get("type") == "ExternalName" or before.get("clusterIP") in (None, "", "None"):
        return new
    return new | {"spec": spec | {name: before[name] for name in _CHOSEN if name in before}}


def _completed_port(port: Any) -> Any:
    if not isinstance(port, dict):
        return port
    return _with(port, {"protocol": "TCP", "targetPort": port.get("port")})


def complete_secret(content: Content) -> Content:
    """A Secret with its type."""
    return _with(content, {"type": "Opaque"})


def receive_secret(content: Content) -> Content:
    """A Secret whose ``stringData`` are written into its ``data``, which they win over."""
    texts, data = content.get("stringData"), content.get("data")
    if texts is None:
        return {key: value for key, value in content.items() if key != "stringData"}
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        return content
    if data is not None and not isinstance(data, dict):
        return content
    encoded = {key: base64.b64encode(text.encode(errors="surrogatepass")).decode() for key, text in texts.items()}
    rest = {key: value for key, value in content.items() if key != "stringData"}
    return rest | {"data": {**(data or {}), **encoded}} if encoded or data else rest


def _with(content: Content, defaults: Content) -> Content:
    """The content with defaults where there is nothing, in which an empty text is nothing too."""
    return content | {key: value for key, value in defaults.items() if content.get(key) in (None, "")}
