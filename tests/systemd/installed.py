"""weft inside a machine, as `pip install` in a virtual environment leaves it: below /opt, which every user may read."""

import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from tests.systemd.machine import Machine

WEFT = "/opt/weft/bin/weft"
_SOURCE = Path(__file__).parents[2] / "src"
_PYTHON = "/opt/python"
BINDS: Mapping[Path, str] = {
    _SOURCE: "/opt/weft-source",
    Path(sysconfig.get_path("purelib")): "/opt/weft-packages",
    Path(sys.base_prefix): _PYTHON,
}


def install(machine: Machine) -> None:
    """An environment of the same Python, with what this one has."""
    site = f"/opt/weft/lib/python3.{sys.version_info.minor}/site-packages"
    for directory in ("/opt/weft/bin", site):
        machine.file(directory).mkdir(parents=True)
    base = Path(_PYTHON) / "bin" / f"python3.{sys.version_info.minor}"
    machine.file("/opt/weft/pyvenv.cfg").write_text(f"home = {base.parent}\ninclude-system-site-packages = false\n")
    machine.file("/opt/weft/bin/python").symlink_to(base)
    machine.file(f"{site}/weft.pth").write_text("/opt/weft-source\n/opt/weft-packages\n")
    machine.file("/etc/ld.so.conf.d/00-python.conf").write_text(f"{_PYTHON}/lib\n")
    machine.run("ldconfig")  # such a Python may be a library, and that where its builder put it
    script = machine.file(WEFT)
    script.write_text("#!/opt/weft/bin/python\nfrom weft.cli.main import main\n\nmain()\n")
    script.chmod(0o755)


def weft(machine: Machine, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
    """The command, as root of the machine."""
    return machine.run(WEFT, *arguments, check=check)
