"""``weft events`` and ``kubectl get events``: what happened, and who did it."""

import json
from pathlib import Path

from tests.cli.conftest import Weft
from tests.cli.test_bad_input import GOOD, route


def test_what_was_applied_is_an_event_with_who_did_it(weft: Weft, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(GOOD + route())
    assert weft("apply", "-n", "eventful", "-f", str(file)).code == 0
    items = json.loads(weft("events", "-n", "eventful", "-o", "json").out)["items"]
    found = {(one["object"], one["reason"]): one for one in items}
    applied = next(one for (kind, _), one in found.items() if kind == "VirtualService")
    assert applied["type"] == "config"
    assert applied["who"]
    told = weft("events", "-n", "eventful", "--type", "config").out
    assert told.splitlines()[0].split() == ["TIME", "TYPE", "REASON", "NAMESPACE", "WHAT", "WHO"]
    assert "VirtualService eventful/reviews" in told
    assert weft("events", "-n", "eventful", "--type", "proxy").err == "nothing happened\n"
    listed = weft("get", "events", "-n", "eventful")
    assert "VirtualService eventful/reviews" in listed.out
    assert listed.out.split()[:3] == ["LAST", "SEEN", "TYPE"], "as a cluster lists them"


def test_a_kind_of_event_that_is_none_is_a_usage_error(weft: Weft) -> None:
    assert weft("events", "--type", "party").code == 2
