"""The command line's client of the API: HTTP in, JSON out, every refusal an error that says what to do."""

import errno
import os
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import httpx2
import msgspec

from weft.cli.connection import Connection
from weft.cli.errors import TooLate
from weft.cli.logged_in import token_at
from weft.kit.errors import Denied, Missing, Unreachable, UserError
from weft.model.finding import Finding

_TIMEOUT = httpx2.Timeout(30.0, connect=5.0)
_START = "start one with `weft up`, or set WEFT_ADDR"
JSON = "application/json"


class _Findings(msgspec.Struct):
    findings: tuple[Finding, ...] = ()


class Status(msgspec.Struct):
    """Kubernetes' ``Status``, with weft's findings beside it."""

    message: str = ""
    reason: str = ""
    code: int = 0
    weft: _Findings = msgspec.field(default_factory=_Findings)


class Refused(UserError):
    """The API refused a request; ``findings`` says why in detail, if it knows."""

    def __init__(self, status: Status) -> None:
        super().__init__(_lowered(status.message) or "the control plane refused the request")
        self.status = status
        self.findings = status.weft.findings


class Client:
    """A connection to the control plane. Close it, or use it in a ``with`` block."""

    def __init__(self, connection: Connection, token: str | None = None, seconds: float | None = None) -> None:
        """``token``: instead of what the connection's user has. ``seconds``: the most that an answer may take."""
        self._connection = connection
        login = token_at(connection.address) if connection.login and token is None else None
        self._logged_in = login is not None
        self._http = httpx2.Client(
            base_url=connection.address,
            headers=_credential(connection, token or login),
            verify=_tls(connection),
            timeout=seconds or _TIMEOUT,
            trust_env=False,
        )

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, *, accept: str = JSON, **params: str) -> Any:
        """The JSON at a path."""
        return self.ask("GET", path, headers={"Accept": accept}, params=params).json()

    def post(self, path: str, content: Any) -> Any:
        """Post JSON, get JSON."""
        return self.ask("POST", path, content=msgspec.json.encode(content), headers={"Content-Type": JSON}).json()

    def put(self, path: str, content: Any) -> Any:
        """Put JSON, get JSON."""
        return self.ask("PUT", path, content=msgspec.json.encode(content), headers={"Content-Type": JSON}).json()

    def ask(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """Send a request; an answer that is no success is raised as the error it means."""
        with self._told():
            answer = self._http.request(method, path, **options)
        self._check(answer)
        return answer

    def lines(self, path: str, *, accept: str = JSON, **params: str) -> Iterator[str]:
        """The lines of an answer that does not end (a watch)."""
        return self.lines_of(path, list(params.items()), accept=accept)

    def lines_of(self, path: str, params: Sequence[tuple[str, str]], *, accept: str) -> Iterator[str]:
        """As ``lines``, with parameters of which there may be several of a name."""
        forever = httpx2.Timeout(None, connect=5.0)
        asked = urlencode(params)
        stream = self._http.stream("GET", path, params=asked, headers={"Accept": accept}, timeout=forever)
        with self._told(), stream as answer:
            if not answer.is_success:
                answer.read()
            self._check(answer)
            yield from answer.iter_lines()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except httpx2.ConnectTimeout:
            raise self._unreachable("no answer") from None
        except httpx2.TimeoutException:
            raise TooLate(f"the control plane at {self._connection.address} did not answer in time") from None
        except httpx2.TransportError as error:
            raise self._unreachable(_reason(error)) from error

    def _unreachable(self, reason: str) -> Unreachable:
        sentence = f"cannot reach the control plane at {self._connection.address} ({reason})"
        if reason == _UNTRUSTED:
            return Unreachable(sentence, help=f"name its CA with --ca-file; {self._connection.ca_file} was tried")
        return Unreachable(sentence, help=_START)

    def _check(self, answer: httpx2.Response) -> None:
        if answer.is_success:
            return
        status = _status(answer)
        match answer.status_code:
            case 401:
                raise self._denied()
            case 403:
                raise Denied(_lowered(status.message) or "this token may not do that")
            case 404:
                raise Missing(_lowered(status.message) or f"nothing at {answer.request.url.path}")
            case 504 | 408:
                raise TooLate(_lowered(status.message) or "the control plane did not answer in time")
            case _:
                raise Refused(status)

    def _denied(self) -> Denied:
        file = self._connection.token_file
        if self._connection.certificate is not None:
            return Denied(
                f"the control plane at {self._connection.address} does not accept the certificate in "
                f"{self._connection.certificate}",
                help="it must be of a CA that `weft up --client-ca-file` names, or of the mesh",
            )
        if self._logged_in:
            return Denied(
                f"the control plane at {self._connection.address} does not accept the login",
                help="log in again with `weft auth login`, or `weft auth logout`",
            )
        if not file.is_file():
            return Denied(f"the control plane wants a token and there is no {file}", help="name one with --token-file")
        return Denied(f"the control plane does not accept the token in {file}", help="name another with --token-file")


_UNTRUSTED = "its certificate is not signed by a CA that is trusted"


def _credential(connection: Connection, token: str | None) -> dict[str, str]:
    if token is not None:
        return {"Authorization": f"Bearer {token}"}
    if connection.certificate is not None:
        return {}
    try:
        token = connection.token_file.read_text().strip()
    except FileNotFoundError:
        return {}
    return {"Authorization": f"Bearer {token}"}


def _tls(connection: Connection) -> ssl.SSLContext:
    """Whom to trust, and what to show."""
    context = _trust(connection)
    if connection.certificate is not None:
        try:
            context.load_cert_chain(connection.certificate, connection.key)
        except (OSError, ssl.SSLError):
            raise UserError(
                f"{connection.certificate} and its key cannot be used",
                help="WEFT_CLIENT_CERTIFICATE and WEFT_CLIENT_KEY name PEM files that belong together",
            ) from None
    return context


def _trust(connection: Connection) -> ssl.SSLContext:
    """The CA of the connection alone; the system's when there is no such file."""
    try:
        pem = connection.ca_file.read_text(errors="replace")
    except FileNotFoundError:
        return ssl.create_default_context()
    try:
        return ssl.create_default_context(cadata=pem)
    except (ssl.SSLError, ValueError):
        raise UserError(f"{connection.ca_file} holds no certificate", help="it must be a PEM file") from None


def _reason(error: BaseException) -> str:
    """The operating system's words for what went wrong, found down the chain of causes."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(cause):
            return _UNTRUSTED
        if isinstance(cause, ConnectionRefusedError):
            return os.strerror(errno.ECONNREFUSED).lower()
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
        cause = cause.__cause__ or cause.__context__
    return str(error).lower() or type(error).__name__


def _status(answer: httpx2.Response) -> Status:
    try:
        return msgspec.json.decode(answer.content, type=Status)
    except msgspec.MsgspecError:
        return Status(message=f"the control plane answered {answer.status_code}", code=answer.status_code)


def _lowered(text: str) -> str:
    """A sentence as an error starts: names such as ``VirtualService`` stay as they are."""
    first = text.partition(" ")[0]
    return (text[:1].lower() + text[1:] if first.istitle() else text).removesuffix(".")
