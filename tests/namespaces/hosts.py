"""Hosts with addresses of their own: network namespaces that a test makes, joined by a switch, and gone after it.

Nothing outside of them is touched. Sockets are made by threads that are inside, so that one test process is everywhere.
"""

import contextlib
import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CAPTURED = 7
"""The mark of connections that rules of tests turn to a sidecar."""

_NETWORK = 0x40000000
_SO_MARK = 36
_libc = ctypes.CDLL(None, use_errno=True)


class Host:
    """One namespace; ``address`` and ``address6`` are its own."""

    def __init__(self, name: str, number: int) -> None:
        self.namespace = f"weft-{os.getpid()}-{name}"
        self.address, self.address6 = f"10.123.0.{number}", f"fd12:3::{number}"
        self._inside = ThreadPoolExecutor(4, initializer=self._enter)

    def _enter(self) -> None:
        with Path(f"/run/netns/{self.namespace}").open() as namespace:
            if _libc.setns(namespace.fileno(), _NETWORK):
                raise OSError(ctypes.get_errno(), "setns")

    def do(self, function: Callable, *arguments: object, **named: object):
        """What a function gives in the namespace."""
        return self._inside.submit(function, *arguments, **named).result(60)

    def run(self, *command: str, stdin: str = "") -> str:
        """The output of a program in the namespace."""
        return run("ip", "netns", "exec", self.namespace, *command, stdin=stdin)

    def redirect(self, rules: str) -> None:
        """Rules of nftables, in the namespace alone."""
        self.run("nft", "-f", "-", stdin=rules)

    def connect(self, address: str, port: int, timeout: float = 10) -> socket.socket:
        """A connection from the namespace, marked as one of what is to be captured."""
        return self.do(_connected, address, port, timeout)

    def listen(self, address: str, port: int) -> socket.socket:
        """A listening socket in the namespace."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return self.do(socket.create_server, (address, port), family=family)

    @contextlib.contextmanager
    def serving(self, address: str, port: int, answer: Callable[[socket.socket], None]) -> Iterator[None]:
        """A server in the namespace: ``answer`` is called with each connection, in a thread of its own."""
        listener = self.listen(address, port)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=_answered, args=(answer, connection), daemon=True).start()

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join()

    def close(self) -> None:
        """End the threads."""
        self._inside.shutdown()


def _connected(address: str, port: int, timeout: float) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    made.settimeout(timeout)
    made.setsockopt(socket.SOL_SOCKET, _SO_MARK, CAPTURED)
    made.connect((address, port))
    return made


def _answered(answer: Callable[[socket.socket], None], connection: socket.socket) -> None:
    with connection, contextlib.suppress(OSError):
        connection.settimeout(30)
        answer(connection)


def run(*command: str, stdin: str = "") -> str:
    """The output of a program; fails with what it said."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


@contextlib.contextmanager
def hosts(*names: str) -> Iterator[Mapping[str, Host]]:
    """Hosts on one network, for the block."""
    found = {name: Host(name, 10 + number) for number, name in enumerate(names)}
    switch = f"weft-{os.getpid()}-switch"
    with contextlib.ExitStack() as made:
        _namespace(made, switch)
        run("ip", "-n", switch, "link", "add", "bridge0", "type", "bridge")
        run("ip", "-n", switch, "link", "set", "bridge0", "up")
        for number, host in enumerate(found.values()):
            _namespace(made, host.namespace)
            made.callback(host.close)
            _join(host, switch, number)
        yield found


def _namespace(made: contextlib.ExitStack, name: str) -> None:
    run("ip", "netns", "add", name)
    made.callback(run, "ip", "netns", "delete", name)
    run("ip", "-n", name, "link", "set", "lo", "up")


def _join(host: Host, switch: str, number: int) -> None:
    inside = ("ip", "-n", host.namespace)
    peer = ("peer", "name", f"port{number}", "netns", switch)
    run(*inside, "link", "add", "eth0", "type", "veth", *peer)
    run("ip", "-n", switch, "link", "set", f"port{number}", "master", "bridge0", "up")
    run(*inside, "link", "set", "eth0", "up")
    run(*inside, "address", "add", f"{host.address}/24", "dev", "eth0")
    run(*inside, "address", "add", f"{host.address6}/64", "dev", "eth0", "nodad")
    run(*inside, "address", "add", "::6/128", "dev", "lo", "nodad")
    run(*inside, "route", "add", "default", "via", f"{host.address.rpartition('.')[0]}.1")
    run("ip", "-n", host.namespace, "-6", "route", "add", "default", "via", "fd12:3::1")
