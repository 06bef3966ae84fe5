"""Answers about objects: in the version, the shape and with the metadata that the client asked for."""

from starlette.requests import Request

from weft.api.errors import Json
from weft.api.lists import Page
from weft.api.negotiate import Form, form_of
from weft.api.objects import served
from weft.api.paths import Target
from weft.api.table import META, Shape, Tables, partial
from weft.model.document import Document


class Answers:
    """Makes the answers to one request. Raises ``ApiError`` 406 when none would be understood."""

    def __init__(self, request: Request, target: Target, now: float) -> None:
        self._target = target
        self._form: Form = form_of(request)
        include = request.query_params.get("includeObject", "Metadata")
        self._tables = Tables(target.resource, self._form.version, include, now)

    def one(self, document: Document) -> Json:
        """One object."""
        content = served(document, self._target.api_version)
        match self._form.shape:
            case Shape.TABLE:
                return self._tables.table([content], _revision(content["metadata"].get("resourceVersion", "")))
            case Shape.PARTIAL | Shape.PARTIAL_LIST:
                return partial(content, self._form.version)
        return content

    def page(self, page: Page) -> Json:
        """A list."""
        metadata = _revision(str(page.revision))
        if page.token:
            metadata["continue"] = page.token
            if page.remaining is not None:
                metadata["remainingItemCount"] = page.remaining
        contents = [served(document, self._target.api_version) for document in page.documents]
        match self._form.shape:
            case Shape.TABLE:
                return self._tables.table(contents, metadata)
            case Shape.PARTIAL | Shape.PARTIAL_LIST:
                items = [partial(content, self._form.version) for content in contents]
                head = {"kind": "PartialObjectMetadataList", "apiVersion": f"{META}/{self._form.version}"}
                return head | {"metadata": metadata, "items": items}
        head = {"kind": f"{self._target.resource.kind.kind}List", "apiVersion": self._target.api_version}
        return head | {"metadata": metadata, "items": contents}

    def event(self, document: Document, revision: int, first: bool) -> Json:
        """The object of an event of a watch; only the first table has columns."""
        content = served(document, self._target.api_version)
        content["metadata"]["resourceVersion"] = str(revision)
        match self._form.shape:
            case Shape.TABLE:
                return self._tables.table([content], _revision(str(revision)), with_columns=first)
            case Shape.PARTIAL | Shape.PARTIAL_LIST:
                return partial(content, self._form.version)
        return content

    def bookmark(self, revision: int, initial: bool) -> Json:
        """The object of a bookmark: a revision, and whether it ends the initial events."""
        metadata = _revision(str(revision))
        if initial:
            metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
        match self._form.shape:
            case Shape.TABLE:
                return self._tables.table([], metadata, with_columns=False)
            case Shape.PARTIAL | Shape.PARTIAL_LIST:
                head = {"kind": "PartialObjectMetadata", "apiVersion": f"{META}/{self._form.version}"}
                return head | {"metadata": metadata}
        head = {"kind": self._target.resource.kind.kind, "apiVersion": self._target.api_version}
        return head | {"metadata": metadata}


def _revision(text: str) -> Json:
    return {"resourceVersion": text}
