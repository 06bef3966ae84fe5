"""Who opens a stream: the identity that its certificate proves, and the node that it says it is."""

import hashlib
import ssl
from collections.abc import Mapping, Sequence

from weft._pb.envoy.config.core.v3.base_pb2 import Node
from weft.kit.errors import PeerError
from weft.kit.value import Value
from weft.model.identity import Identity, parse_identity
from weft.xds.errors import Malformed
from weft.xds.session import Variant
from weft.xds.wire import read_delta, read_sotw

MAX_NODE_ID = 512
_METADATA_KEY = "weft"


class Unauthenticated(PeerError):
    """The certificate names nobody, or more than one."""


class Introduction(Value):
    """A proxy's first words. ``metadata`` is the JSON of its node metadata's ``weft`` string, "" if absent.

    ``certificate`` is the SHA-256 of the DER of what it showed, in hexadecimal.
    """

    identity: Identity
    node_id: str
    metadata: str = ""
    certificate: str = ""


def introduce(identity: Identity, request: bytes, variant: Variant, certificate: str = "") -> Introduction:
    """Read the node of a stream's first request; later ones cannot change it. Raises ``Malformed``."""
    node: Node = read_delta(request).node if variant is Variant.DELTA else read_sotw(request).node
    if not node.id:
        raise Malformed("the first request of a stream needs a node with an id")
    if len(node.id) > MAX_NODE_ID:
        raise Malformed(f"a node id has at most {MAX_NODE_ID} characters")
    fields = node.metadata.fields
    metadata = fields[_METADATA_KEY].string_value if _METADATA_KEY in fields else ""
    return Introduction(identity=identity, node_id=node.id, metadata=metadata, certificate=certificate)


def identity_of(auth: Mapping[str, Sequence[bytes]]) -> Identity:
    """The identity in gRPC's authentication context: exactly one URI name (SPIFFE X509-SVID, section 2)."""
    uris = list(auth.get("peer_uri", ()))
    if len(uris) != 1:
        raise Unauthenticated(f"the client certificate has {len(uris)} URI names, it needs exactly one")
    try:
        return parse_identity(uris[0].decode())
    except ValueError as wrong:
        raise Unauthenticated(str(wrong)) from None


def certificate_of(auth: Mapping[str, Sequence[bytes]]) -> str:
    """The SHA-256 of the certificate in gRPC's authentication context, "" without one."""
    found = list(auth.get("x509_pem_cert", ()))
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(found[0].decode())).hexdigest() if found else ""
