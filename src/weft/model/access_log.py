"""Where proxies write a line for each call and connection, and what is in it."""

from weft.kit.value import Labels, Value


class FileLog(Value):
    """A file of the proxy's host, such as ``/dev/stdout``. ``fields`` makes JSON of names and formats, else ``text`` is
    the line, both with Envoy's substitutions (``%RESPONSE_CODE%``)."""

    path: str
    text: str = ""
    fields: Labels = ()
