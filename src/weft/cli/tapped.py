"""How live requests are shown: a line each, JSON, a HAR file, or commands that send them again."""

import base64
import shlex
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

import msgspec

from weft.cli.listing import written
from weft.cli.talk import coloured, give
from weft.cli.traffic import milliseconds, size
from weft.kit.redaction import HIDDEN

Item = dict[str, Any]
_HEAD = ("TIME", "SOURCE", "DESTINATION", "METHOD", "REQUEST", "STATUS", "LATENCY", "BYTES")
_WIDTHS = (12, 18, 22, 7, 44, 6, 8, 9)
_NOT_SENT = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade", "expect"}
    | {"proxy-connection", "x-forwarded-proto", "x-forwarded-client-cert", "x-request-id", "x-envoy-attempt-count"}
)
"""What whoever sends a request makes anew."""


class Output(Protocol):
    """Shows items as they come."""

    def show(self, item: Item) -> None:
        """Show one."""
        ...

    def end(self) -> None:
        """There are no more."""
        ...


def output_of(name: str, *, across: bool = False) -> Output:
    """The output of a name; ``across``: namespaces are told too."""
    match name:
        case "json":
            return _Json()
        case "yaml":
            return _Yaml()
        case "name":
            return _Names()
        case "har":
            return _Har()
        case "curl":
            return _Curl()
    return _Lines(wide=name == "wide", across=across)


class _Json:
    def show(self, item: Item) -> None:
        give(msgspec.json.encode(item).decode())

    def end(self) -> None:
        return None


class _Yaml:
    """A document for each."""

    def show(self, item: Item) -> None:
        give(f"---\n{written(item, 'yaml')}")

    def end(self) -> None:
        return None


class _Names:
    """Who is called, once each."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def show(self, item: Item) -> None:
        end = item["destination"]
        name = f"{end['namespace']}/{end['workload'] or end['service'] or end['address']}".lstrip("/")
        if name not in self._given:
            self._given.add(name)
            give(printable(name))

    def end(self) -> None:
        return None


class _Lines:
    """A line for each, and below it what was asked for of headers and bodies."""

    def __init__(self, *, wide: bool, across: bool) -> None:
        self._wide = wide
        self._across = across
        self._begun = False

    def show(self, item: Item) -> None:
        if not self._begun:
            self._begun = True
            give(f"{_aligned(_HEAD)}NOTES")
        cells = (
            _time(item["at"]),
            self._end(item["source"]),
            self._end(item["destination"]),
            item.get("method") or "TCP",
            printable(_asked(item)),
            status_of(item),
            milliseconds(item["milliseconds"]),
            size(item["responseBytes"]),
        )
        give(_aligned(cells) + _notes(item))
        for name, value in _wide(item) if self._wide else ():
            give(f"    {name}: {printable(value)}")
        for which, sign in (("request", ">"), ("response", "<")):
            _give_message(item, which, sign)

    def end(self) -> None:
        return None

    def _end(self, end: dict[str, str]) -> str:
        name = end["workload"] or end["service"] or end["address"] or "-"
        return f"{end['namespace']}/{name}" if self._across and end["namespace"] else name


def status_of(item: Item) -> str:
    """The status, gRPC's where there is one; of a connection, whether it began or ended."""
    if "phase" in item:
        return str(item["phase"])
    return f"{item['status'] or '-'}" + (f"/{item['grpcStatus']}" if item.get("grpcStatus") else "")


def printable(text: str) -> str:
    """Text of others without what a terminal would obey."""
    return "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in text)


def _asked(item: Item) -> str:
    return f"{item['authority']}{item['path']}" if "path" in item else item["service"] or "-"


def _notes(item: Item) -> str:
    """What is out of the ordinary, in words."""
    found = ["mTLS" if item["mutualTls"] else coloured("plaintext", "warning")]
    if item.get("attempts", 0) > 1:
        found.append(f"{item['attempts'] - 1} retries")
    found += item.get("verdicts", [])
    if item["flags"]:
        found.append(coloured(f"{','.join(item['flags'])}: {item['reason']}", "warning"))
    return printable_but_colours(", ".join(found))


def printable_but_colours(text: str) -> str:
    """As ``printable``, for text that weft has coloured itself."""
    return "".join(sign if sign.isprintable() or sign == "\x1b" else "?" for sign in text)


def _wide(item: Item) -> list[tuple[str, str]]:
    said = {
        "from": f"{item['source']['identity'] or '-'} {item['source']['address']}",
        "to": f"{item['destination']['identity'] or '-'} {item['destination']['address']}",
        "service": item["service"],
        "route": item.get("route", ""),
        "protocol": f"{item['protocol']} {item['tlsVersion']}".strip(),
        "request id": item.get("requestId", ""),
        "trace": item.get("traceId", ""),
        "detail": item["detail"],
        "seen by": f"{item['proxy']} ({'callee' if item['side'] == 'in' else 'caller'})",
    }
    return [(name, value) for name, value in said.items() if value]


def _give_message(item: Item, which: str, sign: str) -> None:
    for name, value in item.get(f"{which}Headers", ()):
        give(f"    {sign} {printable(name)}: {printable(value)}")
    body = item.get(f"{which}Body")
    if body:
        text = body.get("text")
        told = f"({len(base64.b64decode(body['base64']))} bytes that are no text)" if text is None else text
        lines = told.splitlines() or [""]
        for line in lines:
            give(f"    {sign}   {printable(line)}")
        if body["cut"]:
            give(f"    {sign}   ... of {size(item[f'{which}Bytes'])}")


