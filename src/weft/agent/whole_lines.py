"""Lines that several streams put into one log: each whole, though a program may write it in pieces."""

from collections.abc import Callable

_LONGEST = 64 * 1024


class WholeLines:
    """Passes on whole lines, and what is begun when it is long or nothing more comes."""

    def __init__(self, keep: Callable[[bytes], None]) -> None:
        self._keep = keep
        self._begun = b""

    def add(self, piece: bytes) -> None:
        """Take what a program wrote."""
        begun = self._begun + piece
        end = begun.rfind(b"\n") + 1 if len(begun) < _LONGEST else len(begun)
        self._begun = begun[end:]
        if end:
            self._keep(begun[:end])

    def end(self) -> None:
        """Pass on the line that is begun."""
        if self._begun:
            begun, self._begun = self._begun, b""
            self._keep(begun)
