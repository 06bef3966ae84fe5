"""Where keys are never asked for, whatever a document says."""

import asyncio
from ipaddress import ip_network

import pytest

from weft.jwks.errors import Unfetched
from weft.jwks.places import Place, is_public, placed

NOWHERE = [
    "https://127.0.0.1/keys",
    "https://localhost/keys",
    "https://[::1]/keys",
    "https://[::ffff:127.0.0.1]/keys",
    "https://[64:ff9b::7f00:1]/keys",
    "https://[2002:7f00:1::]/keys",
    "http://169.254.169.254/latest/meta-data/",
    "https://[fe80::1]/keys",
    "https://[fd00::1]/keys",
    "https://10.0.0.1/keys",
    "https://172.16.0.1/keys",
    "https://192.168.1.1/keys",
    "https://100.64.0.1/keys",
    "https://0.0.0.0/keys",
    "https://[::]/keys",
    "https://224.0.0.1/keys",
    "https://255.255.255.255/keys",
    "https://240.0.0.1/keys",
    "https://2130706433/keys",
    "https://0x7f000001/keys",
    "https://127.1/keys",
    "https://0177.0.0.1/keys",
    "https://user:secret@1.1.1.1/keys",
    "https://1.1.1.1@127.0.0.1/keys",
    "http://1.1.1.1/keys",
    "file:///etc/passwd",
    "gopher://1.1.1.1/",
    "ftp://1.1.1.1/",
    "https://",
    "https:///keys",
    "//1.1.1.1/keys",
    "https://1.1.1.1:0/keys",
    "https://1.1.1.1:99999/keys",
    "https://1.1.1.1/a b",
    "https://1.1.1.1\\@127.0.0.1/",
    "https://1.1.1.1/\r\nhost: evil",
    "https://[::1",
    "https://" + "a" * 5000,
]


@pytest.mark.parametrize("uri", NOWHERE)
def test_t8_no_document_makes_weft_ask_there(uri: str) -> None:
    with pytest.raises(Unfetched):
        asyncio.run(placed(uri, ()))


def test_a_public_address_is_asked_over_tls() -> None:
    place = asyncio.run(placed("https://1.1.1.1/a?b=c#d", ()))
    assert place == Place(scheme="https", host="1.1.1.1", port=443, address="1.1.1.1", target="/a?b=c")
    assert place.authority == "1.1.1.1"


def test_a_network_that_the_operator_allows_may_be_asked_without_tls() -> None:
    allowed = (ip_network("127.0.0.0/8"),)
    assert asyncio.run(placed("http://127.0.0.1:8080/", allowed)).authority == "127.0.0.1:8080"
    with pytest.raises(Unfetched):
        asyncio.run(placed("http://10.0.0.1/", allowed))


def test_of_a_name_with_several_addresses_each_must_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def both(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(0, 0, 0, "", (address, 443)) for address in ("1.1.1.1", "127.0.0.1")]

    async def ask() -> None:
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", both)
        await placed("https://keys.example.com/", ())

    with pytest.raises(Unfetched, match="not a public address"):
        asyncio.run(ask())


def test_addresses_of_the_internet_are_public() -> None:
    assert is_public("1.1.1.1")
    assert is_public("2606:4700:4700::1111")
    assert not is_public("192.0.2.1")
