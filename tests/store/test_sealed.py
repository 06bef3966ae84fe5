"""Secrets at rest: no byte of them reaches the files, whatever happens to the database."""

import asyncio
import json
import shutil
from contextlib import aclosing
from pathlib import Path

import pytest

from weft.duties.rekey import open_sealed
from weft.kit.errors import UserError
from weft.kit.sealing import Keyring, SealingKey, Unsealable, is_sealed, new_key
from weft.model.document import Document, Key
from weft.store.keys import Keys, find_keys, key_source
from weft.store.memory import MemoryStore
from weft.store.sealed import SealedStore, Sealer
from weft.store.source import Conflict, StoreUnavailable
from weft.store.sqlite import open_sqlite

pytestmark = pytest.mark.asyncio

OLD, NEW = SealingKey(b"o" * 32), SealingKey(b"n" * 32)
KEY = Key(kind="Secret", namespace="shop", name="password")
HIDDEN = b"correct-horse-battery"


def secret(number: int = 0, key: Key = KEY) -> Document:
    """A Secret whose content and labels tell it."""
    content = {"data": {"p": f"{HIDDEN.decode()}-{number}"}, "padding": "x" * 5000}
    return Document(key=key, content=json.dumps(content).encode(), uid="u", labels=(("l", HIDDEN.decode()),))


def keys(*ring: SealingKey) -> Keys:
    return Keys(Keyring(ring), "a test", own=False)


def leaks(directory: Path) -> list[str]:
    """Files in which some of the secret can be read."""
    return [path.name for path in directory.rglob("*") if path.is_file() and HIDDEN in path.read_bytes()]


async def test_no_byte_of_a_secret_reaches_a_file(tmp_path: Path) -> None:
    store = await open_sealed(tmp_path / "weft.db", keys(OLD))
    for number in range(20):
        await (store.create(secret()) if number == 0 else store.replace(secret(number), None))
        assert leaks(tmp_path) == []
    await store.create(secret(key=Key(kind="Secret", namespace="shop", name="gone")))
    await store.delete(Key(kind="Secret", namespace="shop", name="gone"), None)
    assert leaks(tmp_path) == []
    await store.close()
    assert leaks(tmp_path) == []
    store = await open_sealed(tmp_path / "weft.db", keys(OLD))
    found = await store.read(KEY)
    assert found is not None
    assert (found.content, found.labels) == (secret(19).content, secret(19).labels)
    async with aclosing(store.changes(0)) as changes:  # type: ignore[type-var]
        first, second = await anext(changes), await anext(changes)
    assert (first.document.content, second.document.content) == (secret(0).content, secret(1).content)
    assert second.previous is not None
    assert second.previous.content == secret(0).content
    await store.close()


async def test_a_database_in_plaintext_is_sealed_when_it_is_opened(tmp_path: Path) -> None:
    plain = await open_sqlite(tmp_path / "weft.db")
    await plain.create(secret())
    for number in range(1, 5):
        await plain.replace(secret(number), None)
    other = Document(key=Key(kind="ConfigMap", namespace="shop", name="c"), content=b'{"data":{}}')
    await plain.create(other)
    gone = Key(kind="Secret", namespace="shop", name="gone")
    await plain.create(secret(key=gone))
    await plain.delete(gone, None)
    await plain.close()
    assert leaks(tmp_path)
    store = await open_sealed(tmp_path / "weft.db", keys(OLD))
    assert leaks(tmp_path) == []
    assert await store.revision() == 8
    found = await store.read(KEY)
    assert found is not None
    assert (found.content, found.revision) == (secret(4).content, 5)
    async with aclosing(store.changes(0)) as changes:  # type: ignore[type-var]
        seen = [(await anext(changes)).document.content for _ in range(8)]
    assert seen[:5] == [secret(number).content for number in range(5)]
    assert seen[5:] == [other.content, secret().content, secret().content]
    await store.close()
    assert leaks(tmp_path) == []


async def test_the_log_of_a_control_plane_that_was_killed_is_sealed_too(tmp_path: Path) -> None:
    plain = await open_sqlite(tmp_path / "weft.db")
    await plain.create(secret())
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for name in ("weft.db", "weft.db-wal"):
        shutil.copy(tmp_path / name, crashed)
    await plain.close()
    assert "weft.db-wal" in leaks(crashed)
    store = await open_sealed(crashed / "weft.db", keys(OLD))
    assert leaks(crashed) == []
    assert (await store.read(KEY)) is not None
    await store.close()


async def test_another_key_opens_nothing_and_changes_nothing(tmp_path: Path) -> None:
    store = await open_sealed(tmp_path / "weft.db", keys(OLD))
    await store.create(secret())
    await store.close()
    with pytest.raises(UserError, match=f"{OLD.id}.*{NEW.id}"):
        await open_sealed(tmp_path / "weft.db", keys(NEW))
    store = await open_sealed(tmp_path / "weft.db", keys(OLD))
    assert await store.read(KEY) is not None
    await store.close()


