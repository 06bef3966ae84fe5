"""The control plane and the command line of ``tests/cli``."""

from tests.cli.conftest import control_plane, offline, weft

__all__ = ["control_plane", "offline", "weft"]
