"""What the control plane says before Envoy is started: worker threads, and changes of the bootstrap.

A control plane that is away or older than the question changes nothing: Envoy is started as the agent would alone.
"""

import asyncio
import os
from pathlib import Path

import msgspec
from msgspec.structs import replace

from weft.agent.http import HttpClient, Unanswered
from weft.agent.say import say
from weft.kit.envoy_binary import EnvoyBinary
from weft.kit.files import write_whole
from weft.kit.value import Value

_VALIDATION = 20.0
_NOT_FOUND = 404


class Beginning(Value):
    """The bootstrap to start with, and the worker threads, ``None`` where nothing is said of them."""

    bootstrap: bytes
    concurrency: int | None = None
    answered: bool = True


class _Told(Value):
    concurrency: int | None = None
    bootstrap: str | None = None
    left_out: tuple[str, ...] = ()
    answered: bool = True


async def beginning(
    client: HttpClient, own: bytes, binary: EnvoyBinary, directory: Path, patience: float | None = None
) -> Beginning:
    """Ask, for at most ``patience`` seconds; a bootstrap that Envoy does not take is left, and the agent's own used."""
    try:
        async with asyncio.timeout(patience):
            told = await _ask(client, own)
    except TimeoutError:
        told = _Told(answered=False)
    for one in told.left_out:
        say(f"a change of the bootstrap is left out: {one}")
    if told.bootstrap is None:
        return Beginning(bootstrap=own, concurrency=told.concurrency, answered=told.answered)
    changed = told.bootstrap.encode()
    refusal = await _refusal(binary, changed, directory / "bootstrap.next.json")
    if refusal:
        say(f"the bootstrap that documents change is refused by envoy, so they are left out: {refusal}")
        return Beginning(bootstrap=own, concurrency=told.concurrency)
    say("the bootstrap was changed by documents; other changes of them hold from the next start on")
    return Beginning(bootstrap=changed, concurrency=told.concurrency)


def workers(said: int | None, otherwise: int) -> int:
    """Worker threads as Envoy is told of them; 0 is one for each CPU."""
    return (otherwise if said is None else said) or os.cpu_count() or 1


async def _ask(client: HttpClient, own: bytes) -> _Told:
    node = msgspec.json.decode(own)["node"]
    asked = {"node_id": node["id"], "metadata": node["metadata"]["weft"], "bootstrap": own.decode()}
    try:
        answer = await client.request("POST", "/v1/start", msgspec.json.encode(asked))
        if answer.status == 200:
            return replace(msgspec.json.decode(answer.body, type=_Told), answered=True)
        if answer.status != _NOT_FOUND:
            say(f"the control plane does not say how to start envoy: {answer.reason}")
    except (Unanswered, msgspec.MsgspecError) as away:
        say(f"the control plane does not say how to start envoy ({away}); it is started as usual")
        return _Told(answered=False)
    return _Told()


async def _refusal(binary: EnvoyBinary, bootstrap: bytes, file: Path) -> str:
    """Why Envoy does not take a bootstrap; "" if it does."""
    write_whole(file, bootstrap)
    command = (str(binary.path), "--mode", "validate", "--config-path", str(file), "--log-level", "critical")
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(_VALIDATION):
            _, said = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return "it takes too long to read it"
    lines = said.decode(errors="replace").strip().splitlines()
    return "" if process.returncode == 0 else (lines[-1] if lines else "no reason is given")[:300]
