"""Make a key and a request for a certificate, and end: the cryptography library would cost the agent 10 MB for good.

``python -m weft.agent.keygen`` writes one JSON object, ``{"key": PEM, "csr": PEM}``, to its standard output; with a key
in PEM on its standard input the request is for that one.
"""

import asyncio
import sys

import msgspec

from weft.kit.errors import BrokenPromise
from weft.kit.value import Value

_TIMEOUT = 30.0


class KeyPair(Value):
    """A private key and the request that it signed, both PEM."""

    key: str
    csr: str


class Order(Value):
    """What the child is to make."""

    key: str = ""
    uri: str = ""


async def new_key(key: str = "", uri: str = "") -> KeyPair:
    """A new P-256 key, or ``key`` again, with a request; made by a child process that knows nothing else.

    ``uri`` is the name that the request has; without it, none, since the control plane knows who asks.
    """
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "weft.agent.keygen",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_TIMEOUT):
            output, _ = await child.communicate(msgspec.json.encode(Order(key=key, uri=uri)))
    finally:
        if child.returncode is None:
            child.kill()
    if child.returncode != 0:
        raise BrokenPromise("no key could be made")
    return msgspec.json.decode(output, type=KeyPair)


def generate(order: Order) -> KeyPair:
    """Make what is ordered, in this process."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    known = order.key.encode("ascii")
    key = serialization.load_pem_private_key(known, None) if known else ec.generate_private_key(ec.SECP256R1())
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    if order.uri:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(order.uri)]), critical=True
        )
    request = builder.sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return KeyPair(key=private.decode("ascii"), csr=request.public_bytes(serialization.Encoding.PEM).decode("ascii"))


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(generate(msgspec.json.decode(sys.stdin.buffer.read(), type=Order))))
