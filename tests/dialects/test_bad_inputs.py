"""A mistake in a file, from its text to what a user reads."""

import pytest

from tests.dialects.documents import BY_NAME
from weft.dialects.translate import check
from weft.kit.caret import caret
from weft.kit.yaml import parse_yaml
from weft.model.finding import field_path

FILE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
spec:
  hosts: [reviews]
  http:
  - match:
    - uri: {regex: "/a(b"}
    tiemout: 5s
    route:
    - destination: {host: reviews, subset: v1}
      weight: 50
    - destination: {host: reviews}
      weight: 60
    retries: {attempts: "3"}
"""


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        (
            "W0109",
            """\
 --> shop.yaml:9:20  (spec.http[0].match[0].uri.regex)
  |
9 |     - uri: {regex: "/a(b"}
  |                    ^^^^^^""",
        ),
        (
            "W0101",
            """\
  --> shop.yaml:10:5  (spec.http[0].tiemout)
   |
10 |     tiemout: 5s
   |     ^^^^^^^""",
        ),
        (
            "W0103",
            """\
  --> shop.yaml:15:15  (spec.http[0].route[1].weight)
   |
15 |       weight: 60
   |               ^^""",
        ),
        (
            "W0102",
            """\
  --> shop.yaml:16:25  (spec.http[0].retries.attempts)
   |
16 |     retries: {attempts: "3"}
   |                         ^^^""",
        ),
    ],
)
def test_a_mistake_is_shown_at_its_place_in_the_file(code: str, shown: str) -> None:
    (document,) = parse_yaml(FILE, "shop.yaml")
    findings = {finding.code: finding for finding in check(BY_NAME["VirtualService"], document.content)}
    assert set(findings) == {"W0101", "W0102", "W0103", "W0109"}
    finding = findings[code]
    place = document.place(finding.path, finding.at_key)
    path = field_path(finding.path)
    text = caret("shop.yaml", FILE.splitlines(), place.line, place.column, place.width, path)
    assert text == shown
    assert not finding.message.endswith(".")
    assert finding.message[0] in '"w' or finding.message[0].islower()
