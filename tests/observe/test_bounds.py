"""What strangers make up costs little memory: hosts and paths without end, told by proxies."""

import gc
import time

import psutil
import pytest

from weft._pb.envoy.service.metrics.v3.metrics_service_pb2 import StreamMetricsMessage
from weft.kit.clock import SystemClock
from weft.model.cuts import bounds_of
from weft.model.identity import Identity
from weft.observe.metrics import Metrics
from weft.observe.recorded import Recorder
from weft.observe.traffic import Traffic
from weft.observe.windows.packing import STEP
from weft.observe.windows.store import CAPACITY, Windows

_HOSTS = 36_000
_BATCH = 100


def _message(first: int) -> bytes:
    message = StreamMetricsMessage()
    message.identifier.node.id = "web-1.shop"
    for number in range(first, first + _BATCH):
        for name in ("requests", "duration"):
            metric = message.envoy_metrics.add(name=f"mesh.source.http.{name}").metric.add()
            cut = {"d": "5", "s": "9"} if name == "duration" else {}
            host = f"host-{number}.example.com"
            for key, value in (cut | {"peer": "-", "principal": "-", "service": f"outbound|443||{host}"}).items():
                metric.label.add(name=key, value=value)
            if name == "requests":
                metric.counter.value = 1
                continue
            metric.histogram.sample_count = 1
            metric.histogram.sample_sum = 1.0
            for index, bound in enumerate(bounds_of("5", "9")):
                metric.histogram.bucket.add(upper_bound=bound, cumulative_count=int(index > 3))
    return message.SerializeToString()


@pytest.mark.slow
def test_hosts_without_end_cost_twenty_megabytes_at_most_and_no_call_is_lost():
    windows, process = Windows(None), psutil.Process()
    metrics = Metrics(Recorder(windows))
    receive = metrics.sink().opened(Identity(trust_domain="cluster.local", namespace="shop", account="web"))
    traffic = Traffic(windows, SystemClock())
    windows.tick(round(time.time() * 1000))
    _message(0)
    gc.collect()
    before = process.memory_info().rss
    for first in range(0, _HOSTS, _BATCH):
        for _ in receive(_message(first)) or ():
            pass
    gc.collect()
    used = process.memory_info().rss - before
    assert len(windows) <= CAPACITY + 2
    assert used < 20_000_000
    now = round(time.time() * 1000)
    edges = traffic.edges(now - 60 * STEP, now + 2 * STEP)
    assert sum(one.requests for one in edges) == _HOSTS
    assert sum(one.latency.count for one in edges) == _HOSTS
    assert next(one for one in edges if one.service == "other").requests > _HOSTS // 2
