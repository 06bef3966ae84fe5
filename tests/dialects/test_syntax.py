"""The small grammars."""

import pytest

from weft.dialects.syntax import (
    fault_in_domain,
    fault_in_wildcard_domain,
    is_ip,
    is_label_key,
    is_label_value,
    is_subnet,
    milliseconds,
    nanoseconds,
    qualify,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("1s", 10**9),
        ("1.5s", 1_500_000_000),
        (".5s", 500_000_000),
        ("1h2m3s4ms5us6ns", 3_723_004_005_006),
        ("-1ms", -(10**6)),
        ("0.000000999s", 999),
        ("1µs", 1000),
    ],
)
def test_durations_in_gos_notation(text: str, expected: int) -> None:
    assert nanoseconds(text) == expected


def test_an_unset_duration_stays_unset() -> None:
    assert milliseconds(None) is None
    assert milliseconds("2.5s") == 2500


@pytest.mark.parametrize("text", ["10.0.0.1", "10.1.2.3/8", "::1", "2001:db8::/32", "0.0.0.0/0"])
def test_addresses_and_ranges(text: str) -> None:
    assert is_subnet(text)


@pytest.mark.parametrize("text", ["", "10.0.0", "10.0.0.1/33", "10.0.0.1/", "10.0.0.1/08", "::/129", "a/8", "::1%eth0"])
def test_what_is_no_address(text: str) -> None:
    assert not is_subnet(text)


def test_an_address_with_a_zone_is_not_one_that_others_can_reach() -> None:
    assert is_ip("fe80::1")
    assert not is_ip("fe80::1%eth0")


@pytest.mark.parametrize("text", ["a", "a.b", "A.B", "a.b.", "x1.example.com", "a" * 63])
def test_host_names(text: str) -> None:
    assert fault_in_domain(text) == ""
    assert fault_in_wildcard_domain(text) == ""


@pytest.mark.parametrize("text", ["", "a..b", "-a", "a-", "a_b.c", "a.1", "a" * 64, "a." * 130 + "a", "a b", "a/b"])
def test_what_is_no_host_name(text: str) -> None:
    assert fault_in_domain(text)


@pytest.mark.parametrize("text", ["*", "*.a", "*-a.b", "*a.b"])
def test_a_wildcard_is_the_beginning_of_the_first_part(text: str) -> None:
    assert fault_in_wildcard_domain(text) == ""
    assert fault_in_domain(text)


def test_labels() -> None:
    assert is_label_key("app.kubernetes.io/name")
    assert not is_label_key("/name")
    assert not is_label_key("a/b/c")
    assert is_label_value("")
    assert not is_label_value("a/b")
    assert not is_label_value("x" * 64)


def test_without_a_suffix_a_short_name_has_its_namespace_only() -> None:
    assert qualify("a", "shop", "") == "a.shop"
    assert qualify("a", "shop", "mesh.internal") == "a.shop.svc.mesh.internal"
