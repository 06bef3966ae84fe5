"""``weft compose``: a user's compose file in, one with a mesh out."""

import base64
import hashlib
import json
import sys
import zlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from weft.cli.talk import say
from weft.kit.errors import UserError

_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_TEXT, _DIGEST = "original", "sha256"


@click.command()
@click.option("-f", "--file", "name", metavar="FILE|-", help="The file; default: the one that docker would take.")
@click.option("-o", "--output", default="-", show_default=True, metavar="FILE|-", help="Where to write.")
@click.option("-n", "--namespace", default="default", show_default=True, help="The services' namespace in the mesh.")
@click.option("--image", default="", help="The image of weft; default: weft of this version.")
@click.option("--undo", is_flag=True, help="Take the mesh out again.")
def command(name: str | None, output: str, namespace: str, image: str, undo: bool) -> None:
    """Turn a compose file into one with a mesh, or back.

    Each service gets a sidecar, in whose network it runs, and a control plane joins them. What was changed is told on
    stderr.
    """
    from weft.cli.composed import Choices

    source, text = _read(name)
    choices = Choices(image=image or f"weft:{version('weft')}", namespace=namespace)
    changed = unmeshed(text, source) if undo else meshed(text, source, choices)
    if undo and changed == text:
        say("there was no mesh in it")
    if output == "-":
        click.echo(changed, nl=False)
    else:
        _write(Path(output), changed)


def meshed(text: str, name: str, choices: Any, tell: Any = say) -> str:
    """A compose file with a mesh; one that has it already gets it anew. Raises ``UserError``."""
    from weft.cli.composed import RECORD, mesh
    from weft.cli.rounds import Document

    text = unmeshed(text, name)
    document = Document(text, name)
    if not isinstance(document.content, dict):
        raise UserError(f"{name} is no compose file", help="name one with -f")
    mesh(document.content, choices, tell)
    record = document.content[RECORD]
    record[_DIGEST] = _digest(document.content)
    record[_TEXT] = base64.b64encode(zlib.compress(text.encode(), 9)).decode()
    return document.written


def unmeshed(text: str, name: str) -> str:
    """A compose file without: letter by letter as it was, if nobody changed it since. Raises ``UserError``."""
    from weft.cli.composed import RECORD, unmesh
    from weft.cli.rounds import Document

    document = Document(text, name)
    content = document.content
    record = content.get(RECORD) if isinstance(content, dict) else None
    if not isinstance(record, dict):
        return text
    original, said = record.pop(_TEXT, ""), record.pop(_DIGEST, "")
    if original and said == _digest(content):
        return zlib.decompress(base64.b64decode(original)).decode()
    unmesh(content)
    return document.written


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def _read(name: str | None) -> tuple[str, str]:
    if name == "-":
        return "standard input", sys.stdin.read()
    found = Path(name) if name else next((Path(one) for one in _NAMES if Path(one).is_file()), None)
    if found is None:
        raise UserError(f"there is no {_NAMES[0]} here", help="name a compose file with -f")
    try:
        return str(found), found.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as refused:
        reason = (getattr(refused, "strerror", None) or "it is not UTF-8 text").lower()
        raise UserError(f"{found} cannot be read ({reason})", help="check -f") from refused


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as refused:
        reason = (refused.strerror or str(refused)).lower()
        raise UserError(f"{path} cannot be written ({reason})", help="check -o") from refused
    say(f"wrote {path}")
