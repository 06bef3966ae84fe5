"""T12: a page in an operator's browser wants to use the API. No page is let in, and to be near is no credential."""

import pytest

from tests.threats.plane import Plane

pytestmark = pytest.mark.live
PATH = "/api/v1/namespaces/shop/configmaps"
DOCUMENT = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "planted"}}


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.nip.io", "localhost.evil.example", "evil:7070", "[::2]"])
def test_a_name_that_was_bound_again_is_not_served(host: str, attacked: Plane) -> None:
    assert attacked.ask("GET", "/api", Host=host).status == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil.example", "file://", ""])
def test_a_page_of_another_site_is_not_served(origin: str, attacked: Plane) -> None:
    answer = attacked.ask("POST", PATH, DOCUMENT, Origin=origin)
    assert answer.status == 403


def test_no_page_is_told_that_it_may(attacked: Plane) -> None:
    import http.client

    connection = http.client.HTTPSConnection("127.0.0.1", attacked.api, timeout=5, context=attacked.trusting())
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    connection.request("OPTIONS", PATH, headers=headers)
    answer = connection.getresponse()
    answer.read()
    told = {name.lower() for name, _ in answer.getheaders()}
    connection.close()
    assert answer.status in (401, 403, 405)
    assert not any(name.startswith("access-control-") for name in told)


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_what_a_form_can_send_is_not_read(media: str, attacked: Plane) -> None:
    answer = attacked.ask("POST", PATH, DOCUMENT, Content_Type=media)
    assert answer.status in (400, 415)
    assert attacked.ask("GET", f"{PATH}/planted").status == 404


def test_the_same_machine_is_no_credential(attacked: Plane) -> None:
    for path in ("/api", "/weft/v1/status", "/weft/v1/audit", "/openapi/v3"):
        assert attacked.ask("GET", path, token=None).status in (401, 429)
        forwarded = {"X_Forwarded_For": "127.0.0.1", "X_Remote_User": "weft:admin", "Impersonate_User": "weft:admin"}
        assert attacked.ask("GET", path, token=None, **forwarded).status in (401, 429)


def test_no_answer_is_guessed_to_be_a_page(attacked: Plane) -> None:
    import http.client

    for path in ("/%3Cscript%3Ealert(1)%3C/script%3E", "/api/v1/%3Cimg%20src=x%3E", "/weft/v1/findings?revision=<x>"):
        connection = http.client.HTTPSConnection("127.0.0.1", attacked.api, timeout=5, context=attacked.trusting())
        connection.putrequest("GET", path.replace("<", "%3C").replace(">", "%3E"))
        connection.putheader("Authorization", f"Bearer {attacked.admin}")
        connection.endheaders()
        answer = connection.getresponse()
        answer.read()
        assert answer.getheader("x-content-type-options") == "nosniff"
        assert "html" not in (answer.getheader("content-type") or "html")
        connection.close()
