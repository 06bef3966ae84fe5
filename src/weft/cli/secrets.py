"""``weft secrets``: the keys that secrets are sealed with in the state directory."""

import asyncio
import os
from pathlib import Path

import click

from weft.cli.talk import give, say
from weft.kit.state_dir import StateDir, default_state_dir

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group()
def command() -> None:
    """Make and change the keys that secrets are kept with."""


@command.command("new-key")
def new_key() -> None:
    """Print a new key, for a file of mode 0600, WEFT_ENCRYPTION_KEY or a systemd credential."""
    from weft.kit.sealing import new_key

    give(new_key())


@command.command("rotate-key")
@click.option("--state", type=click.Path(path_type=Path, file_okay=False), help="Directory of all that must last.")
@click.option("--encryption-key-file", type=_FILE, help="The file that `weft up` was given, if it was given one.")
@click.option("--new-key-file", type=_FILE, help="A file with the new key; without it weft makes one.")
def rotate_key(state: Path | None, encryption_key_file: Path | None, new_key_file: Path | None) -> None:
    """Seal everything with a new key, while the control plane is stopped.

    Backups that were made before open with the old key alone.
    """
    from weft.duties.rekey import rotate_key

    directory = StateDir(root=state.expanduser().absolute()) if state else default_state_dir()
    done = asyncio.run(rotate_key(directory, encryption_key_file, new_key_file, os.environ))
    say(f"everything in {directory.root} is sealed with the key {done}")
    if new_key_file is not None:
        say(f"start the control plane with it from now on: weft up --encryption-key-file {new_key_file}")
