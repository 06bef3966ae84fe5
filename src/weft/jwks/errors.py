"""Why keys cannot be had."""

from weft.kit.errors import WeftError


class Unfetched(WeftError):
    """Keys were not fetched; the message says why, in words for whoever wrote the document."""
