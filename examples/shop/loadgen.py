"""Sends the shop a steady load and says how it went: an open loop over HTTP, gRPC and TCP.

    python loadgen.py --http http://127.0.0.1:9080/ --http-rate 50 --duration 30 --out requests.jsonl

Requests leave when the schedule says so, not when the one before has been answered, and latency counts
from that moment: a server that stalls is seen to stall. Every request has an id, which is its
x-request-id, its idempotency key at the orders and its key in the ledger. stdout gets one JSON summary,
--out one JSON line a request. HTTP_PROXY is honoured. Ends after --duration or --count, or at SIGTERM.
"""

import argparse
import asyncio
import itertools
import json
import math
import random
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, nullcontext, suppress
from pathlib import Path

import grpc
import grpc.aio
import httpx2
import orders_pb2 as pb
from outgoing import http_client
from process import stop_on_signals
from tally import Answer, Report
from tracing import new_traceparent

Send = Callable[[str, str], Awaitable[Answer]]  # the request's id and its target; the caller limits the time


def http_sender(client: httpx2.AsyncClient, headers: dict[str, str]) -> Send:
    async def send(request_id: str, url: str) -> Answer:
        own = {"x-request-id": request_id, "traceparent": new_traceparent()}
        answer = await client.get(url, headers=own | headers)
        by, via = answer.headers.get("x-served-by", ""), answer.headers.get("x-served-via", "")
        outcome = "ok" if answer.status_code < 400 else "error"
        detail = answer.headers.get("x-degraded", "")
        return Answer(outcome=outcome, status=str(answer.status_code), served_by=by, served_via=via, detail=detail)

    return send


def grpc_sender(channels: dict[str, grpc.aio.Channel], headers: dict[str, str]) -> Send:
    methods = {
        target: channel.unary_unary(
            "/shop.Orders/PlaceOrder", pb.PlaceOrderRequest.SerializeToString, pb.Order.FromString
        )
        for target, channel in channels.items()
    }

    async def send(request_id: str, target: str) -> Answer:
        wanted = pb.PlaceOrderRequest(
            customer="loadgen", product_id=1, quantity=1, unit_price_cents=100, idempotency_key=request_id
        )
        own = {"x-request-id": request_id, "traceparent": new_traceparent()}
        call = methods[target](wanted, metadata=tuple((own | headers).items()))
        try:
            await call
        except grpc.aio.AioRpcError as error:
            return Answer(outcome="error", status=error.code().name, detail=error.details() or "")
        metadata = dict(await call.initial_metadata() or ())
        return Answer(outcome="ok", status="OK", served_by=str(metadata.get("x-served-by", "")))

    return send


class Tcp:
    """Keeps connections to the ledgers and sends one line over each at a time."""

    def __init__(self) -> None:
        self._idle: dict[str, list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]] = {}

    async def send(self, request_id: str, target: str) -> Answer:
        idle = self._idle.setdefault(target, [])
        host, _, port = target.rpartition(":")
        reader, writer = idle.pop() if idle else await asyncio.open_connection(host, int(port))
        try:
            writer.write(f"APPEND {request_id} receivables sales 100 loadgen\n".encode())
            line = (await reader.readuntil()).decode().strip()
        except BaseException:  # a time limit too: what comes over this connection now answers nobody
            writer.close()
            raise
        idle.append((reader, writer))
        return Answer(outcome="ok" if line.startswith("OK") else "error", status=line.split()[0], detail=line)

    def close(self) -> None:
        for _, writer in itertools.chain.from_iterable(self._idle.values()):
            writer.close()


def rate_at(seconds: float, options: argparse.Namespace, rate: float) -> float:
    """The rate at this moment. A day starts at midnight with a tenth of it, and has all of it at noon."""
    if options.curve == "flat":
        return rate
    return rate * (0.55 - 0.45 * math.cos(2 * math.pi * seconds / options.day))


