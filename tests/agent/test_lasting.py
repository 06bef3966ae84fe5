"""What a sidecar tells Prometheus never falls while its series lives, whatever Envoy forgets."""

from tests.agent.test_exposition import LABELS, WEB, samples
from weft.agent.exposition import exposition
from weft.agent.lasting import Lasting

_OTHER = LABELS.replace('code="200"', 'code="404"')


def _count(part: str, count: float, labels: str = LABELS) -> str:
    return f"envoy_mesh_source_http_requests{{{labels.format(subset=part)}}} {count:g}"


def _scraped(lasting: Lasting, *lines: str) -> list[float]:
    text = exposition(lasting.whole("# TYPE x counter\n" + "\n".join(lines), WEB), WEB)
    return list(samples(text, "istio_requests_total").values())


def test_a_part_that_is_forgotten_stays_in_its_series():
    lasting = Lasting()
    assert _scraped(lasting, _count("0", 5), _count("1", 2)) == [7]
    assert _scraped(lasting, _count("0", 6)) == [8]
    assert _scraped(lasting, _count("0", 6)) == [8]


def test_a_part_that_comes_back_begins_where_it_ended():
    lasting = Lasting()
    _scraped(lasting, _count("0", 5), _count("1", 2))
    _scraped(lasting, _count("0", 5))
    assert _scraped(lasting, _count("0", 5), _count("1", 1)) == [8]
    assert _scraped(lasting, _count("0", 5), _count("1", 4)) == [11]


def test_a_part_that_began_anew_between_two_scrapes_goes_on():
    lasting = Lasting()
    _scraped(lasting, _count("0", 5))
    assert _scraped(lasting, _count("0", 3)) == [8]


def test_a_series_that_is_forgotten_whole_is_gone_and_remembered_no_longer():
    lasting = Lasting()
    assert _scraped(lasting, _count("0", 5), _count("0", 9, _OTHER)) == [5, 9]
    assert _scraped(lasting, _count("0", 5)) == [5]
    assert _scraped(lasting, _count("0", 5), _count("0", 1, _OTHER)) == [5, 1]
