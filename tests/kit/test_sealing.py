"""Envelopes: they open with the right key in the right place, and in no other way."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.kit.sealing import Keyring, SealingKey, Unsealable, is_sealed, new_key, parsed_key, refusal

OLD, NEW = SealingKey(b"o" * 32), SealingKey(b"n" * 32)


@given(st.binary(max_size=2000), st.text(max_size=50))
def test_what_is_sealed_opens_again(content: bytes, name: str) -> None:
    ring = Keyring((OLD,))
    sealed = ring.seal(content, name)
    assert is_sealed(sealed)
    assert ring.open(sealed, name) == content
    assert len(content) < 8 or content not in sealed


def test_two_envelopes_of_the_same_differ() -> None:
    ring = Keyring((OLD,))
    assert ring.seal(b"same", "a") != ring.seal(b"same", "a")


def test_an_envelope_does_not_open_in_another_place() -> None:
    ring = Keyring((OLD,))
    with pytest.raises(Unsealable, match="changed or moved"):
        ring.open(ring.seal(b"secret", "shop/a"), "shop/b")
    with pytest.raises(Unsealable, match="changed or moved"):
        Keyring((NEW, OLD)).rewrapped(ring.seal(b"secret", "shop/a"), "shop/b")


def test_an_envelope_that_was_changed_anywhere_does_not_open() -> None:
    ring = Keyring((OLD,))
    sealed = ring.seal(b"secret", "a")
    opened = 0
    for index in range(len(sealed)):
        spoiled = sealed[:index] + bytes([sealed[index] ^ 1]) + sealed[index + 1 :]
        try:
            assert ring.open(spoiled, "a") == b"secret"
            opened += 1
        except Unsealable:
            pass
    assert opened <= 4  # bits of base64 that mean nothing


def test_the_wrong_key_is_named() -> None:
    sealed = Keyring((OLD,)).seal(b"secret", "a")
    with pytest.raises(Unsealable) as raised:
        Keyring((NEW,)).open(sealed, "a")
    assert raised.value.key == OLD.id
    said = refusal("a secret", Keyring((NEW,)), raised.value)
    assert OLD.id in said.message
    assert NEW.id in said.message


def test_an_envelope_is_wrapped_anew_without_its_content_being_written_again() -> None:
    sealed = Keyring((OLD,)).seal(b"secret", "a")
    ring = Keyring((NEW, OLD))
    renewed = ring.rewrapped(sealed, "a")
    assert Keyring((NEW,)).open(renewed, "a") == b"secret"
    assert ring.rewrapped(renewed, "a") == renewed
    with pytest.raises(Unsealable):
        Keyring((OLD,)).open(renewed, "a")


@pytest.mark.parametrize("content", [b"", b"{}", b'{"weft.dev/sealed":{}}', b'{"weft.dev/sealed":1}', b"\xff"])
def test_what_is_no_envelope_does_not_open(content: bytes) -> None:
    with pytest.raises(Unsealable):
        Keyring((OLD,)).open(content, "a")


def test_a_key_is_read_from_base64_and_hexadecimal() -> None:
    raw = bytes(range(32))
    assert parsed_key(base64.b64encode(raw).decode()).id == parsed_key(raw.hex()).id == SealingKey(raw).id
    assert parsed_key(new_key()).id != parsed_key(new_key()).id


@pytest.mark.parametrize("text", ["", "short", "x" * 44, "ä" * 44, base64.b64encode(b"k" * 31).decode(), "z" * 64])
def test_what_is_no_key_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="key") as raised:
        parsed_key(text)
    assert not text or text not in str(raised.value)
