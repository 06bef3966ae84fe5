"""Recorded requests on their way again: which can be sent, when, and what comes back."""

import asyncio
import base64
import time
from collections import Counter
from urllib.parse import urlsplit

import httpx2

from weft.cli.tapped import Item, sendable
from weft.kit.redaction import HIDDEN
from weft.kit.value import Value

SAFE = ("GET", "HEAD", "OPTIONS")
"""Methods that change nothing (RFC 9110, section 9.2.1)."""
_LONGEST_GAP = 60.0


class Planned(Value):
    """One request. ``at`` is seconds after the first of them; ``duration`` is what it took then, in milliseconds."""

    at: float
    method: str
    path: str
    authority: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    status: int
    duration: float


class Plan(Value):
    """The requests in their order, and how many are left out for which reason."""

    requests: tuple[Planned, ...]
    left_out: tuple[tuple[str, int], ...] = ()


class Sent(Value):
    """What came of one. ``status`` is 0 where there was no answer; ``error`` then says why."""

    method: str
    path: str
    recorded_status: int
    status: int
    recorded: float
    took: float
    error: str = ""

    @property
    def differs(self) -> bool:
        """Whether the status is another one."""
        return self.status != self.recorded_status

    @property
    def told(self) -> str:
        """The status, or what went wrong."""
        return str(self.status) if self.status else self.error


def planned(items: list[Item], *, most: int, writes: bool) -> Plan:
    """What of a recording can be sent again."""
    reasons: Counter[str] = Counter()
    requests: list[Planned] = []
    ordered = sorted(items, key=lambda one: float(one["at"]))
    for item in ordered:
        reason = _reason(item, writes=writes)
        if not reason and len(requests) >= most:
            reason = "there are more than --max"
        if reason:
            reasons[reason] += 1
            continue
        requests.append(_planned(item, ordered[0]["at"]))
    return Plan(requests=tuple(requests), left_out=tuple(sorted(reasons.items())))


def _reason(item: Item, *, writes: bool) -> str:
    """Why a request cannot be sent, "" if it can."""
    body = item.get("requestBody")
    if not writes and item["method"] not in SAFE:
        return "they may change something (--writes sends them)"
    if item["method"] == "CONNECT" or item.get("grpcStatus"):
        return "they are streams"
    if HIDDEN in item["path"]:
        return "something in their path is hidden"
    if item["requestBytes"] and (body is None or body["cut"]):
        return "their bodies were not recorded whole (record with --body)"
    if body is not None and HIDDEN in body.get("text", ""):
        return "something in their bodies is hidden"
    return ""


def _planned(item: Item, first: float) -> Planned:
    body = item.get("requestBody") or {"text": ""}
    return Planned(
        at=item["at"] - first,
        method=item["method"],
        path=item["path"],
        authority=item["authority"],
        headers=tuple((name, value) for name, value in sendable(item) if HIDDEN not in value),
        body=body["text"].encode() if "text" in body else base64.b64decode(body["base64"]),
        status=item["status"],
        duration=item["milliseconds"],
    )


async def send_all(
    plan: Plan, base: str, *, speed: float, per_second: float, parallel: int, timeout: float, keep_host: bool
) -> list[Sent]:
    """Send them in order, ``speed`` times as fast as recorded or ``per_second``, so many at a time."""
    free = asyncio.Semaphore(parallel)
    limits = httpx2.Limits(max_connections=parallel, max_keepalive_connections=parallel)
    async with httpx2.AsyncClient(timeout=timeout, limits=limits, trust_env=False, follow_redirects=False) as client:

        async def one(request: Planned) -> Sent:
            try:
                return await _send(client, base, request, keep_host=keep_host)
            finally:
                free.release()

        async with asyncio.TaskGroup() as group:
            began, sending = time.monotonic(), []
            for due, request in _due(plan, speed, per_second):
                await asyncio.sleep(max(0.0, began + due - time.monotonic()))
                await free.acquire()
                sending.append(group.create_task(one(request)))
    return [task.result() for task in sending]


def _due(plan: Plan, speed: float, per_second: float) -> list[tuple[float, Planned]]:
    """When each is sent, in seconds after the first; a gap is a minute at most."""
    if per_second:
        return [(number / per_second, one) for number, one in enumerate(plan.requests)]
    due, last, found = 0.0, 0.0, []
    for one in plan.requests:
        due += min(one.at - last, _LONGEST_GAP) / speed
        last = one.at
        found.append((due, one))
    return found


async def _send(client: httpx2.AsyncClient, base: str, request: Planned, *, keep_host: bool) -> Sent:
    host = [("host", request.authority if keep_host else urlsplit(base).netloc)]
    began, status, error = time.perf_counter(), 0, ""
    try:
        answer = await client.request(
            request.method,
            base.rstrip("/") + request.path,
            headers=[*host, *request.headers],
            content=request.body or None,
        )
        status = answer.status_code
    except httpx2.TimeoutException:
        error = "no answer in time"
    except (httpx2.HTTPError, httpx2.InvalidURL) as wrong:
        error = str(wrong).lower() or type(wrong).__name__
    return Sent(
        method=request.method,
        path=request.path,
        recorded_status=request.status,
        status=status,
        recorded=request.duration,
        took=(time.perf_counter() - began) * 1000,
        error=error,
    )
