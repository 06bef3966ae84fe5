"""The file of ``weft up --mesh-config``."""

from pathlib import Path

from weft.cli.errors import Told
from weft.cli.findings import tell
from weft.cli.manifests import Source, parsed
from weft.dialects.istio.mesh_config import read_mesh_config
from weft.model.settings import Settings


def settings_in(file: Path) -> Settings:
    """The settings that a file makes; ends the command where it is wrong. Raises ``UserError`` if it is not YAML."""
    source = Source(name=str(file), text=file.read_text())
    manifests = tuple(parsed(source))
    read = read_mesh_config(source.text, Settings())
    tell((finding, manifests[0] if manifests else None) for finding in read.findings)
    if read.settings is None:
        raise Told(1)
    return read.settings
