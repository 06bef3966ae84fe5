"""systemd's units for a mesh's hosts, as texts: hardened, told when they are ready, and watched.

``systemd-analyze security`` judges them in the tests. A control plane needs no privilege at all; a workload needs
CAP_NET_ADMIN for transparent capture alone. Sources: systemd.exec(5), systemd.service(5).
"""

import hashlib
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from weft.kit.value import Value

_MARK = "# Written by weft install systemd. sha256 of what follows: "
_MARKED = re.compile(rf"{re.escape(_MARK)}([0-9a-f]{{64}})\n(.*)", re.DOTALL)
UNITS = Path("etc/systemd/system")
CONTROL_PLANE, TEMPLATE = "weft.service", "weft@.service"

_HARDENED = """\
# Nothing here needs a privilege, a device, the kernel's settings or anybody's home.
UMask=0077
NoNewPrivileges=yes
{capabilities}
ProtectSystem=strict
ProtectHome={home}
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
ProtectProc=invisible
KeyringMode=private
LockPersonality=yes
RemoveIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
"""

_CONTROL_PLANE = """\
[Unit]
Description=weft's control plane
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
NotifyAccess=main
ExecStart={start}
# More options, as WEFT_UP="--api-port 7443".
EnvironmentFile=-/etc/weft/control-plane.env
Environment=WEFT_STATE=%S/weft PYTHONDONTWRITEBYTECODE=1
DynamicUser=yes
StateDirectory=weft
StateDirectoryMode=0700
{credentials}Restart=on-failure
RestartSec=1
TimeoutStartSec=120
TimeoutStopSec=30
WatchdogSec=30
TimeoutAbortSec=5
LimitNOFILE=1048576
{hardened}# No code is made at run time.
MemoryDenyWriteExecute=yes

[Install]
WantedBy=multi-user.target
"""

_SERVICE = """\
[Unit]
Description=%i in weft's mesh
Wants=network-online.target
After=network-online.target {plane}
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
# What `weft run` is told besides, as WEFT_RUN="--port 9080:8080 -- /srv/reviews/serve"; `weft install systemd
# --service` writes a drop-in instead.
EnvironmentFile=-/etc/weft/services/%i.env
ExecStart={start} run --service %i --same-name $WEFT_RUN
Environment=WEFT_STATE=%S/weft-services/%i PYTHONDONTWRITEBYTECODE=1
DynamicUser=yes
StateDirectory=weft-services/%i
StateDirectoryMode=0700
# SIGTERM is for the agent, which drains and then ends what it started; what is left is killed.
KillMode=mixed
Restart=always
RestartSec=1
TimeoutStartSec=120
TimeoutStopSec=60
WatchdogSec=30
TimeoutAbortSec=5
LimitNOFILE=1048576
{hardened}
[Install]
WantedBy=multi-user.target
"""

_INSTANCE = """\
[Service]
{credentials}ExecStart=
ExecStart={start}
"""
_NO_CAPABILITIES = "CapabilityBoundingSet=\nAmbientCapabilities="
_CAPTURE = "CapabilityBoundingSet=CAP_NET_ADMIN\nAmbientCapabilities=CAP_NET_ADMIN"
_CAPTURING = f"""\
{_CAPTURE}
# It tells its application's sockets from others' by a cgroup of its own.
Delegate=yes
ProtectControlGroups=no
# What it has put there is noted until it is undone.
RuntimeDirectory=weft-services/%i
RuntimeDirectoryMode=0700
RuntimeDirectoryPreserve=yes
Environment=WEFT_RUNTIME=%t/weft-services/%i"""
_HOMES = ("/home/", "/root/", "/run/user/")
_CREDENTIALS = {"--token-file": "join-token", "--ca-file": "ca.pem", "--jwt-file": "jwt"}
"""Options whose files the service manager reads for a user that may not, and what they are called then."""


