"""Routes for ``weft top``: live requests (``weft tap``) added up by who is called, method and path.

Metrics have no paths, on purpose; so this watches for as long as it is shown. Parts of paths that name single things
are ``*``.
"""

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from weft.kit.errors import UserError
from weft.kit.value import Value

Item = dict[str, Any]
_SINGLE = re.compile(r"\d+|[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{12,}|[A-Za-z0-9_-]{24,}", re.IGNORECASE)
_MOST_KINDS = 500
_MOST_OF_ONE = 5_000
_OTHER = "other routes"


class _Seen(Value):
    at: float
    milliseconds: float
    failed: bool


class LiveRoutes:
    """What was seen in the last ``window`` seconds. ``lines`` opens the stream of live requests and may block; it is
    read in a thread that begins with the first question and ends with the process."""

    def __init__(
        self, lines: Callable[[], Iterator[str]], window: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._lines = lines
        self._window = window
        self._now = now
        self._turn = threading.Lock()
        self._seen: dict[str, deque[_Seen]] = {}
        self._trouble: UserError | None = None
        self._thread: threading.Thread | None = None
        self._began = now()

    def items(self) -> list[Item]:
        """The routes, as answers about signals are. Raises ``UserError`` when requests cannot be watched; the next
        question tries again."""
        if self._trouble is not None:
            trouble, self._trouble, self._thread = self._trouble, None, None
            raise trouble
        if self._thread is None:
            self._begin()
        with self._turn:
            self._forget()
            return [self._item(name, seen) for name, seen in self._seen.items()]

    def add(self, item: Item) -> None:
        """Take a request into account."""
        if item["type"] != "request":
            return
        name = route_of(item)
        seen = _Seen(at=self._now(), milliseconds=item["milliseconds"], failed=_failed(item))
        with self._turn:
            name = name if name in self._seen or len(self._seen) < _MOST_KINDS else _OTHER
            self._seen.setdefault(name, deque(maxlen=_MOST_OF_ONE)).append(seen)

    def _begin(self) -> None:
        self._began = self._now()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="live requests")
        self._thread.start()

    def _watch(self) -> None:
        try:
            for line in self._lines():
                self.add(msgspec.json.decode(line))
            self._trouble = UserError("watching has ended")
        except UserError as trouble:
            self._trouble = trouble
        except RuntimeError:  # the connection was closed while it was read: the end
            self._trouble = UserError("watching has ended")

    def _forget(self) -> None:
        oldest = self._now() - self._window
        for name in list(self._seen):
            seen = self._seen[name]
            while seen and seen[0].at < oldest:
                seen.popleft()
            if not seen:
                del self._seen[name]

    def _item(self, name: str, seen: deque[_Seen]) -> Item:
        latencies = sorted(one.milliseconds for one in seen)
        seconds = max(1.0, min(self._window, self._now() - self._began))
        last = len(latencies) - 1
        percentiles = {f"p{share}": latencies[min(last, (last + 1) * share // 100)] for share in (50, 95, 99)}
        success = 1 - sum(one.failed for one in seen) / len(seen)
        return {"name": name, "rate": len(seen) / seconds, "success": success, "latency": percentiles}


def route_of(item: Item) -> str:
    """Who is called, how, and where: ``reviews GET /reviews/*``."""
    end = item["destination"]
    callee = item["service"].partition(".")[0] or end["service"] or end["workload"] or "-"
    path = item["path"].partition("?")[0]
    parts = ("*" if _SINGLE.fullmatch(part) else part for part in path.split("/"))
    return f"{callee} {item['method']} {'/'.join(parts)}"[:200]


def _failed(item: Item) -> bool:
    """As metrics count errors: no answer, 500 or more, or a status of gRPC that is not OK."""
    return item["status"] == 0 or item["status"] >= 500 or item.get("grpcStatus", "") not in ("", "0")
