"""SPIFFE's Workload API for the application, on a Unix socket: its certificate, what it should believe, and tokens.

Certificates and roots are those of the sidecar, pushed whenever they change; tokens come from the control plane. Nobody
proves anything here: who may open the socket is the workload. Imported when it is served: its messages cost memory.
"""

import asyncio
import base64
import re
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from weft.agent.credentials import Credentials
from weft.agent.grpc_server import DENIED, INVALID, UNAVAILABLE, GrpcServer, Handler, Refusal, Stream
from weft.agent.http import Answer, HttpClient, Unanswered
from weft.kit.latest import Latest
from weft.kit.protobuf import messages
from weft.kit.tasks import Tasks, tasks

_SERVICE = "/SpiffeWorkloadAPI/"
_REFRESH = 30.0
_AGAIN = 2.0
_HEADER = b"workload.spiffe.io"
_PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----", re.DOTALL)
_MESSAGES = messages(
    "",
    {
        "X509SVID": {
            "spiffe_id": (1, "string"),
            "x509_svid": (2, "bytes"),
            "x509_svid_key": (3, "bytes"),
            "bundle": (4, "bytes"),
        },
        "X509SVIDResponse": {"svids": (1, "repeated X509SVID"), "federated_bundles": (3, "map bytes")},
        "X509BundlesResponse": {"bundles": (2, "map bytes")},
        "JWTSVIDRequest": {"audience": (1, "repeated string"), "spiffe_id": (2, "string")},
        "JWTSVID": {"spiffe_id": (1, "string"), "svid": (2, "string")},
        "JWTSVIDResponse": {"svids": (1, "repeated JWTSVID")},
        "JWTBundlesResponse": {"bundles": (1, "map bytes")},
        "ValidateJWTSVIDRequest": {"audience": (1, "string"), "svid": (2, "string")},
        "ValidateJWTSVIDResponse": {"spiffe_id": (1, "string"), "claims": (2, "google.protobuf.Struct")},
    },
)

Work = Callable[[Stream, bytes], Awaitable[None]]


class WorkloadApi:
    """Serves one workload; ``client`` asks the control plane in its name."""

    def __init__(
        self, latest: Latest[Credentials], client: Callable[[], HttpClient], refresh_seconds: float = _REFRESH
    ) -> None:
        self._latest = latest
        self._client = client
        self._refresh = refresh_seconds

    async def run(self, path: Path) -> None:
        """Listen on ``path`` until cancelled."""
        methods: dict[str, Work] = {
            "FetchX509SVID": self._svids,
            "FetchX509Bundles": self._bundles,
            "FetchJWTSVID": self._token,
            "FetchJWTBundles": self._token_keys,
            "ValidateJWTSVID": self._validate,
        }
        async with tasks() as group:
            handlers = {f"{_SERVICE}{name}".encode(): _handling(group, work) for name, work in methods.items()}
            await GrpcServer(handlers).run(path)

    async def _svids(self, stream: Stream, _: bytes) -> None:
        await self._push(stream, lambda held: _svid_response(held).SerializeToString(deterministic=True))

    async def _bundles(self, stream: Stream, _: bytes) -> None:
        await self._push(stream, lambda held: _bundle_response(held).SerializeToString(deterministic=True))

    async def _push(self, stream: Stream, made: Callable[[Credentials], bytes]) -> None:
        sent = b""
        async for credentials in self._latest:
            if (message := made(credentials)) != sent:
                stream.send(message)
                sent = message

    async def _token(self, stream: Stream, message: bytes) -> None:
        asked = _read("JWTSVIDRequest", message)
        own = self._own.identity.uri
        if asked.spiffe_id not in ("", own):
            raise Refusal(DENIED, f"the workload is {own}")
        answer = await self._asked("POST", "/v1/jwt-svid", {"audience": list(asked.audience)})
        response = _MESSAGES["JWTSVIDResponse"]()
        response.svids.add(spiffe_id=own, svid=answer["svid"])
        stream.send(response.SerializeToString())
        stream.finish()

    async def _validate(self, stream: Stream, message: bytes) -> None:
        asked = _read("ValidateJWTSVIDRequest", message)
        answer = await self._asked("POST", "/v1/jwt-svid/validate", {"audience": asked.audience, "svid": asked.svid})
        response = _MESSAGES["ValidateJWTSVIDResponse"](spiffe_id=answer["spiffe_id"])
        response.claims.update(answer["claims"])
        stream.send(response.SerializeToString())
        stream.finish()

    async def _token_keys(self, stream: Stream, _: bytes) -> None:
        """The keys, and again when they change; what was sent goes on while the control plane is away."""
        sent = b""
        while True:
            try:
                keys = msgspec.json.encode(await self._asked("GET", "/v1/jwt-bundle", None))
            except Refusal:
                await asyncio.sleep(_AGAIN)
                continue
            if keys != sent:
                response = _MESSAGES["JWTBundlesResponse"]()
                response.bundles[_domain(self._own)] = sent = keys
                stream.send(response.SerializeToString())
            await asyncio.sleep(self._refresh)

    @property
    def _own(self) -> Credentials:
        if self._latest.value is None:
            raise Refusal(DENIED, "the workload has no identity yet")
        return self._latest.value

    async def _asked(self, method: str, path: str, body: Any) -> Any:
        try:
            answer = await self._client().request(method, path, b"" if body is None else msgspec.json.encode(body))
        except Unanswered as away:
            raise Refusal(UNAVAILABLE, f"the control plane does not answer ({away})") from away
        return _content(answer)


