"""The world of the intents with policies of weft's own, and calls made at once or one after the other."""

import contextlib
import http.client
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.compiler.sidecars import Answer
from tests.intents.intent import HERE, SETTINGS, documents
from tests.intents.minimesh import MiniMesh, until
from weft.dialects.link import link
from weft.dialects.translate import fragment_of
from weft.model.mesh import Mesh

_numbers = itertools.count()


def mesh_with(text: str, directory: Path) -> Mesh:
    """The world with some documents in it."""
    path = directory / f"policies-{next(_numbers)}.yaml"
    path.write_text(text)
    own = (fragment_of(one, SETTINGS) for one in documents(path))
    return link((*(fragment_of(one, SETTINGS) for one in documents(HERE / "world.yaml")), *own), SETTINGS, 1)


class Caller:
    """Calls through the sidecar of ``web``, each over a connection of its own, so that all workers have some."""

    def __init__(self, mini: MiniMesh, host: str = "reviews:9080") -> None:
        self._mini = mini
        self._host = host
        self.call = f"calls-{next(_numbers)}"

    def leave_when(self, condition: Callable[[], bool], **headers: str) -> None:
        """Call, and go away without an answer once something holds."""
        with self._asking("/", headers):
            until(condition)

    def ask(self, path: str = "/", **headers: str) -> Answer:
        """One call."""
        with self._asking(path, headers) as connection:
            return Answer(connection.getresponse())

    @contextlib.contextmanager
    def _asking(self, path: str, headers: dict[str, str]) -> Iterator[http.client.HTTPConnection]:
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self._mini.proxy, timeout=20)) as connection:
            connection.request("GET", f"http://{self._host}{path}", headers={"x-call": self.call, **said})
            yield connection

    def statuses(self, times: int, path: str = "/", **headers: str) -> list[int]:
        """So many calls, one after the other."""
        return [self.ask(path, **headers).status for _ in range(times)]

    def at_once(self, times: int, path: str = "/", **headers: str) -> Counter[int]:
        """So many calls at the same time."""
        with ThreadPoolExecutor(times) as pool:
            return Counter(pool.map(lambda _: self.ask(path, **headers).status, range(times)))

    def arrived(self) -> int:
        """How many calls the applications got."""
        return len(self._mini.notes.of(self.call))
