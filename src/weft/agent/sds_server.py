"""SDS on a Unix socket for the one Envoy beside us.

The socket has mode 0600 in a directory of mode 0700: who can read it could read the key's file as well.
"""

import asyncio
from pathlib import Path

from weft.agent.credentials import Credentials
from weft.agent.grpc_server import GrpcServer, Handler, Stream
from weft.agent.sds import SecretStream
from weft.kit.latest import Latest
from weft.kit.tasks import tasks

_METHOD = b"/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets"
_REREAD = 5.0
"""Seconds between looks at the files that secrets are made of."""


class SdsServer:
    """Serves the newest credentials, and each newer one as it comes."""

    def __init__(self, latest: Latest[Credentials]) -> None:
        self._latest = latest
        self._calls: set[_Secrets] = set()

    async def run(self, path: Path) -> None:
        """Listen on ``path`` and push, until cancelled."""
        async with tasks() as group:
            group.start(GrpcServer({_METHOD: self._call}).run(path), "sds socket")
            group.start(self._reread(), "files of secrets")
            async for credentials in self._latest:
                self._push(credentials)

    async def _reread(self) -> None:
        """Offer what changed in files: a stream that was sent the same before is sent nothing."""
        while True:
            await asyncio.sleep(_REREAD)
            if self._latest.value is not None:
                self._push(self._latest.value)

    def _push(self, credentials: Credentials) -> None:
        for call in list(self._calls):
            call.push(credentials)

    def _call(self, stream: Stream) -> Handler:
        call = _Secrets(stream, self._latest, self._calls)
        self._calls.add(call)
        return call


class _Secrets:
    """One stream of secrets."""

    def __init__(self, stream: Stream, latest: Latest[Credentials], calls: "set[_Secrets]") -> None:
        self._stream = stream
        self._latest = latest
        self._calls = calls
        self._secrets = SecretStream()

    def receive(self, message: bytes) -> None:
        """A request, or what Envoy thinks of an answer."""
        self._send(self._secrets.receive(message, self._latest.value))

    def push(self, credentials: Credentials) -> None:
        """Offer new credentials."""
        self._send(self._secrets.offer(credentials))

    def ended(self) -> None:
        """Nothing more is asked, so nothing more is sent."""
        self._stream.finish()

    def closed(self) -> None:
        """The call is over."""
        self._calls.discard(self)

    def _send(self, message: bytes | None) -> None:
        if message is not None:
            self._stream.send(message)