async def test_a_ring_moves_everything_to_its_first_key(tmp_path: Path) -> None:
    store = await open_sealed(tmp_path / "weft.db", keys(OLD))
    await store.create(secret())
    await store.replace(secret(1), None)
    await store.close()
    store = await open_sealed(tmp_path / "weft.db", keys(NEW, OLD))
    await store.close()
    store = await open_sealed(tmp_path / "weft.db", keys(NEW))
    found = await store.read(KEY)
    assert found is not None
    assert found.content == secret(1).content
    async with aclosing(store.changes(0)) as changes:  # type: ignore[type-var]
        assert (await anext(changes)).document.content == secret(0).content
    await store.close()


async def test_rows_cannot_be_swapped(tmp_path: Path) -> None:
    store = MemoryStore()
    sealed = SealedStore(store, Sealer(Keyring((OLD,))))
    await sealed.create(secret())
    stored = await store.read(KEY)
    assert stored is not None
    assert is_sealed(stored.content)
    assert stored.labels == ()
    elsewhere = Key(kind="Secret", namespace="evil", name="password")
    await store.create(Document(key=elsewhere, content=stored.content))
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        await sealed.read(elsewhere)
    with pytest.raises(Unsealable):
        Sealer(Keyring((OLD,))).opened(Document(key=elsewhere, content=stored.content))


async def test_the_same_secret_again_is_no_write_and_a_conflict_shows_what_is_stored() -> None:
    store = SealedStore(MemoryStore(), Sealer(Keyring((OLD,))))
    created = await store.create(secret())
    assert await store.replace(secret(), None) == created
    assert await store.revision() == 1
    with pytest.raises(Conflict) as raised:
        await store.create(secret(1))
    assert raised.value.current == created
    with pytest.raises(Conflict) as raised:
        await store.replace(secret(), 7)
    assert raised.value.current == created


async def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    own = tmp_path / "encryption.key"
    first = find_keys(key_source(own, None, {}))
    assert first.own
    assert own.stat().st_mode & 0o777 == 0o600
    assert find_keys(key_source(own, None, {})).ring.ids == first.ring.ids


async def test_keys_come_from_the_option_then_the_variable_then_the_credential(tmp_path: Path) -> None:
    texts = {name: new_key() for name in ("option", "variable", "credential")}
    named, credential = tmp_path / "named", tmp_path / "weft-encryption-key"
    for path, text in ((named, texts["option"]), (credential, texts["credential"])):
        path.write_text(f"# a key\n{text}\n")
        path.chmod(0o400)
    variables = {"WEFT_ENCRYPTION_KEY": texts["variable"], "CREDENTIALS_DIRECTORY": str(tmp_path), "HOME": "/"}
    own = tmp_path / "own"
    found = [
        find_keys(key_source(own, named, variables)),
        find_keys(key_source(own, None, variables)),
        find_keys(key_source(own, None, {"CREDENTIALS_DIRECTORY": str(tmp_path)})),
    ]
    assert len({one.ring.current.id for one in found}) == 3
    assert not any(one.own for one in found)
    assert not own.exists()


async def test_a_key_of_weft_itself_still_opens_what_it_sealed_when_another_takes_its_place(tmp_path: Path) -> None:
    own = tmp_path / "encryption.key"
    store = await open_sealed(tmp_path / "weft.db", find_keys(key_source(own, None, {})))
    await store.create(secret())
    await store.close()
    text = new_key()
    store = await open_sealed(tmp_path / "weft.db", find_keys(key_source(own, None, {"WEFT_ENCRYPTION_KEY": text})))
    assert await store.read(KEY) is not None
    await store.close()
    own.unlink()
    store = await open_sealed(tmp_path / "weft.db", find_keys(key_source(own, None, {"WEFT_ENCRYPTION_KEY": text})))
    assert await store.read(KEY) is not None
    await store.close()


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [("", 0o600, "no encryption key"), ("short", 0o600, "is none"), (new_key(), 0o644, "read by everybody")],
    ids=["empty", "too short", "open to everybody"],
)
async def test_a_file_that_is_no_key_is_refused(tmp_path: Path, content: str, mode: int, said: str) -> None:
    named = tmp_path / "named"
    named.write_text(content)
    named.chmod(mode)
    with pytest.raises(UserError, match=said):
        find_keys(key_source(tmp_path / "own", named, {}))
    with pytest.raises(UserError, match="cannot be read"):
        find_keys(key_source(tmp_path / "own", tmp_path / "absent", {}))


async def test_many_secrets_are_read_at_once(tmp_path: Path) -> None:
    store = await open_sealed(tmp_path / "weft.db", keys(OLD))
    named = [Key(kind="Secret", namespace="shop", name=f"s{number}") for number in range(50)]
    await asyncio.gather(*(store.create(secret(number, key)) for number, key in enumerate(named)))
    found = {one.key: one.content for one in (await store.snapshot()).documents}
    assert found == {key: secret(number).content for number, key in enumerate(named)}
    await store.close()
