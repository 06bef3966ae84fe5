"""The kinds that the control plane serves, found by its discovery documents."""

import difflib
from urllib.parse import quote

import msgspec

from weft.cli.client import Client
from weft.kit.errors import Missing
from weft.kit.value import Value


class Served(Value):
    """A kind as one version of the API serves it."""

    group: str
    version: str
    kind: str
    plural: str
    singular: str = ""
    short_names: tuple[str, ...] = ()
    namespaced: bool = True

    @property
    def full_name(self) -> str:
        """``virtualservice.networking.istio.io``, as results are told."""
        name = self.singular or self.kind.lower()
        return f"{name}.{self.group}" if self.group else name

    def path(self, namespace: str | None, name: str = "") -> str:
        """The path of the collection (of all namespaces for ``None``) or of one object."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        place = f"/namespaces/{quote(namespace, safe='')}" if self.namespaced and namespace else ""
        return f"{root}{place}/{self.plural}" + (f"/{quote(name, safe='')}" if name else "")

    def answers_to(self, word: str) -> bool:
        """Whether the user may mean this kind by ``word``."""
        plain, _, group = word.partition(".")
        names = {self.plural, self.singular, self.kind.lower(), *self.short_names}
        return plain in names and group in ("", self.group, f"{self.version}.{self.group}")


class _Resource(msgspec.Struct, rename="camel"):
    name: str
    kind: str
    namespaced: bool
    singular_name: str = ""
    short_names: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ("list",)


class _ResourceList(msgspec.Struct):
    resources: list[_Resource] = []


class _GroupVersion(msgspec.Struct, rename="camel"):
    group_version: str


class _Group(msgspec.Struct, rename="camel"):
    name: str
    preferred_version: _GroupVersion


class _GroupList(msgspec.Struct):
    groups: list[_Group] = []


class Kinds:
    """Discovery, asked once for each group and version."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[str, tuple[Served, ...]] = {}

    def named(self, word: str) -> Served:
        """The kind a user means by a plural, singular, short or full name. Raises ``Missing``."""
        word = word.lower()
        everything = self._preferred()
        for served in everything:
            if served.answers_to(word):
                return served
        names = sorted({name for served in everything for name in (served.plural, served.singular) if name})
        near = difflib.get_close_matches(word, names, n=1)
        guess = f"did you mean `{near[0]}`? " if near else ""
        raise Missing(f"there is no kind {word}", help=f"{guess}known are {', '.join(s.plural for s in everything)}")

    def of(self, api_version: str, kind: str) -> Served | None:
        """The kind of a document, ``None`` when it is not served."""
        return next((served for served in self._served(api_version) if served.kind == kind), None)

    def all(self) -> tuple[Served, ...]:
        """Every kind, in its preferred version."""
        return self._preferred()

    def kinds(self) -> tuple[str, ...]:
        """``apiVersion kind`` of everything that is served."""
        return tuple(f"{_version_text(served)} {served.kind}" for served in self._preferred())

    def _preferred(self) -> tuple[Served, ...]:
        groups = msgspec.convert(self._client.get("/apis"), _GroupList).groups
        versions = ["v1", *(group.preferred_version.group_version for group in groups)]
        return tuple(served for version in versions for served in self._served(version))

    def _served(self, api_version: str) -> tuple[Served, ...]:
        if api_version not in self._known:
            self._known[api_version] = self._ask(api_version)
        return self._known[api_version]

    def _ask(self, api_version: str) -> tuple[Served, ...]:
        group, _, version = api_version.rpartition("/")
        root = f"/apis/{quote(group, safe='')}" if group else "/api"
        try:
            found = msgspec.convert(self._client.get(f"{root}/{quote(version, safe='')}"), _ResourceList)
        except Missing:
            return ()
        return tuple(
            Served(
                group=group,
                version=version,
                kind=resource.kind,
                plural=resource.name,
                singular=resource.singular_name,
                short_names=resource.short_names,
                namespaced=resource.namespaced,
            )
            for resource in found.resources
            if "/" not in resource.name and "list" in resource.verbs
        )


def _version_text(served: Served) -> str:
    return f"{served.group}/{served.version}" if served.group else served.version
