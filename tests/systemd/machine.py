"""A machine whose first process is systemd: namespaces over this host's own files, which it cannot change.

What it writes is in memory: an overlay, which outlives the machine's restarts and is gone with the process that holds
it. Of this host it sees files, but no process, network, cgroup or unit.
Needs root, overlayfs and cgroup v2, beside which v1 may be.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

SYSTEMD = Path("/lib/systemd/systemd")
_CGROUPS = (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup"))
_HOLD = """
mount -t tmpfs -o mode=755 tmpfs {place} && cd {place} && mkdir upper work root units && cd / && echo held && exec cat
"""
_BOOT = r"""
set -eu
echo 0 >{cgroup}/cgroup.procs
exec unshare --pid --fork --kill-child=SIGKILL --net --uts --ipc --cgroup --mount sh -euc '
mount -t overlay overlay -o lowerdir=/,upperdir={place}/upper,workdir={place}/work {place}/root
cd {place}/root
{binds}
mount --bind {place}/units etc/systemd/system
mount -t proc proc proc
mount -o bind,ro proc/sys proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for node in null zero full random urandom tty; do touch dev/$node; mount --bind /dev/$node dev/$node; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s /proc/self/fd dev/fd
ip link set lo up
ip link add eth0 type veth peer name cable
ip link set cable up
ip link set eth0 up
ip address add 10.124.0.2/24 dev eth0
ip route add default via 10.124.0.1
hostname {name}
mkdir -p run/old
pivot_root . run/old
umount -l /run/old
mount --make-rshared /
exec env -i container=weft-test PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --unit=multi-user.target --show-status=no --log-target=journal </dev/null
'
"""


def why_not() -> str:
    """Why there can be no such machine here; empty if there can."""
    if os.geteuid() != 0:
        return "not root"
    if not SYSTEMD.exists():
        return "systemd is not installed"
    if shutil.which("unshare") is None:
        return "there is no unshare"
    if "overlay" not in Path("/proc/filesystems").read_text():
        return "the kernel has no overlayfs"
    return "" if _cgroup2() else "no cgroup v2 is mounted"


class Machine:
    """One machine, which can be started more than once."""

    def __init__(self, name: str, place: Path, holder: "subprocess.Popen[str]", binds: Mapping[Path, str]) -> None:
        self.name = name
        self._place = place
        self._holder = holder
        self._binds = binds
        self._booted: subprocess.Popen[bytes] | None = None
        self._first = 0
        found = _cgroup2()
        assert found is not None
        self._cgroup = found / f"weft-{os.getpid()}-{name}"

    def file(self, path: str) -> Path:
        """A file of the machine, seen from here."""
        return Path(f"/proc/{self._first}/root/{path.lstrip('/')}")

    def start(self) -> None:
        """Boot, and wait until systemd says that it is done."""
        self._cgroup.mkdir(exist_ok=True)
        binds = "\n".join(f"mkdir -p .{to} && mount --bind -o ro {source} .{to}" for source, to in self._binds.items())
        script = _BOOT.format(cgroup=self._cgroup, place=self._place, name=self.name, binds=binds)
        entered = ("nsenter", "--target", str(self._holder.pid), "--mount", "sh", "-c", script)
        self._booted = subprocess.Popen(entered, stdin=subprocess.DEVNULL)
        self._first = self._found_first()
        self.run("systemctl", "is-system-running", "--wait", check=False)

    def stop(self) -> None:
        """Shut it down as `poweroff` does; whatever does not end is killed."""
        if self._booted is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._first, signal.SIGRTMIN + 4)
        try:
            self._booted.wait(60)
        finally:
            self._booted.kill()
            self._booted.wait()
            self._booted = None
            _removed(self._cgroup)

    def run(self, *command: str, check: bool = True, timeout: float = 60) -> "subprocess.CompletedProcess[str]":
        """A program inside, as root."""
        inside = ("nsenter", "--target", str(self._first), "--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup")
        done = subprocess.run(
            (*inside, "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", *command),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert not check or done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done

    def _found_first(self) -> int:
        """The process that is systemd, when it answers."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            assert self._booted is not None
            assert self._booted.poll() is None, "the machine did not start"
            for text in (self._cgroup / "cgroup.procs").read_text().split() + _below(self._cgroup / "init.scope"):
                if _is_systemd(Path("/proc") / text):
                    return int(text)
            time.sleep(0.05)
        raise AssertionError("systemd did not answer within 30 s")


@contextlib.contextmanager
def machine(name: str, place: Path, binds: Mapping[Path, str]) -> Iterator[Machine]:
    """A machine that is started, for the block; ``binds`` are directories of this host and where it sees them."""
    place.mkdir(parents=True)
    hold = ("unshare", "--mount", "--propagation", "private", "sh", "-c", _HOLD.format(place=place))
    holder = subprocess.Popen(hold, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    made = Machine(name, place, holder, binds)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        made.start()
        yield made
    finally:
        made.stop()
        holder.communicate(timeout=10)


def _cgroup2() -> Path | None:
    return next((one for one in _CGROUPS if (one / "cgroup.procs").exists()), None)


def _is_systemd(process: Path) -> bool:
    """Whether it is a systemd that can be asked."""
    with contextlib.suppress(OSError):
        return (process / "comm").read_text() == "systemd\n" and (process / "root/run/systemd/private").exists()
    return False


def _below(cgroup: Path) -> list[str]:
    try:
        return (cgroup / "cgroup.procs").read_text().split()
    except OSError:
        return []


def _removed(cgroup: Path) -> None:
    """The cgroup and those below, which are empty when their processes are gone."""
    for one in sorted((path for path in cgroup.rglob("*") if path.is_dir()), reverse=True):
        with contextlib.suppress(OSError):
            one.rmdir()
    with contextlib.suppress(OSError):
        cgroup.rmdir()
