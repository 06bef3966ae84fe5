import asyncio
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.examples.shop import SHOP, Running, environment, recorder, tell_ledger

pytestmark = pytest.mark.slow

LOADGEN = [sys.executable, str(SHOP / "loadgen.py")]


def generate(*arguments: str, **values: str) -> Any:
    """The summary of one run."""
    done = subprocess.run(
        [*LOADGEN, *arguments], env=environment(**values), capture_output=True, text=True, timeout=40, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_every_request_over_each_protocol_is_in_the_summary_in_the_file_and_where_it_was_sent(
    catalog: Running, orders: Running, ledger: Running, tmp_path: Path
) -> None:
    out = tmp_path / "requests.jsonl"
    where = ["--http", f"{catalog.url}/products", "--grpc", orders.address, "--tcp", ledger.address]
    rates = ["--http-rate", "40", "--grpc-rate", "30", "--tcp-rate", "20", "--duration", "1", "--out", str(out)]
    summary = generate(*where, *rates)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    counts = {name: tally["requests"] for name, tally in summary["protocols"].items()}
    assert counts == {"http": 40, "grpc": 30, "tcp": 20}
    assert summary["outcomes"] == {"ok": 90}
    assert len({line["id"] for line in lines}) == len(lines) == 90
    assert {line["served_by"] for line in lines if line["protocol"] == "grpc"} == {"orders-v7-one"}
    assert asyncio.run(tell_ledger(ledger.address, "CHECK", "SUM sales")) == ["OK 20 0", "OK -2000"]
    latency = summary["latency_ms"]
    assert 0 < latency["p50"] <= latency["p99"] <= latency["max"]
    assert sum(latency["histogram"].values()) == 90


def test_requests_leave_on_time_while_the_server_stalls_and_the_stall_is_measured(
    catalog: Running, client: httpx2.Client
) -> None:
    client.post(f"{catalog.url}/knobs", json={"delay_ms": 400})
    try:
        summary = generate("--http", f"{catalog.url}/products", "--http-rate", "50", "--duration", "0.5")
    finally:
        client.delete(f"{catalog.url}/knobs")
    assert summary["requests"] == 25  # one after the other there would have been two
    assert summary["latency_ms"]["p50"] >= 400


def test_what_goes_wrong_is_counted_as_what_it_is(catalog: Running, client: httpx2.Client) -> None:
    few = ["--http", f"{catalog.url}/products", "--http-rate", "40", "--duration", "0.2"]
    client.post(f"{catalog.url}/knobs", json={"delay_ms": 2000, "fail_next": 1000})
    try:
        lost = generate(*few, "--timeout", "1.5", "--tcp", "127.0.0.1:1", "--grpc", "127.0.0.1:1")
        errors = generate(*few, "--max-under-way", "3")
    finally:
        client.delete(f"{catalog.url}/knobs")
    outcomes = {name: tally["outcomes"] for name, tally in lost["protocols"].items()}
    assert outcomes == {"http": {"timeout": 8}, "tcp": {"broken": 2}, "grpc": {"error": 2}}
    assert lost["protocols"]["grpc"]["statuses"] == {"UNAVAILABLE": 2}
    assert errors["outcomes"] == {"error": 3, "shed": 5}
    assert errors["statuses"] == {"503": 3}


def test_the_night_is_quieter_than_noon(tmp_path: Path) -> None:
    out = tmp_path / "requests.jsonl"
    with recorder(b"{}") as (url, _):
        day = ["--curve", "day", "--day", "0.9", "--duration", "0.9", "--out", str(out)]
        generate("--http", url, "--http-rate", "250", *day)
    at = [json.loads(line)["at"] for line in out.read_text().splitlines()]
    night = sum(1 for moment in at if moment - at[0] < 0.15)
    noon = sum(1 for moment in at if 0.375 <= moment - at[0] < 0.525)
    assert noon > 3 * night > 0


def test_the_count_ends_a_run_and_headers_and_the_proxy_are_used() -> None:
    with recorder(b"{}") as (proxy, seen):
        arguments = ["--http", "http://web:9080/a", "--http", "http://web:9080/b", "--http-rate", "100"]
        summary = generate(*arguments, "--count", "7", "--header", "end-user=ada", HTTP_PROXY=proxy, NO_PROXY="*")
    assert summary["requests"] == 7
    assert sorted(request.target for request in seen) == ["http://web:9080/a"] * 4 + ["http://web:9080/b"] * 3
    assert {request.headers["end-user"] for request in seen} == {"ada"}
    assert len({request.headers["x-request-id"] for request in seen}) == 7
    assert len({request.headers["traceparent"] for request in seen}) == 7


def test_sigterm_ends_a_run_early_with_its_summary(catalog: Running, tmp_path: Path) -> None:
    out = tmp_path / "requests.jsonl"
    arguments = ["--http", f"{catalog.url}/products", "--http-rate", "50", "--duration", "60", "--out", str(out)]
    with subprocess.Popen([*LOADGEN, *arguments], env=environment(), stdout=subprocess.PIPE, text=True) as running:
        until = time.monotonic() + 20
        while time.monotonic() < until and not (out.exists() and out.stat().st_size):
            time.sleep(0.02)
        running.send_signal(signal.SIGTERM)
        summary = json.loads(running.communicate(timeout=20)[0])
    assert running.returncode == 0
    assert summary["seconds"] < 20
    assert summary["outcomes"]["ok"] == summary["requests"] == len(out.read_text().splitlines())


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "nothing to send to"),
        (["--http", "http://127.0.0.1:1/", "--http-rate", "0"], "0 is not above zero"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_with_the_reason(arguments: list[str], reason: str) -> None:
    done = subprocess.run([*LOADGEN, *arguments], env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert reason in done.stderr


def test_a_file_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    arguments = ["--http", "http://127.0.0.1:1/", "--out", str(tmp_path)]
    done = subprocess.run([*LOADGEN, *arguments], env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: cannot write {tmp_path}: Is a directory\nhelp: ")
