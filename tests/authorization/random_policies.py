"""Random policies and requests of a small world, in which they meet often."""

from typing import Any

from hypothesis import strategies as st

from tests.authorization.cases import CASES
from weft.explain.question import Question

CALLERS = ("client", "curl", "bar", "foobar", "sa-dot")
PATHS = ("/", "/a", "/a/b", "/a/b/c", "/admin", "/admin/x", "/ab", "/a.b", "/axb", "/info", "/a/info", "/Admin")
METHODS = ("GET", "POST", "DELETE")
LOWER = ("get", "delete")
"""Envoy refuses those of HTTP/1.1 and forwards those of HTTP/2."""
HOSTS = ("a.com", "b.a.com", "A.com", "secret.com", "a.com:80", "prefix.org")
VALUES = ("1", "2", "12", "a,b", "b")
TOKENS = ("good", "bob", "groups", "groups2", "nested", "roleadmin", "scope", "urliss", "slashsub", "azp", "audlist")

_PATTERNS = {
    "principals": (
        "cluster.local/ns/foo/sa/sleep",
        "cluster.local/ns/foo/*",
        "*/sa/sleep",
        "*",
        "cluster.local/ns/foo/sa/a.b",
    ),
    "namespaces": ("foo", "ba*", "*bar", "*"),
    "serviceAccounts": ("sleep", "bar/sleep", "foo/a.b"),
    "trustDomains": ("cluster.local", "other*", "*"),
    "ipBlocks": ("127.0.0.1", "127.66.0.0/16", "10.0.0.0/8"),
    "remoteIpBlocks": ("127.0.0.0/8", "10.0.0.0/8"),
    "requestPrincipals": (
        "iss-1/alice",
        "iss-1/*",
        "*/alice",
        "*",
        "iss-1/team/alice",
        "*bob",
        "https://idp.example/realms/a/alice",
    ),
    "hosts": ("a.com", "*.com", "secret.com", "prefix*", "*", "a.com:*"),
    "ports": ("8080", "8081", "9000"),
    "methods": ("GET", "P*", "*ETE", "*"),
    "paths": ("/a", "/a/b", "/a*", "/admin/*", "*info", "*", "/{*}/b", "/a/{**}", "/a.b", "/{**}/c"),
}
_KEYS = {
    "request.headers[x-a]": (*VALUES, "1*", "*2", "*"),
    "request.headers[:method]": ("GET", "P*"),
    "source.ip": _PATTERNS["ipBlocks"],
    "remote.ip": _PATTERNS["remoteIpBlocks"],
    "source.namespace": _PATTERNS["namespaces"],
    "source.principal": _PATTERNS["principals"],
    "request.auth.principal": _PATTERNS["requestPrincipals"],
    "request.auth.audiences": ("svc-a", "svc*", "*"),
    "request.auth.presenter": ("client-1", "*"),
    "request.auth.claims[groups]": ("g1", "g2", "g*", "*"),
    "request.auth.claims[nested][key1]": ("v", "*"),
    "request.auth.claims[role]": ("admin", "adm*"),
    "request.auth.claims[scope]": ("read", "read write", "write"),
    "destination.port": ("8080", "9000"),
    "destination.ip": ("127.0.0.1", "10.0.0.0/8"),
    "connection.sni": ("a.com", "*"),
}
_ALONE = ("serviceAccounts",)
_EXCLUSIVE = ("principals", "namespaces")


def _some(values: tuple[str, ...]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True)


@st.composite
def _fields(draw: st.DrawFn, names: tuple[str, ...]) -> dict[str, list[str]]:
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True))
    if set(chosen) & set(_ALONE):
        chosen = [name for name in chosen if name not in _EXCLUSIVE]
    found = {}
    for name in chosen:
        written = f"not{name[0].upper()}{name[1:]}" if draw(st.booleans()) and draw(st.booleans()) else name
        found[written] = draw(_some(_PATTERNS[name]))
    return found


SOURCES = tuple(_PATTERNS)[:7]
OPERATIONS = tuple(_PATTERNS)[7:]


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    """A rule; seldom one that matches everything."""
    found: dict[str, Any] = {}
    if draw(st.booleans()):
        found["from"] = draw(st.lists(_fields(SOURCES).map(lambda one: {"source": one}), min_size=1, max_size=2))
    if draw(st.booleans()):
        found["to"] = draw(st.lists(_fields(OPERATIONS).map(lambda one: {"operation": one}), min_size=1, max_size=2))
    if not found or draw(st.booleans()):
        key = draw(st.sampled_from(sorted(_KEYS)))
        found["when"] = [{"key": key, draw(st.sampled_from(["values", "notValues"])): draw(_some(_KEYS[key]))}]
    return found


@st.composite
def policies(draw: st.DrawFn, most: int = 6) -> list[dict[str, Any]]:
    """Some policies of ALLOW and DENY, each with a name of its own."""
    found = []
    for index in range(draw(st.integers(0, most))):
        action = draw(st.sampled_from(["ALLOW", "DENY"]))
        found.append(policy(f"p{index}", action, draw(st.lists(rules(), min_size=1, max_size=3))))
    return found


def policy(name: str, action: str, wanted: list[dict[str, Any]]) -> dict[str, Any]:
    """A policy's document."""
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": {"name": name},
        "spec": {"action": action, "rules": wanted},
    }


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """A request in the words of the cases."""
    headers = [["x-a", draw(st.sampled_from(VALUES))]] if draw(st.booleans()) else []
    if draw(st.booleans()):
        headers.append(["authorization", "Bearer {{TOKEN:" + draw(st.sampled_from(TOKENS)) + "}}"])
    http = draw(st.sampled_from(["1.1", "2"]))
    return {
        "from": draw(st.sampled_from(CALLERS)),
        "port": draw(st.sampled_from(["http", "http2", "tcp"])),
        "http": http,
        "method": draw(st.sampled_from(METHODS + LOWER if http == "2" else METHODS)),
        "path": draw(st.sampled_from(PATHS)),
        "host": draw(st.sampled_from(HOSTS)),
        "headers": headers,
        **({"from_ip": "127.66.0.1"} if draw(st.booleans()) and draw(st.booleans()) else {}),
    }


def tokens_checked() -> dict[str, Any]:
    """What makes tokens count."""
    rules_ = [{"issuer": issuer, "jwks": "{{JWKS:k1,k2}}"} for issuer in ("iss-1", "https://idp.example/realms/a")]
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": "RequestAuthentication",
        "metadata": {"name": "ra"},
        "spec": {"jwtRules": rules_},
    }


def uri_of(caller: str) -> str:
    """The identity of a caller."""
    uri: str = CASES["identities"][caller]["uri"]
    return uri.removeprefix("spiffe://")


def changed(question: Question, **parts: Any) -> Question:
    """The question with other parts."""
    return Question(**{**vars(question), **parts})
