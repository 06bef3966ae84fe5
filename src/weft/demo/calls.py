"""Calls that the demo makes as the visitor: HTTP through its sidecar, TCP through a named upstream port."""

import socket
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx2

from weft.demo.processes import Failed
from weft.kit.value import Value

PATIENCE = 10.0


class Answer(Value):
    """What came back; status 0 when nothing did, ``text`` then says why. ``seconds`` is how long it took."""

    status: int
    seconds: float
    headers: tuple[tuple[str, str], ...] = ()
    text: str = ""

    def header(self, name: str) -> str:
        """A header's value, or the empty text."""
        return dict(self.headers).get(name, "")

    @property
    def instance(self) -> str:
        """The instance that answered: ``service-version-instance``."""
        return self.header("x-served-by")

    @property
    def version(self) -> str:
        """The version that answered."""
        return self.instance.split("-")[1] if self.instance.count("-") >= 2 else ""


class Caller:
    """An HTTP client behind one sidecar, or in front of none."""

    def __init__(self, proxy: str | None) -> None:
        self._client = httpx2.Client(
            proxy=proxy, trust_env=False, timeout=PATIENCE, limits=httpx2.Limits(max_connections=16)
        )

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """GET; an answer with status 0 when the connection broke."""
        begun = time.monotonic()
        try:
            answer = self._client.get(url, headers=headers)
        except httpx2.HTTPError as error:
            return Answer(status=0, seconds=time.monotonic() - begun, text=f"{type(error).__name__}: {error}")
        return Answer(
            status=answer.status_code,
            seconds=time.monotonic() - begun,
            headers=tuple(answer.headers.items()),
            text=answer.text,
        )

    def post(self, url: str, body: Mapping[str, object]) -> Answer:
        """POST JSON."""
        answer = self._client.post(url, json=dict(body))
        return Answer(status=answer.status_code, seconds=answer.elapsed.total_seconds(), text=answer.text)

    def many(self, url: str, count: int, headers: Mapping[str, str] | None = None) -> list[Answer]:
        """GET ``count`` times, eight at once."""
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(lambda _: self.get(url, headers), range(count)))

    def until_rule(self, url: str, rule: str, seconds: float = 10.0) -> None:
        """Call until answers carry ``x-rule: <rule>``: the sidecar has the new routes."""
        deadline = time.monotonic() + seconds
        while self.get(url).header("x-rule") != rule:
            if time.monotonic() > deadline:
                raise Failed(f"the rule {rule!r} did not reach the visitor's sidecar within {seconds:g} s")
            time.sleep(0.02)

    def close(self) -> None:
        """Close kept connections."""
        self._client.close()


@contextmanager
def caller(proxy: str | None = None) -> Iterator[Caller]:
    """A caller that closes its connections."""
    made = Caller(proxy)
    try:
        yield made
    finally:
        made.close()


def tcp_lines(address: str, *commands: str) -> list[str]:
    """Send lines over one TCP connection and return the answers' lines, one for each command."""
    host, port = address.rsplit(":", 1)
    with (
        socket.create_connection((host, int(port)), timeout=PATIENCE) as connection,
        connection.makefile("rw") as stream,
    ):
        answers = []
        for command in commands:
            stream.write(command + "\n")
            stream.flush()
            answers.append(stream.readline().rstrip("\n"))
        return answers
