"""Small private values beside the documents; a noun of the model so that every server can write one."""

from weft.kit.value import Value


class Record(Value):
    """A small private value (a token's hash, a lease): not a document, not listed by the API.

    ``expires`` is seconds since the epoch, ``None`` for never; an expired record does not exist.
    """

    bucket: str
    name: str
    value: bytes
    expires: float | None = None
