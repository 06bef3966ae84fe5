"""Which Telemetry holds for a proxy, and what comes of several (Istio: ``model/telemetry_test.go``)."""

import pytest

from tests.intents.intent import caller, mesh_of
from weft.model.access_log import FileLog
from weft.model.mesh import Mesh
from weft.model.sinks import OtelLog, OtelTracer, ZipkinTracer
from weft.model.telemetry import Told
from weft.view.build import view_of
from weft.view.telemetry import telemetry_of

_CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data: {mesh: "{extensionProviders: [
  {name: file, envoyFileAccessLog: {path: /file}}, {name: other, envoyFileAccessLog: {path: /other}},
  {name: otlp, envoyOtelAls: {service: collector.shop.svc.cluster.local, port: 4317}},
  {name: zipkin, zipkin: {service: zipkin.shop.svc.cluster.local, port: 9411}}] MORE}"}
"""


def mesh(*specs: str, more: str = "", created: tuple[str, ...] = ()) -> Mesh:
    """Documents ``NAMESPACE: SPEC``, the first one the oldest."""
    documents = [_CONFIG.replace("MORE", more and f", {more}")]
    for index, said in enumerate(specs):
        namespace, _, spec = said.partition(": ")
        time = f"2026-01-01T00:00:{index:02}Z"
        head = (
            f"apiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {{name: n{index}, namespace: {namespace},"
        )
        documents.append(f'{head} creationTimestamp: "{time}"}}\nspec: {spec}\n')
    return mesh_of("\n---\n".join(documents))


def client(made: Mesh) -> Told:
    return telemetry_of(made, caller("web-1")).client


def paths(told: Told) -> list[str]:
    return [one.log.path for one in told.logs if isinstance(one.log, FileLog)]


def test_without_a_word_spans_of_one_percent_go_to_the_control_plane_and_nothing_is_logged() -> None:
    told = client(mesh())
    assert told.tracing is not None
    assert (told.tracing.tracer, told.tracing.percent) == (OtelTracer(), 1.0)
    assert told.tracing.service == "web.shop"
    assert (told.logs, told.counting) == ((), ())


def test_entries_of_otlp_are_of_the_same_service_as_the_spans() -> None:
    for naming in ("APP_LABEL_AND_NAMESPACE", "CANONICAL_NAME_ONLY"):
        told = client(
            mesh(
                "istio-system: {accessLogging: [{providers: [{name: otlp}, {name: file}]}]}",
                more=f"defaultConfig: {{tracingServiceName: {naming}}}",
            )
        )
        (log,) = (one.log for one in told.logs if isinstance(one.log, OtelLog))
        assert told.tracing is not None
        assert log.service == told.tracing.service != ""
        assert paths(told) == ["/file"]


@pytest.mark.parametrize(
    ("specs", "expected"),
    [
        (("istio-system: {accessLogging: [{providers: [{name: file}]}]}",), ["/file"]),
        (("other: {accessLogging: [{providers: [{name: file}]}]}",), []),
        (("shop: {selector: {matchLabels: {app: web}}, accessLogging: [{providers: [{name: file}]}]}",), ["/file"]),
        (("shop: {selector: {matchLabels: {app: api}}, accessLogging: [{providers: [{name: file}]}]}",), []),
        (
            (
                "istio-system: {accessLogging: [{providers: [{name: file}]}]}",
                "shop: {accessLogging: [{providers: [{name: other}]}]}",
            ),
            ["/other"],
        ),
        (
            (
                "istio-system: {accessLogging: [{providers: [{name: file}]}]}",
                "shop: {accessLogging: [{disabled: true}]}",
            ),
            [],
        ),
        (("shop: {accessLogging: [{match: {mode: SERVER}, providers: [{name: file}]}]}",), []),
        (("shop: {accessLogging: [{providers: [{name: file}, {name: other}]}]}",), ["/file", "/other"]),
        (
            (
                "shop: {accessLogging: [{providers: [{name: file}]}]}",
                "shop: {accessLogging: [{providers: [{name: other}]}]}",
            ),
            ["/file"],
        ),
        (("shop: {tracing: [{}]}",), ["/usual"]),
    ],
)
def test_logs_are_those_of_the_nearest_document_that_names_any(specs: tuple[str, ...], expected: list[str]) -> None:
    more = "accessLogFile: /usual" if expected == ["/usual"] else ""
    assert paths(client(mesh(*specs, more=more))) == expected


def test_a_file_of_the_mesh_gives_way_to_documents_and_default_providers() -> None:
    assert paths(client(mesh(more="accessLogFile: /usual"))) == ["/usual"]
    more = "accessLogFile: /usual, defaultProviders: {accessLogging: [file]}"
    assert paths(client(mesh(more=more))) == ["/file"]


def test_overrides_of_metrics_are_merged_and_the_later_one_holds() -> None:
    told = client(
        mesh(
            "istio-system: {metrics: [{overrides: [{match: {metric: REQUEST_COUNT}, disabled: true,"
            " tagOverrides: {a: {value: request.method}}}]}]}",
            "shop: {metrics: [{overrides: [{match: {metric: REQUEST_COUNT}, disabled: false,"
            " tagOverrides: {b: {value: request.host}, response_code: {operation: REMOVE}}}]}]}",
        )
    )
    (requests,) = told.counting
    assert (requests.metric, requests.off) == ("requests", False)
    assert requests.tags == (("a", "request.method"), ("b", "request.host"))
    assert requests.removed == ("response_code",)


def test_what_the_mesh_disables_as_a_whole_a_namespace_counts_again() -> None:
    off = "istio-system: {metrics: [{overrides: [{match: {metric: ALL_METRICS}, disabled: true}]}]}"
    assert all(one.off for one in client(mesh(off)).counting)
    again = "shop: {metrics: [{overrides: [{match: {metric: ALL_METRICS, mode: CLIENT}, disabled: false}]}]}"
    found = telemetry_of(mesh(off, again), caller("web-1"))
    assert found.client.counting == ()
    assert all(one.off for one in found.server.counting)


def test_spans_are_said_field_by_field() -> None:
    told = client(
        mesh(
            "istio-system: {tracing: [{randomSamplingPercentage: 20, customTags: {a: {literal: {value: x}}}}]}",
            "shop: {tracing: [{match: {mode: CLIENT}, randomSamplingPercentage: 50, enableIstioTags: false}]}",
        )
    )
    assert told.tracing is not None
    assert told.tracing.percent == 50
    assert [one.name for one in told.tracing.tags] == ["a"]


def test_tracing_is_off_where_the_mesh_says_so_until_a_document_names_a_provider() -> None:
    assert client(mesh(more="enableTracing: false")).tracing is None
    named = client(mesh("shop: {tracing: [{providers: [{name: zipkin}]}]}", more="enableTracing: false")).tracing
    assert named is not None
    assert isinstance(named.tracer, ZipkinTracer)


def test_a_collector_that_a_proxy_cannot_reach_is_left_out_and_told() -> None:
    made = mesh("shop: {tracing: [{providers: [{name: zipkin}]}]}")
    view = view_of(made, caller("web-1"))
    assert [one.code for one in view.findings] == ["W0258"]
    assert view.http_proxy is not None
    assert view.http_proxy.norms.telemetry.client.tracing is None


def test_names_that_stand_for_nothing_and_documents_for_the_same_workloads_are_told() -> None:
    made = mesh(
        "shop: {accessLogging: [{providers: [{name: nobody}]}]}",
        "shop: {tracing: [{providers: [{name: file}]}]}",
        "shop: {selector: {matchLabels: {app: web}}, metrics: [{}]}",
        "shop: {selector: {matchLabels: {version: v1}}, metrics: [{}]}",
    )
    found = [(one.code, one.document.name if one.document else "") for one in made.findings]
    assert sorted(found) == [("W0257", "n0"), ("W0257", "n1"), ("W0259", "n1"), ("W0259", "n3")]