def _aligned(cells: tuple[str, ...]) -> str:
    return "".join(f"{cell:<{width}} " for cell, width in zip(cells, _WIDTHS, strict=True))


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]


class _Curl:
    """A command for each request; what was hidden is a variable that whoever runs it sets."""

    def show(self, item: Item) -> None:
        if item["type"] == "request":
            give(curl_of(item))

    def end(self) -> None:
        return None


def curl_of(item: Item) -> str:
    """The command, after a line that says what the request was."""
    said = printable(f"# {_time(item['at'])} {item['method']} {item['authority']}{item['path']} {status_of(item)}")
    words = ["curl", "-sS", "-g", "-X", _quoted(item["method"]), _quoted(url_of(item))]
    for name, value in sendable(item):
        words += ["-H", _header(name, value)]
    body, before = item.get("requestBody"), ""
    if body is not None and "text" in body:
        words += ["--data-raw", _quoted(body["text"])]
    elif body is not None:
        before, words = f"base64 -d <<<{_quoted(body['base64'])} | ", [*words, "--data-binary", "@-"]
    cut = "\n# of the body, only the beginning is known" if body is not None and body["cut"] else ""
    return f"{said}{cut}\n{before}{' '.join(words)}"


def _header(name: str, value: str) -> str:
    if value != HIDDEN:
        return _quoted(f"{name}: {value}")
    variable = "".join(sign if sign.isalnum() else "_" for sign in name.upper())
    return f'{_quoted(f"{name}: ")}"${variable}"'


def _quoted(text: str) -> str:
    """A word of a shell, in which nothing stands that a terminal would obey."""
    if text.isprintable():
        return shlex.quote(text)
    signs = (sign if sign.isprintable() and sign not in "\\'" else _escaped(sign) for sign in text)
    return f"$'{''.join(signs)}'"


def _escaped(sign: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in sign.encode("utf-8", "surrogatepass"))


def sendable(item: Item) -> list[tuple[str, str]]:
    """The headers that a request is sent again with."""
    pairs = ((str(name), str(value)) for name, value in item.get("requestHeaders", ()))
    return [(name, value) for name, value in pairs if name not in _NOT_SENT and not name.startswith((":", "x-envoy-"))]


def url_of(item: Item) -> str:
    """The URL that was asked for; what was hidden in it says so."""
    path = item["path"].replace(HIDDEN, "REDACTED")
    return f"{item['scheme'] or 'http'}://{item['authority']}{path}"


class _Har:
    """All of them in one HAR 1.2 document, at the end."""

    def __init__(self) -> None:
        self._entries: list[Item] = []

    def show(self, item: Item) -> None:
        if item["type"] == "request":
            self._entries.append(har_entry(item))

    def end(self) -> None:
        creator = {"name": "weft", "version": version("weft")}
        log = {"version": "1.2", "creator": creator, "entries": self._entries}
        give(msgspec.json.format(msgspec.json.encode({"log": log}), indent=2).decode())


def har_entry(item: Item) -> Item:
    """A request as HAR has them (http://www.softwareishard.com/blog/har-12-spec/)."""
    took = item["milliseconds"]
    began = datetime.fromtimestamp(item["at"], UTC).isoformat(timespec="milliseconds")
    request: Item = {
        "method": item["method"],
        "url": url_of(item),
        "httpVersion": item["protocol"] or "HTTP/1.1",
        "cookies": [],
        "headers": _named(item, "request"),
        "queryString": _query(url_of(item)),
        "headersSize": -1,
        "bodySize": item["requestBytes"],
    }
    if "requestBody" in item:
        request["postData"] = {"mimeType": _type_of(item, "request"), **_text(item["requestBody"])}
    return {
        "startedDateTime": began,
        "time": took,
        "request": request,
        "response": _har_response(item),
        "cache": {},
        "timings": {"send": 0, "wait": took, "receive": 0},
        "_source": item["source"],
        "_destination": item["destination"],
        "_requestId": item["requestId"],
    }


def _har_response(item: Item) -> Item:
    body = item.get("responseBody")
    content: Item = {"size": item["responseBytes"], "mimeType": _type_of(item, "response")}
    location = [value for name, value in item.get("responseHeaders", ()) if name == "location"]
    return {
        "status": item["status"],
        "statusText": "",
        "httpVersion": item["protocol"] or "HTTP/1.1",
        "cookies": [],
        "headers": _named(item, "response"),
        "content": content | (_text(body) if body is not None else {}),
        "redirectURL": location[0] if location else "",
        "headersSize": -1,
        "bodySize": item["responseBytes"],
    }


def _named(item: Item, which: str) -> list[Item]:
    return [{"name": name, "value": value} for name, value in item.get(f"{which}Headers", ())]


def _query(url: str) -> list[Item]:
    return [{"name": name, "value": value} for name, value in parse_qsl(urlsplit(url).query, keep_blank_values=True)]


def _type_of(item: Item, which: str) -> str:
    return next((value for name, value in item.get(f"{which}Headers", ()) if name == "content-type"), "")


def _text(body: Item) -> Item:
    return {"text": body["text"]} if "text" in body else {"text": body["base64"], "encoding": "base64"}
