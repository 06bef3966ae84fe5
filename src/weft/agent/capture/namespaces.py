"""A network of one's own without rights on the host: a user namespace, in which its maker may do everything, and in it
a network namespace.

Sources: user_namespaces(7), network_namespaces(7), capabilities(7), rtnetlink(7).
"""

import ctypes
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

from weft.agent.capture.inside import OWN

_NEWUSER, _NEWNET = 0x10000000, 0x40000000
_NET_ADMIN = 12
_CAPABILITIES = 0x20080522
_PR_CAP_AMBIENT, _RAISE = 47, 2
_SIOCSIFFLAGS, _UP = 0x8914, 1
_NEWADDR, _NEWROUTE, _NEW, _ACK = 20, 24, 0x600, 4
_LOCAL, _DEFAULT, _UNICAST, _HERE = 2, 254, 1, 2
_DST, _OIF, _PREFSRC = 1, 4, 7
_STATIC = 4
_libc = ctypes.CDLL(None, use_errno=True)


def leave() -> None:
    """Move this process, which must have one thread, into a new network that is its own. Raises ``OSError``.

    The user is who it was; no other user is known there.
    """
    user, group = os.geteuid(), os.getegid()
    _checked(_libc.unshare(_NEWUSER | _NEWNET))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    _loopback_up()


def join(user: int, network: int) -> None:
    """Move this process into namespaces of the same user that open files stand for. Raises ``OSError``."""
    _checked(_libc.setns(user, _NEWUSER))
    _checked(_libc.setns(network, _NEWNET))


def furnish(addresses: tuple[str, ...]) -> bool:
    """Give the network addresses, and ways to everywhere; whether it has IPv6. Raises ``OSError``."""
    four, other = OWN
    _address(four)
    _route(socket.AF_INET, _UNICAST, four)
    try:
        _address(other)
        _route(socket.AF_INET6, _HERE, other)
    except OSError:
        six = False
    else:
        six = True
    for one in addresses:
        if six or ":" not in one:
            _address(one)
    return six


def keep_rights() -> None:
    """Have programs that this process starts hold ``CAP_NET_ADMIN``, too. Raises ``OSError``."""
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITIES, 0))
    data = (ctypes.c_uint32 * 6)()
    _checked(_libc.capget(header, data))
    data[2] |= 1 << _NET_ADMIN
    _checked(_libc.capset(header, data))
    _checked(_libc.prctl(_PR_CAP_AMBIENT, _RAISE, _NET_ADMIN, 0, 0))


def refusal() -> str:
    """Why this user cannot have a network of its own; "" if it can. It is tried, by a process of its own.

    ``python -m weft.agent.capture.namespaces`` prints it.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        _try(writing)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


def _try(writing: int) -> None:
    """In a child, which ends."""
    try:
        leave()
    except OSError as refused:
        os.write(writing, (refused.strerror or str(refused)).lower().encode())
    finally:
        os._exit(0)


def _checked(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _loopback_up() -> None:
    """What needs rights in the new namespace: some hosts let it be made, and give none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        fcntl.ioctl(asked, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _UP))


def _address(address: str) -> None:
    """One address of loopback, as far as the whole world."""
    six = ":" in address
    family = socket.AF_INET6 if six else socket.AF_INET
    packed = socket.inet_pton(family, address)
    no_duplicates = 0x02 if six else 0
    told = struct.pack("=BBBBi", family, len(packed) * 8, no_duplicates, 0, _index())
    _ask(_NEWADDR, told + _attribute(_LOCAL, packed) + _attribute(_DST, packed))


def _route(family: int, kind: int, source: str) -> None:
    """Everything is sent over loopback. Of IPv6 the kernel takes that only where everything is local."""
    told = struct.pack("=BBBBBBBBI", family, 0, 0, 0, _DEFAULT, _STATIC, 0, kind, 0)
    out = _attribute(_OIF, struct.pack("=i", _index()))
    _ask(_NEWROUTE, told + out + _attribute(_PREFSRC, socket.inet_pton(family, source)))


def _index() -> int:
    return socket.if_nametoindex("lo")


def _attribute(kind: int, value: bytes) -> bytes:
    size = 4 + len(value)
    return struct.pack("=HH", size, kind) + value + b"\0" * (-size % 4)


def _ask(kind: int, body: bytes) -> None:
    """One request to the kernel's routing. Raises ``OSError``."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernel:
        kernel.send(struct.pack("=IHHII", 16 + len(body), kind, _NEW | 1 | _ACK, 1, 0) + body)
        answer = kernel.recv(4096)
    (code,) = struct.unpack_from("=i", answer, 16)
    if code:
        raise OSError(-code, os.strerror(-code))


if __name__ == "__main__":
    sys.stdout.write(refusal())
