"""All proofs that a mesh takes, in one place, and the socket for local processes."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from weft.attesting.choice import Attestation
from weft.attesting.jwt import IssuerTokens
from weft.attesting.kubernetes import KubernetesTokens
from weft.attesting.local import LocalProcesses, ProcessProtocol
from weft.ca.grounds import Ground, GroundGone
from weft.ca.names import CONTROL_PLANE_NAMESPACE
from weft.ca.proof import Process, Proof, Unproved
from weft.kit.clock import Clock
from weft.kit.errors import UserError
from weft.kit.files import private_directory
from weft.model.identity import Identity


class Attestors:
    """Judges each proof by its kind; what is not configured proves nothing."""

    def __init__(self, chosen: Attestation, trust_domain: str, clock: Clock) -> None:
        """Raises ``UserError``."""
        self.issuers = IssuerTokens(chosen.jwt, trust_domain, clock)
        self._kubernetes = KubernetesTokens(chosen.kubernetes, trust_domain) if chosen.kubernetes else None
        self._local = LocalProcesses(chosen.local.rules if chosen.local else (), trust_domain)

    async def attest(self, proof: Proof) -> tuple[Identity, Ground]:
        """Who proves it, and on which ground. Raises ``Unproved`` and other ``WeftError``."""
        identity, ground = await self._judged(proof)
        if identity.namespace == CONTROL_PLANE_NAMESPACE:
            raise Unproved(f"no workload joins in {CONTROL_PLANE_NAMESPACE}")
        return identity, ground

    def judge(self, identity: Identity, ground: Ground) -> None:
        """Whether what once let a workload in would do so by the rules of now. Raises ``GroundGone``."""
        try:
            self._judge(identity, ground)
        except Unproved as unproved:
            raise GroundGone(unproved.why) from unproved

    def _judge(self, identity: Identity, ground: Ground) -> None:
        if ground.kind == "local":
            process = Process(pid=0, uid=ground.uid, gid=ground.gid, executable=ground.executable)
            self._local.require(process, identity.namespace, identity.account)
        elif ground.kind == "kubernetes":
            if self._kubernetes is None:
                raise Unproved("accounts of Kubernetes may not join any more")
            self._kubernetes.require(identity.namespace)
        elif ground.kind == "jwt" and self.issuers.named(ground.issuer, ground.claims) != identity:
            raise Unproved(f"the claims of the token that it joined with do not name {identity} any more")

    async def _judged(self, proof: Proof) -> tuple[Identity, Ground]:
        if proof.process is not None:
            process = proof.process
            ground = Ground(kind="local", uid=process.uid, gid=process.gid, executable=process.executable)
            return await self._local.identity(proof), ground
        if proof.kubernetes and self._kubernetes is not None:
            return await self._kubernetes.identity(proof), Ground(kind="kubernetes")
        if proof.jwt:
            return await self.issuers.admitted(proof)
        raise Unproved("nothing of this kind is taken here")


@contextmanager
def listening_locally(path: Path) -> Iterator[socket.socket]:
    """The socket, which every process of the host may connect to: what it may have is another matter.

    Raises ``UserError``.
    """
    try:
        if not path.parent.is_dir():
            private_directory(path.parent)
            path.parent.chmod(0o755)
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(str(path))
            path.chmod(0o666)
            yield listener
            path.unlink(missing_ok=True)
    except OSError as refused:
        reason = (refused.strerror or str(refused)).lower()
        raise UserError(
            f"cannot listen on {path} ({reason})", help="choose another socket in --attestation"
        ) from refused


def local_config(app: ASGIApp) -> uvicorn.Config:
    """uvicorn's settings for the socket."""
    return uvicorn.Config(
        app,
        http=ProcessProtocol,
        ws="none",
        lifespan="off",
        timeout_keep_alive=5,
        h11_max_incomplete_event_size=64 * 1024,
        limit_concurrency=200,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
    )
