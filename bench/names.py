"""What a workload's resolver takes for a name of the mesh, at a thousand questions a second."""

import random
import select
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from bench.figure import Figure, Target, number
from bench.harness import Effort
from weft.agent.dns import message
from weft.demo.processes import free_port

NAME = "names"
TITLE = "Names, answered beside the workload"
RATE, SERVICES, MOST = 1_000, 1_000, 2.0
_SERVER = """
import asyncio, json, random, sys
from weft.agent.dns.answering import Answering
from weft.agent.dns.forwarding import Forwarder
from weft.agent.dns.server import Resolver, serve
from weft.agent.dns.table import NameTable
hosts = [
    {"host": f"s{at}.shop.svc.cluster.local", "addresses": [f"240.241.{at // 250}.{at % 250 + 1}"]}
    for at in range(int(sys.argv[2]))
]
answering = Answering()
answering.use(NameTable(json.dumps({"namespace": "shop", "suffix": "svc.cluster.local", "hosts": hosts}).encode()))
asyncio.run(serve(Resolver(answering, Forwarder((), random.Random())), ("127.0.0.1",), int(sys.argv[1])))
"""


def measure(effort: Effort) -> Figure:
    """Milliseconds from question to answer, and microseconds of CPU that the resolver spends on one."""
    rounds = []
    with _resolver() as (port, process):
        for _ in range(effort.rounds):
            before = process.cpu_times()
            times = sorted(_asked(port, max(1, round(effort.seconds * RATE))))
            after = process.cpu_times()
            spent = after.user + after.system - before.user - before.system
            rounds.append((_at(times, 0.5), _at(times, 0.99), spent / len(times) * 1e6))
    half, most, spent = (statistics.median(found) for found in zip(*rounds, strict=True))
    rows = ((f"{RATE:,} a second, {SERVICES:,} services", number(half, "ms"), number(most, "ms"), number(spent, "us")),)
    what = f"p99 of {RATE:,} questions a second"
    target = Target(what=what, measured=most, limit=MOST, unit="ms")
    columns = ("questions", "p50", "p99", "CPU for each")
    samples = {"p99": [one[1] for one in rounds]}
    return Figure(name=NAME, title=TITLE, columns=columns, rows=rows, targets=(target,), samples=samples)


@contextmanager
def _resolver() -> Iterator[tuple[int, psutil.Process]]:
    port = free_port()
    with subprocess.Popen([sys.executable, "-c", _SERVER, str(port), str(SERVICES)]) as process:
        try:
            _until_answering(port)
            yield port, psutil.Process(process.pid)
        finally:
            process.kill()


def _until_answering(port: int) -> None:
    for _ in range(100):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)


def _asked(port: int, questions: int) -> Iterator[float]:
    """Ask at the rate, whatever comes back, and tell how many milliseconds each answer took."""
    names = [message.query_for(f"s{at}.shop.svc.cluster.local", message.A) for at in range(SERVICES)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.connect(("127.0.0.1", port))
        sent: dict[int, float] = {}
        began, at = time.perf_counter(), 0
        while at < questions or sent:
            due = began + at / RATE if at < questions else began + questions / RATE + 1
            readable, _, _ = select.select([asking], [], [], max(0.0, due - time.perf_counter()))
            if readable:
                yield (time.perf_counter() - sent.pop(int.from_bytes(asking.recv(2048)[:2]))) * 1e3
            elif at >= questions:
                return
            else:
                query = random.choice(names)
                sent[at % 65_536] = time.perf_counter()
                asking.send((at % 65_536).to_bytes(2) + query[2:])
                at += 1


def _at(times: list[float], share: float) -> float:
    return times[int(len(times) * share)]