class Unit(Value):
    """A file, by its path below the root."""

    path: Path
    text: str

    @property
    def written(self) -> str:
        """With the mark by which it is known to be as it was written."""
        return f"{_MARK}{_digest(self.text)}\n{self.text}"


def untouched(content: str) -> bool:
    """Whether a file is as it was written."""
    found = _MARKED.fullmatch(content)
    return found is not None and found[1] == _digest(found[2])


def control_plane(weft: Sequence[str], options: Sequence[str], encryption_key: Path | None) -> Unit:
    """The control plane, with options of ``weft up``; its key for secrets is a file that root alone can read."""
    credentials = f"LoadCredential=weft-encryption-key:{quoted(str(encryption_key))}\n" if encryption_key else ""
    start = f"{words((*weft, 'up', '--log-format', 'json', *options))} $WEFT_UP"
    text = _CONTROL_PLANE.format(start=start, credentials=credentials, hardened=_hardened(weft))
    return Unit(path=UNITS / CONTROL_PLANE, text=text)


def template(weft: Sequence[str]) -> Unit:
    """What all workloads of a host have in common."""
    text = _SERVICE.format(start=words(weft), plane=CONTROL_PLANE, hardened=_hardened(weft))
    return Unit(path=UNITS / TEMPLATE, text=text)


def instance(weft: Sequence[str], service: str, options: Sequence[str], *, capture: bool) -> Unit:
    """One workload: what ``weft run`` is told. Files with secrets are read by systemd, so that no user needs to."""
    told, credentials = _with_credentials(options)
    start = f"{words((*weft, 'run', '--service'))} %i --same-name {told}"
    lines = [f"LoadCredential={name}:{quoted(file)}" for name, file in credentials]
    lines += _CAPTURING.splitlines() if capture else []
    text = _INSTANCE.format(credentials="".join(f"{line}\n" for line in lines), start=start)
    return Unit(path=UNITS / f"weft@{service}.service.d" / "run.conf", text=text)


def captures(options: Sequence[str]) -> bool:
    """Whether options of ``weft run`` ask for capture."""
    ours = list(options[: options.index("--")] if "--" in options else options)
    return any(word == "--capture" or word.startswith("--capture=") for word in ours)


def words(command: Sequence[str]) -> str:
    """A command line in systemd's notation."""
    return " ".join(quoted(word) for word in command)


def quoted(word: str) -> str:
    """One word: specifiers and variables mean nothing in it, and it stays one."""
    plain = word.replace("%", "%%").replace("$", "$$")
    if re.fullmatch(r"[A-Za-z0-9_./:=@%$,+-]+", plain):
        return plain
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return '"' + "".join(escapes.get(one, one) for one in plain) + '"'


def _with_credentials(options: Sequence[str]) -> tuple[str, list[tuple[str, str]]]:
    """The options with files replaced by credentials, up to the ``--`` before the command."""
    told: list[str] = []
    credentials: list[tuple[str, str]] = []
    before = True
    waiting = ""
    for word in options:
        before = before and word != "--"
        name, equals, value = word.partition("=")
        if waiting:
            credentials.append((_CREDENTIALS[waiting], str(Path(word).absolute())))
            told.append(f"%d/{_CREDENTIALS[waiting]}")
            waiting = ""
        elif before and equals and name in _CREDENTIALS:
            credentials.append((_CREDENTIALS[name], str(Path(value).absolute())))
            told.append(f"{name}=%d/{_CREDENTIALS[name]}")
        else:
            told.append(quoted(word))
            waiting = word if before and word in _CREDENTIALS else ""
    return " ".join(told), credentials


def _hardened(weft: Sequence[str]) -> str:
    """Homes are closed, unless weft itself is in one."""
    programs = (weft[0], str(Path(weft[0]).resolve()), str(Path(sys.executable).resolve()))
    home = "read-only" if any(one.startswith(_HOMES) for one in programs) else "yes"
    return _HARDENED.format(home=home, capabilities=_NO_CAPABILITIES)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
