"""Formats of access logs: Istio's own, and what Envoy could not read."""

import pytest

from tests.dialects.istio.test_mesh_config import read
from weft.dialects.istio.access_log_format import fault_in_format
from weft.model.access_log import FileLog, default_fields, default_text


def test_the_line_without_a_format_is_istios():
    log = read("accessLogFile: /dev/stdout").settings.access_log
    assert log == FileLog(path="/dev/stdout", text=default_text())
    assert log.text.startswith('[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" ')
    assert log.text.endswith("%REQUESTED_SERVER_NAME% %ROUTE_NAME%\n")


def test_json_without_a_format_has_istios_fields():
    log = read("{accessLogFile: /var/log/a.json, accessLogEncoding: JSON}").settings.access_log
    assert log == FileLog(path="/var/log/a.json", fields=default_fields())
    assert dict(log.fields)["response_code"] == "%RESPONSE_CODE%"


def test_a_format_of_ones_own_is_a_whole_line():
    log = read("{accessLogFile: /a, accessLogFormat: '%RESPONSE_CODE% 100%%'}").settings.access_log
    assert log.text == "%RESPONSE_CODE% 100%%\n"
    text = '{accessLogFile: /a, accessLogEncoding: JSON, accessLogFormat: \'{"b": "%REQ(X):10%", "a": "x"}\'}'
    assert read(text).settings.access_log.fields == (("a", "x"), ("b", "%REQ(X):10%"))


def test_no_file_is_no_log():
    assert read("{accessLogFile: '', accessLogEncoding: JSON}").settings.access_log is None


@pytest.mark.parametrize(
    "text", [default_text(), *(value for _, value in default_fields()), "%%", "%START_TIME(%Y-%m-%d)%"]
)
def test_what_envoy_reads_is_no_fault(text: str):
    assert fault_in_format(text) == ""


@pytest.mark.parametrize("text", ["%", "%response_code%", "%RESPONSE_CODE", "%REQ(X%", "%MADE_UP%", "%REQ%", "%REQ()%"])
def test_what_envoy_cannot_read_is_said(text: str):
    assert fault_in_format(text)
