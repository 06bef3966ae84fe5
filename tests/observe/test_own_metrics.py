"""The text that Prometheus reads of the control plane."""

import shutil
import subprocess

import pytest

from weft.observe.own_metrics import Spread, by_label, counter, gauge, process_metrics, text_of

METRICS = (
    gauge("weft_streams", "Open streams.", 3),
    counter("weft_refusals_total", "Refused.", 2),
    by_label("weft_pushes_total", "Sent.", "type", {"b": 2.0, 'a"\\\n': 1.0}),
    Spread(name="weft_time_seconds", help="Times.", bounds=(0.1, 1.0), counts=(1, 2, 3), total=7.5),
)


def test_every_kind_is_written_out():
    assert text_of(METRICS) == (
        "# HELP weft_streams Open streams.\n# TYPE weft_streams gauge\nweft_streams 3\n"
        "# HELP weft_refusals_total Refused.\n# TYPE weft_refusals_total counter\nweft_refusals_total 2\n"
        "# HELP weft_pushes_total Sent.\n# TYPE weft_pushes_total counter\n"
        'weft_pushes_total{type="a\\"\\\\\\n"} 1\nweft_pushes_total{type="b"} 2\n'
        "# HELP weft_time_seconds Times.\n# TYPE weft_time_seconds histogram\n"
        'weft_time_seconds_bucket{le="0.1"} 1\nweft_time_seconds_bucket{le="1"} 3\n'
        'weft_time_seconds_bucket{le="+Inf"} 6\nweft_time_seconds_sum 7.5\nweft_time_seconds_count 6\n'
    )


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool (Debian: prometheus)")
def test_promtool_has_no_complaint():
    text = text_of((*METRICS, *process_metrics(1.0)))
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