def _content(answer: Answer) -> Any:
    content = answer.json()
    if answer.status == 200 and isinstance(content, dict):
        return content
    raise Refusal(INVALID if answer.status == 400 else UNAVAILABLE, answer.refusal)


def _handling(group: Tasks, work: Work) -> Callable[[Stream], Handler]:
    return lambda stream: _Call(group, stream, work)


class _Call:
    """One call: a request, then work until it is done or the client hangs up."""

    def __init__(self, group: Tasks, stream: Stream, work: Work) -> None:
        self._group = group
        self._stream = stream
        self._work = work
        self._task: asyncio.Task[None] | None = None

    def receive(self, message: bytes) -> None:
        """The request. Without its header somebody else's page or proxy may have sent it (Workload Endpoint, 3)."""
        if self._stream.headers.get(_HEADER) != b"true":
            raise Refusal(INVALID, "the metadata workload.spiffe.io: true is missing")
        if self._task is None:
            self._task = self._group.start(self._answer(message), "workload API")

    def ended(self) -> None:
        """The client sends one message and listens on."""
        if self._task is None:
            self._stream.finish(INVALID, "there was no request")

    def closed(self) -> None:
        """Nobody listens any more."""
        if self._task is not None:
            self._task.cancel()

    async def _answer(self, message: bytes) -> None:
        try:
            await self._work(self._stream, message)
        except Refusal as refused:
            self._stream.finish(refused.status, str(refused))


def _read(name: str, message: bytes) -> Any:
    from google.protobuf.message import DecodeError

    try:
        return _MESSAGES[name].FromString(message)
    except DecodeError as malformed:
        raise Refusal(INVALID, f"this is no {name}") from malformed


def _svid_response(credentials: Credentials) -> Any:
    response = _MESSAGES["X509SVIDResponse"]()
    issued = credentials.issued
    response.svids.add(
        spiffe_id=credentials.identity.uri,
        x509_svid=_der(issued.chain),
        x509_svid_key=_der(credentials.key),
        bundle=_der(_own_bundle(credentials)),
    )
    for domain, der in _federated(credentials):
        response.federated_bundles[domain] = der
    return response


def _bundle_response(credentials: Credentials) -> Any:
    response = _MESSAGES["X509BundlesResponse"]()
    response.bundles[_domain(credentials)] = _der(_own_bundle(credentials))
    for domain, der in _federated(credentials):
        response.bundles[domain] = der
    return response


def _own_bundle(credentials: Credentials) -> str:
    """The roots of the workload's own trust domain, which may have more of them than its authority."""
    issued = credentials.issued
    return dict(issued.bundles).get(issued.trust_domain, issued.bundle)


def _federated(credentials: Credentials) -> Iterable[tuple[str, bytes]]:
    """The roots of each other trust domain, by its id."""
    for name, pem in credentials.issued.bundles:
        if name != credentials.issued.trust_domain:
            yield f"spiffe://{name}", _der(pem)


def _domain(credentials: Credentials) -> str:
    return f"spiffe://{credentials.issued.trust_domain}"


def _der(pem: str) -> bytes:
    """Every block of a PEM, one after the other."""
    return b"".join(_blocks(pem))


def _blocks(pem: str) -> Iterable[bytes]:
    for found in _PEM.finditer(pem):
        lines = found[0].splitlines()
        yield base64.b64decode("".join(lines[1:-1]))
