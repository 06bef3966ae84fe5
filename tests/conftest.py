"""What every test may ask for: the Envoy of the environment, free ports; and no process outlives the run."""

import os
import socket
import sys
from collections import Counter
from collections.abc import Callable, Iterator

# Before anything imports grpc: its fork handlers talk on stderr and may deadlock when a test starts a process.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

import hypothesis
import psutil
import pytest
from xdist.scheduler import LoadFileScheduling

from weft.kit.envoy_binary import EnvoyBinary, find_envoy

# What the tests of several packages are made of says what it compared, whoever imports it first.
pytest.register_assert_rewrite(
    "tests.intents.expectation", "tests.intents.live", "tests.intents.minimesh", "tests.intents.rig", "tests.limits.rig"
)

# How many examples a property is tried on; tests state multiples of `settings.default.max_examples`.
# How long an example takes is the machine's affair: no test may fail because somebody else uses it, too.
_UNTIMED = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("quick", max_examples=10, **_UNTIMED)
hypothesis.settings.register_profile("thorough", max_examples=100, **_UNTIMED)
hypothesis.settings.load_profile("thorough")


# One worker runs these, one after the other: each loads the machine by itself, and measures what it does.
ONE_BY_ONE = (
    "build/test_wheel_demo.py", "demo/test_demo.py", "intents/test_churn.py", "build/test_packages.py",
    "lifecycle/test_rolling_live.py",
)  # fmt: skip


class ModuleByModule(LoadFileScheduling):
    """A worker takes a whole module, so that what the module shares is started once."""

    def _split_scope(self, nodeid: str) -> str:
        module: str = super()._split_scope(nodeid)
        return "one by one" if module.endswith(ONE_BY_ONE) else module


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ModuleByModule | None:
    """Ours for ``--dist loadfile``."""
    return ModuleByModule(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs root, with the reason, where there is no root; begin with what takes longest."""
    live = Counter(item.path for item in items if item.get_closest_marker("live"))
    items.sort(key=lambda item: (item.path in live, not str(item.path).endswith(ONE_BY_ONE), -live[item.path]))
    if os.geteuid() == 0:
        return
    for item in items:
        if item.get_closest_marker("root"):
            item.add_marker(pytest.mark.skip(reason="needs root: iptables or network namespaces"))


@pytest.fixture(autouse=True)
def logs_begin_anew() -> Iterator[None]:
    """What a test's command set up for logs holds for that test: loggers keep the stream of their first line."""
    yield
    structlog = sys.modules.get("structlog")
    if structlog is None or not structlog.is_configured():
        return
    structlog.reset_defaults()
    for name, module in tuple(sys.modules.items()):
        if name.startswith("weft."):
            vars(module).get("_log", module).__dict__.pop("bind", None)


@pytest.fixture(scope="session")
def envoy() -> EnvoyBinary:
    """The pinned Envoy; a test run without it fails rather than proving nothing."""
    return find_envoy()


@pytest.fixture
def free_port() -> Iterator[Callable[[], int]]:
    """A function that gives a TCP port of 127.0.0.1 that nobody listens on, another one each time.

    The ports stay bound (never listening) until the test ends, with SO_REUSEADDR so that a server can take them; no
    two tests get the same one.
    """
    held: list[socket.socket] = []

    def port() -> int:
        holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        held.append(holder)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        number: int = holder.getsockname()[1]
        return number

    yield port
    for holder in held:
        holder.close()


@pytest.fixture(scope="session", autouse=True)
def no_process_outlives_the_run() -> Iterator[None]:
    """Fail when a test left a process behind."""
    yield
    left = [child for child in psutil.Process().children(recursive=True) if _is_left_behind(child)]
    for child in left:
        child.kill()
    if left:
        pytest.fail(f"tests left processes behind: {[child.pid for child in left]}")


def _is_left_behind(child: psutil.Process) -> bool:
    try:
        if child.status() == psutil.STATUS_ZOMBIE:
            return False
        return not any("multiprocessing" in argument for argument in child.cmdline())
    except psutil.NoSuchProcess:
        return False
