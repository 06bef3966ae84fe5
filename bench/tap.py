"""What live requests cost when nobody watches: CPU of a proxy that counts its calls, with and without what the compiler
writes for them. The same proxy twice, without, says how much two equal ones differ."""

import copy
import json
import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

import weft.compiler.resources  # noqa: F401  JSON of an Any needs the class inside it
from bench import static
from bench.figure import Figure, Target, number, times
from bench.harness import Effort, cpu_seconds, interleaved, ratio
from bench.load import Place, get, once, saturate
from bench.servers import START_SECONDS, Way, application, envoy_command, running
from weft._pb.envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from weft._pb.envoy.type.v3.token_bucket_pb2 import TokenBucket
from weft.compiler.resource import EXTENSION
from weft.compiler.telemetry.metrics import calls_in
from weft.compiler.telemetry.tap import tap_point, tapped_requests_in, untapped
from weft.demo.processes import free_port, until
from weft.model.tap import Side

NAME = "tap"
TITLE = "Live requests, with nobody watching"
MOST = 1.03
_NONE, _AGAIN, _OFF = "metrics alone", "metrics alone, once more", "live requests, nobody watches"
_WRAPPER = "type.googleapis.com/envoy.service.discovery.v3.Resource"
_HOST = "app.bench.svc.cluster.local"


def measure(effort: Effort) -> Figure:
    """Microseconds of CPU per request, and how many times those without."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="weft-bench-")))
        app = stack.enter_context(application(directory))
        ways = {
            name: stack.enter_context(_way(app, directory / f"case-{index}", tapped=name == _OFF))
            for index, name in enumerate((_NONE, _AGAIN, _OFF))
        }
        samples = interleaved(effort.rounds, {name: _case(way, effort.seconds) for name, way in ways.items()})
    ratios = {name: ratio(samples[name], samples[_NONE]) for name in (_AGAIN, _OFF)}
    rows = tuple(
        (name, number(statistics.median(found), "us"), times(ratios[name]) if name in ratios else "")
        for name, found in samples.items()
    )
    what = "CPU for a request that could be watched, of one that cannot"
    target = Target(what=what, measured=ratios[_OFF], limit=MOST, unit="x")
    columns = ("in the proxy", "CPU per request", "of the first")
    return Figure(name=NAME, title=TITLE, columns=columns, rows=rows, targets=(target,), samples=samples)


@contextmanager
def _way(app: int, home: Path, *, tapped: bool) -> Iterator[Way]:
    """A proxy before the application, in a directory of its own."""
    home.mkdir()
    port = free_port()
    server = static.hop(port, app)
    _manager(server)["access_log"] = [_json(one) for one in calls_in(_HOST)]
    if tapped:
        server = _tapped(server, home)
    place = Place(port=port, request=get("/api/v1/items/7", "server"))
    with running("inbound", envoy_command("inbound", server, home), home) as proxy:
        until(lambda: once(place), "the proxy did not answer", START_SECONDS, (proxy,))
        yield Way(place=place, proxies=(("in", proxy.pid),))


def _manager(bootstrap: static.Json) -> static.Json:
    chain: static.Json = bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]
    manager: static.Json = chain["filters"][0]["typed_config"]
    return manager


def _tapped(bootstrap: static.Json, home: Path) -> static.Json:
    """With the filter and the log; what a control plane sends is in files."""
    made = copy.deepcopy(bootstrap)
    manager = _manager(made)
    sources = {one.name: _file(one.type_url, one.name, one.body, home) for one in untapped()}
    manager["http_filters"].insert(0, _from_file(_json(tap_point(Side.IN)), sources))
    manager["access_log"].append(_from_file(_json(tapped_requests_in(_HOST)), sources))
    made["static_resources"]["clusters"].append(_nowhere())
    made["node"] = {"id": "app-1.bench", "cluster": "app"}
    return made


def _file(type_url: str, name: str, body: bytes, home: Path) -> Path:
    message = (TypedExtensionConfig if type_url == EXTENSION else TokenBucket).FromString(body)
    content = {"@type": type_url, **_json(message)}
    if type_url != EXTENSION:
        content = {
            "@type": "type.googleapis.com/envoy.service.discovery.v3.Resource",
            "name": name,
            "resource": content,
        }
    path = home / f"{name}.json"
    path.write_text(json.dumps({"version_info": "1", "resources": [content]}))
    return path


def _from_file(content: static.Json, sources: dict[str, Path], name: str = "") -> static.Json:
    """The same with files in the place of the stream of a control plane."""
    name = str(content.get("resource_name", content.get("name", name)))
    found: static.Json = {}
    for key, value in content.items():
        match value:
            case dict() if key == "config_source":
                path = {"path": str(sources[name])}
                found[key] = {"path_config_source": path, "resource_api_version": "V3"}
            case dict():
                found[key] = _from_file(value, sources, name)
            case list():
                found[key] = [_from_file(one, sources, name) if isinstance(one, dict) else one for one in value]
            case _:
                found[key] = value
    return found


def _nowhere() -> static.Json:
    """The control plane's cluster, with nobody there: nothing is sent."""
    address = {"socket_address": {"address": "127.0.0.1", "port_value": 9}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    return {"name": "xds", "type": "STATIC", "load_assignment": {"cluster_name": "xds", "endpoints": endpoints}}


def _json(message: Message) -> static.Json:
    return MessageToDict(message, preserving_proto_field_name=True)


def _case(way: Way, seconds: float) -> Callable[[], float]:
    def run() -> float:
        ((_, pid),) = way.proxies
        before = cpu_seconds(pid)
        load = saturate(way.place, seconds)
        return (cpu_seconds(pid) - before) / max(1, load.requests) * 1e6

    return run
