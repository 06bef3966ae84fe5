"""`weft demo`: start a mesh with the shop, prove what it does, and say so with figures."""

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from weft.demo.calls import caller
from weft.demo.mesh import DemoMesh
from weft.demo.processes import Failed
from weft.demo.proofs import PROOFS, Shown, Stage
from weft.demo.shop import HTTP_PORT, rules


def run_demo(*, once: bool, keep: bool = False) -> int:
    """Run the demo and return its exit code: 0 when everything was proved, 1 with the reason on stderr when not.

    ``once`` ends after the proof; otherwise the shop keeps running until Ctrl-C. ``keep`` leaves the logs behind.
    """
    talk = Console(stderr=True, highlight=False)
    directory = Path(tempfile.mkdtemp(prefix="weft-demo-"))
    mesh = DemoMesh(directory)
    with mesh.interrupts.handled():
        return _run(mesh, talk, once=once, keep=keep)


def _run(mesh: DemoMesh, talk: Console, *, once: bool, keep: bool) -> int:
    try:
        _prove(mesh, talk)
        if not once:
            _stay(mesh, talk)
    except Failed as failure:
        talk.print(f"[red]error:[/] {failure}", markup=True, soft_wrap=True)
        talk.print(f"help: the logs are in {mesh.directory}", soft_wrap=True)
        keep = True
        return 1
    except KeyboardInterrupt:
        return 0 if not once else 130
    finally:
        mesh.stop()
        if not keep:
            shutil.rmtree(mesh.directory, ignore_errors=True)
    return 0


def _prove(mesh: DemoMesh, talk: Console) -> None:
    """Start everything, then show one proof after the other."""
    began = time.monotonic()
    shown: list[Shown] = []
    with _step(talk, "control plane started"):
        mesh.start_control_plane()
    with _step(talk, "the shop and its sidecars started"):
        mesh.start_workloads()
        mesh.wait_ready()
    with caller(mesh.addresses()["proxy"]) as visitor:
        stage = Stage(mesh=mesh, visitor=visitor)
        for proof in PROOFS:
            first_line = (proof.__doc__ or proof.__name__).splitlines()[0]
            with _step(talk, first_line):
                shown.append(proof(stage))
    _summary(shown, time.monotonic() - began)


def _summary(shown: list[Shown], seconds: float) -> None:
    out = Console(highlight=False, soft_wrap=True)
    out.print(f"\n[bold]proved in {seconds:.0f} s, with real requests through real sidecars[/]")
    for proof in shown:
        out.print(f"  [green]✓[/] {proof.claim}: {proof.figures}")


def _stay(mesh: DemoMesh, talk: Console) -> None:
    """Say what to try next and wait for Ctrl-C."""
    out = Console(highlight=False, soft_wrap=True)
    settings = " ".join(f"{name}={value}" for name, value in mesh.environment.items() if value)
    out.print("\n[bold]try next[/], in another terminal:")
    out.print(f"  export {settings}")
    out.print("  weft proxy status")
    out.print(f"  weft explain visitor GET http://reviews:{HTTP_PORT}/reviews/1")
    out.print(f"  weft delete -f {rules('canary')}")
    page = f"http://127.0.0.1:{mesh.app_ports['web-1']}/"
    out.print(f"\nthe shop is at {page}; Ctrl-C ends it all")
    sys.stdout.flush()
    while True:
        for process in (*mesh.workloads.values(), mesh.control_plane):
            if process is not None and process.ended() is not None:
                raise Failed(f"{process.name} ended with code {process.ended()}:\n{process.last_lines()}")
        time.sleep(1)


@contextmanager
def _step(talk: Console, what: str) -> Iterator[None]:
    """Show a step with its time; on a terminal with a spinner."""
    began = time.monotonic()
    with talk.status(what) if talk.is_terminal else _nothing():
        yield
    talk.print(f"  {time.monotonic() - began:5.1f} s  {what}", soft_wrap=True)


@contextmanager
def _nothing() -> Iterator[None]:
    yield
