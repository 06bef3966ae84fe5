"""What a proxy is sent: serialised resources, each with a version that is the hash of its bytes."""

import hashlib

from weft.kit.value import Value
from weft.model.credential import Credential
from weft.model.finding import Finding

TYPE_PREFIX = "type.googleapis.com/"
CLUSTER = TYPE_PREFIX + "envoy.config.cluster.v3.Cluster"
ENDPOINTS = TYPE_PREFIX + "envoy.config.endpoint.v3.ClusterLoadAssignment"
LISTENER = TYPE_PREFIX + "envoy.config.listener.v3.Listener"
ROUTES = TYPE_PREFIX + "envoy.config.route.v3.RouteConfiguration"
SECRET = TYPE_PREFIX + "envoy.extensions.transport_sockets.tls.v3.Secret"
EXTENSION = TYPE_PREFIX + "envoy.config.core.v3.TypedExtensionConfig"
TOKENS = TYPE_PREFIX + "envoy.type.v3.TokenBucket"

PUSH_ORDER = (CLUSTER, ENDPOINTS, LISTENER, ROUTES, EXTENSION, SECRET)
"""Make before break: the order in which types are sent."""


class Resource(Value):
    """One resource: ``body`` is the deterministic serialisation of the message (not of an ``Any``) of ``type_url``."""

    type_url: str
    name: str
    version: str
    body: bytes


class SecretUse(Value):
    """A secret that the resources name, and what it is made of: a certificate with its key, or ``authorities``."""

    name: str
    credential: Credential
    authorities: bool = False


class Resources(Value):
    """All of one proxy's resources, names unique within a type and sorted, and what failed late.

    ``secrets`` are those that the resources name and the control plane keeps; they themselves are added last, for the
    one proxy that may have them.
    """

    resources: tuple[Resource, ...] = ()
    findings: tuple[Finding, ...] = ()
    secrets: tuple[SecretUse, ...] = ()


class Previewed(Value):
    """A connected proxy: what it has, and what it would have were something written."""

    name: str
    before: Resources
    after: Resources


class Preview(Value):
    """Every connected proxy, and what the mesh would say that it does not say yet."""

    proxies: tuple[Previewed, ...] = ()
    findings: tuple[Finding, ...] = ()


def version_of(body: bytes) -> str:
    """The version of some bytes: equal content has an equal version, on every replica and after every restart."""
    return hashlib.sha256(body).hexdigest()[:32]


def weight(resource: Resource) -> int:
    """The bytes of a resource."""
    return len(resource.body)


def resource(type_url: str, name: str, body: bytes) -> Resource:
    """A resource with its version."""
    return Resource(type_url=type_url, name=name, version=version_of(body), body=body)
