"""The HTTP client of every service, and of the load generator: where requests leave, and what they carry."""

import os
import ssl

import httpx2
import tracing


def http_client() -> httpx2.AsyncClient:
    """A client that hands on the trace and sends every request through HTTP_PROXY, if that is set.

    The environment is read here rather than by the library: NO_PROXY, or a lower-case http_proxy left
    over from the user's shell, must not lead `http://reviews:9080` around the sidecar, which alone knows
    that name. Only an address of this very host goes direct.
    """

    async def hand_on(request: httpx2.Request) -> None:
        request.headers.update(tracing.outgoing())

    async def take_note(response: httpx2.Response) -> None:
        tracing.note_answer(response.headers)

    proxy = os.environ.get("HTTP_PROXY") or os.environ.get("http_proxy") or None
    return httpx2.AsyncClient(
        # TLS is the sidecars' business. To load the authorities takes 0.1 s; without them https trusts nobody.
        verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        trust_env=False,
        proxy=proxy,
        mounts={"all://127.0.0.1": None, "all://localhost": None} if proxy else None,
        timeout=httpx2.Timeout(10),
        limits=httpx2.Limits(max_connections=500, max_keepalive_connections=100),
        event_hooks={"request": [hand_on], "response": [take_note]},
    )
