"""Opening what is sealed in a state directory, and changing the key that it is sealed with."""

from collections.abc import Mapping
from pathlib import Path

from weft.ca.authority import renew_authority
from weft.kit.clock import Clock
from weft.kit.errors import UserError
from weft.kit.files import write_whole
from weft.kit.sealing import Keyring, SealingKey, Unsealable, new_key, parsed_key, refusal
from weft.kit.state_dir import StateDir, alone, usable
from weft.store.keys import Keys, find_keys, key_source, read_keys
from weft.store.sealed import SealedStore, Sealer
from weft.store.sqlite import open_sqlite


async def open_sealed(path: Path, keys: Keys, clock: Clock | None = None) -> SealedStore:
    """The store in a file, all its secrets under the newest key. Raises ``UserError``."""
    sealer = Sealer(keys.ring)
    try:
        return SealedStore(await open_sqlite(path, clock, sealer=sealer), sealer)
    except Unsealable as wrong:
        raise refusal(f"a secret in {path}", keys.ring, wrong) from wrong


async def rotate_key(
    state: StateDir, named: Path | None, replacement: Path | None, variables: Mapping[str, str]
) -> str:
    """Bring everything under a new key and return the key's name: that of a file, else one that is made.

    ``named`` and ``variables`` say where the old one is. The new key lies beside the old one until all is done, so that
    a crash leaves nothing that does not open. Raises ``UserError``.
    """
    with alone(state), usable(state):
        old = find_keys(key_source(state.encryption_key, named, variables))
        if replacement is not None:
            return await _renew(state, Keyring((*read_keys(replacement), *old.ring.keys)))
        if not old.own:
            raise UserError(
                f"the key comes from {old.told}, where weft cannot write a new one",
                help="make one with `weft secrets new-key > FILE` and name it with --new-key-file",
            )
        text = new_key()
        kept = state.encryption_key.read_text("ascii")
        write_whole(state.encryption_key, f"{text}\n{kept}".encode())
        new: SealingKey = parsed_key(text)
        done = await _renew(state, Keyring((new, *old.ring.keys)))
        write_whole(state.encryption_key, f"{text}\n".encode())
        return done


async def _renew(state: StateDir, ring: Keyring) -> str:
    renew_authority(state.authority, ring)
    store = await open_sealed(state.database, Keys(ring, "", own=False))
    await store.close()
    return ring.current.id