class Load:
    """The schedule: who is sent what and when, and how many may be under way at once."""

    def __init__(self, options: argparse.Namespace, report: Report) -> None:
        self.options, self.report = options, report
        self.began, self._left = time.monotonic(), options.count
        self._random, self._under_way = random.Random(options.seed), set[asyncio.Task[None]]()
        self._stopping = asyncio.Event()
        stop_on_signals(self._stopping.set)

    async def run(self, protocol: str, targets: list[str], rate: float, send: Send) -> None:
        """Send until the time or the count is used up; the targets take turns."""
        due, turns = 0.0, itertools.cycle(targets)
        end = self.options.duration - 1e-6  # sums of fractions are not exact
        while due < end and not await self._stopped_before(due) and self._left > 0:
            self._left -= 1
            self._start(protocol, next(turns), self.began + due, send)
            now = rate_at(due, self.options, rate)
            due += self._random.expovariate(now) if self.options.arrivals == "poisson" else 1 / now

    async def _stopped_before(self, due: float) -> bool:
        wait = self.began + due - time.monotonic()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), max(wait, 0))
        if wait <= 0:
            await asyncio.sleep(0)  # late already: what is under way must still get its turn
        return self._stopping.is_set()

    def _start(self, protocol: str, target: str, due: float, send: Send) -> None:
        request_id = str(uuid.uuid4())
        if len(self._under_way) >= self.options.max_under_way:
            self.report.add(request_id, protocol, target, time.time(), 0.0, Answer(outcome="shed"))
            return
        task = asyncio.create_task(self._one(request_id, protocol, target, due, send))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _one(self, request_id: str, protocol: str, target: str, due: float, send: Send) -> None:
        started = time.time() - (time.monotonic() - due)
        try:
            async with asyncio.timeout(self.options.timeout):
                answer = await send(request_id, target)
        except TimeoutError:
            answer = Answer(outcome="timeout")
        except (OSError, EOFError, httpx2.HTTPError) as error:
            answer = Answer(outcome="broken", detail=f"{type(error).__name__}: {error}")
        self.report.add(request_id, protocol, target, started, (time.monotonic() - due) * 1000, answer)

    async def finish(self) -> None:
        """Wait for what is under way; each request has its own time limit."""
        await asyncio.gather(*self._under_way)


async def generate(options: argparse.Namespace, report: Report) -> float:
    """Send the whole load; how many seconds that took."""
    headers = dict(header.split("=", 1) for header in options.header)
    async with AsyncExitStack() as opened:
        client = await opened.enter_async_context(http_client())
        direct = (("grpc.enable_http_proxy", 0),)
        channels = {
            target: await opened.enter_async_context(grpc.aio.insecure_channel(target, options=direct))
            for target in options.grpc
        }
        tcp = Tcp()
        opened.callback(tcp.close)
        load = Load(options, report)
        await asyncio.gather(
            *(
                load.run(protocol, targets, rate, send)
                for protocol, targets, rate, send in (
                    ("http", options.http, options.http_rate, http_sender(client, headers)),
                    ("grpc", options.grpc, options.grpc_rate, grpc_sender(channels, headers)),
                    ("tcp", options.tcp, options.tcp_rate, tcp.send),
                )
                if targets
            )
        )
        await load.finish()
        return time.monotonic() - load.began


def above_zero(text: str) -> float:
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not above zero")
    return number


def name_and_value(text: str) -> str:
    if not text.partition("=")[1]:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return text


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    for protocol, place in (("http", "URL"), ("grpc", "HOST:PORT"), ("tcp", "HOST:PORT")):
        add(f"--{protocol}", action="append", default=[], metavar=place, help="may be given several times")
        add(f"--{protocol}-rate", type=above_zero, default=10.0, metavar="N", help="requests a second (10)")
    add("--duration", type=above_zero, default=10.0, metavar="SECONDS", help="stop sending after so long (10)")
    add("--count", type=int, default=100_000, metavar="N", help="stop after so many requests (100000)")
    add("--timeout", type=above_zero, default=10.0, metavar="SECONDS", help="for each request (10)")
    add("--max-under-way", type=int, default=500, metavar="N", help="further requests are shed (500)")
    add("--curve", choices=("flat", "day"), default="flat", help="day: a tenth of the rate at night, all at noon")
    add("--day", type=above_zero, default=60.0, metavar="SECONDS", help="how long a day is (60)")
    add("--arrivals", choices=("even", "poisson"), default="even")
    add("--seed", type=int, default=None, help="for poisson arrivals that can be repeated")
    add("--header", type=name_and_value, action="append", default=[], metavar="NAME=VALUE", help="for http and grpc")
    add("--out", metavar="FILE", help="append a JSON line a request")
    options = parser.parse_args(arguments)
    if not (options.http or options.grpc or options.tcp):
        parser.error("nothing to send to: give --http, --grpc or --tcp")
    return options


def main() -> None:
    options = parse(sys.argv[1:])
    try:
        out = Path(options.out).open("a", buffering=1, encoding="utf-8") if options.out else None  # noqa: SIM115 -- below
    except OSError as error:
        sys.exit(f"error: cannot write {options.out}: {error.strerror}\nhelp: give --out a file that can be written")
    with out or nullcontext():
        report = Report(out)
        seconds = asyncio.run(generate(options, report))
    print(json.dumps(report.summary(seconds)))


if __name__ == "__main__":
    main()
