"""Whether a text is an expression in CEL that Envoy reads: a proxy would refuse its listener because of another one.

Only the grammar is looked at, and the names of functions; what a value is, only the proxy knows. Source of the grammar:
the Common Expression Language's specification; of the functions: what Envoy links.
"""

import re
from ast import literal_eval
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

_LONGEST, _DEEPEST, _LARGEST = 4096, 40, 2**63 - 1
_ESCAPE = r"\\(?:[abfnrtv\"'`\\?]|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2})"
_TOKEN = re.compile(
    r"\s*(?:(?P<number>0[xX][0-9a-fA-F]+[uU]?|(?:\d+\.\d+|\.\d+|\d+)(?:[eE][+-]?\d+)?[uU]?)"
    r"|(?P<text>[bB]?[rR][bB]?(?:\"[^\"\n]*\"|'[^'\n]*')"
    rf"|[bB]?(?:\"(?:[^\"\\\n]|{_ESCAPE})*\"|'(?:[^'\\\n]|{_ESCAPE})*'))"
    r"|(?P<name>[_a-zA-Z][_a-zA-Z0-9]*)"
    r"|(?P<sign>\|\||&&|<=|>=|==|!=|[-+*/%<>!?:.,()\[\]{}]))"
)
_RESERVED = frozenset((
    "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package",
    "namespace", "return", "var", "void", "while", "in",
))  # fmt: skip
_OF_ONE = ("size", "int", "uint", "double", "bytes", "bool", "type", "duration", "timestamp", "dyn", "has")
_OF_TWO = ("contains", "startsWith", "endsWith", "matches")
_FUNCTIONS = dict.fromkeys(_OF_ONE, (1,)) | dict.fromkeys(_OF_TWO, (2,))
_OF_TIMES = (
    "getFullYear", "getMonth", "getDayOfYear", "getDayOfMonth", "getDate", "getDayOfWeek", "getHours", "getMinutes",
    "getSeconds", "getMilliseconds",
)  # fmt: skip
_METHODS = {"size": (0,)} | dict.fromkeys(_OF_TWO, (1,)) | dict.fromkeys(_OF_TIMES, (0, 1))
_RELATIONS = frozenset(("<", "<=", ">", ">=", "==", "!=", "in"))


class _Token(NamedTuple):
    kind: str
    text: str


class _Fault(Exception):
    """What is wrong, in words."""


def fault_in_cel(text: str) -> str:
    """Why Envoy could not read an expression, "" where it can; ``patterns_in_cel`` are left to whoever knows RE2."""
    if not text.strip():
        return "the expression is empty"
    if len(text) > _LONGEST:
        return f"the expression has more than {_LONGEST} characters"
    try:
        _Reader(list(_tokens(text))).whole()
    except _Fault as fault:
        return str(fault)
    return ""


def patterns_in_cel(text: str) -> tuple[str, ...]:
    """The regular expressions that are written out in an expression that can be read."""
    tokens = list(_tokens(text))
    found = []
    for index, token in enumerate(tokens):
        if token.text == "matches" and token.kind == "name":
            rest = [one for one in tokens[index + 1 :] if one.kind == "text" or one.text == ")"]
            found += [literal_eval(one.text.lstrip("bB")) for one in rest[:1] if one.kind == "text"]
    return tuple(found)


def _tokens(text: str) -> Iterator[_Token]:
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            raise _Fault(f'"{text[at:].strip()[:20]}" cannot be read')
        yield _Token(found.lastgroup, found[found.lastgroup])
        at = found.end()


class _Reader:
    """Descends as the grammar does; each method reads what it is named after."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def whole(self) -> None:
        self._expression()
        if self._at < len(self._tokens):
            raise _Fault(f'"{self._tokens[self._at].text[:20]}" is too much')

    def _expression(self) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _Fault("the expression is too deep")
        self._chain()
        if self._take("?"):
            self._chain()
            self._need(":")
            self._expression()
        self._depth -= 1

    def _chain(self) -> None:
        """Operands between operators of two sides: which binds closer does not change what can be read."""
        self._operand()
        while self._peek() in _RELATIONS or self._peek() in ("||", "&&", "+", "-", "*", "/", "%"):
            self._at += 1
            self._operand()

    def _operand(self) -> None:
        while self._peek() in ("!", "-"):
            self._at += 1
        self._primary()
        while True:
            if self._take("."):
                name = self._name()
                if self._take("("):
                    self._called(name, _METHODS)
            elif self._take("["):
                self._expression()
                self._need("]")
            else:
                return

    def _primary(self) -> None:
        self._take(".")
        token = self._next()
        if token.kind == "number" and token.text.isdigit() and int(token.text) > _LARGEST:
            raise _Fault(f"{token.text[:40]} is too large")
        if token.kind in ("number", "text"):
            return
        if token.kind == "name":
            if token.text in _RESERVED:
                raise _Fault(f'"{token.text}" is a word of the language')
            if self._take("("):
                self._called(token.text, _FUNCTIONS)
            return
        match token.text:
            case "(":
                self._expression()
                self._need(")")
            case "[":
                self._listed("]", self._expression)
            case "{":
                self._listed("}", self._entry)
            case _:
                raise _Fault(f'"{token.text}" cannot stand here')

    def _called(self, name: str, known: Mapping[str, tuple[int, ...]]) -> None:
        if name not in known:
            raise _Fault(f"there is no function {name[:40]}")
        given = self._listed(")", self._expression)
        if given not in known[name]:
            raise _Fault(f"{name} takes {' or '.join(map(str, known[name]))} values, not {given}")
        if name == "has" and self._tokens[self._at - 3].text != ".":
            raise _Fault("has asks for a field, as in has(request.headers)")

    def _listed(self, end: str, one: Callable[[], None]) -> int:
        if self._take(end):
            return 0
        one()
        count = 1
        while self._take(","):
            one()
            count += 1
        self._need(end)
        return count

    def _entry(self) -> None:
        self._expression()
        self._need(":")
        self._expression()

    def _name(self) -> str:
        token = self._next()
        if token.kind != "name":
            raise _Fault(f'"{token.text[:20]}" is no name')
        return token.text

    def _peek(self) -> str:
        token = self._tokens[self._at] if self._at < len(self._tokens) else None
        return token.text if token is not None and token.kind != "text" else ""

    def _take(self, sign: str) -> bool:
        taken = self._peek() == sign
        self._at += taken
        return taken

    def _need(self, sign: str) -> None:
        if not self._take(sign):
            raise _Fault(f'"{sign}" is missing')

    def _next(self) -> _Token:
        if self._at >= len(self._tokens):
            raise _Fault("the expression ends too early")
        self._at += 1
        return self._tokens[self._at - 1]
