"""Label and field selectors."""

import pytest

from weft.api.errors import ApiError
from weft.api.selectors import parse_selector
from weft.dialects.kubernetes.serve import SECRET, SERVICE
from weft.model.document import Document, Key

DOCUMENT = Document(
    key=Key(kind="K", namespace="shop", name="reviews"), content=b"{}", labels=(("app", "reviews"), ("tier", "back"))
)


@pytest.mark.parametrize(
    ("labels", "accepted"),
    [
        ("", True),
        ("app=reviews", True),
        ("app==reviews", True),
        ("app=ratings", False),
        ("app!=ratings", True),
        ("app!=reviews", False),
        ("none!=x", True),
        ("app", True),
        ("none", False),
        ("!none", True),
        ("! app", False),
        ("app in (reviews, ratings)", True),
        ("app in (ratings)", False),
        ("app notin (ratings)", True),
        ("none notin (a,b)", True),
        ("none in ()", False),
        ("app=reviews,tier=back", True),
        ("app in (reviews),tier notin (front), !none", True),
        ("app=reviews,tier=front", False),
        ("example.org/app-x", False),
        ("inn", False),
    ],
)
def test_labels_select(labels: str, accepted: bool) -> None:
    assert parse_selector(labels, "").accepts(DOCUMENT) is accepted


@pytest.mark.parametrize(
    ("fields", "accepted"),
    [
        ("metadata.name=reviews", True),
        ("metadata.name!=reviews", False),
        ("metadata.namespace==shop,metadata.name=reviews", True),
        ("metadata.namespace=other", False),
    ],
)
def test_fields_select(fields: str, accepted: bool) -> None:
    assert parse_selector("", fields).accepts(DOCUMENT) is accepted


@pytest.mark.parametrize(
    "labels", ["=", "a=b=c", "a in b", "a in (b", "a in (b,(c))", "a b", ",", "a=b,", "!a=b", "a>1", "ä=1"]
)
def test_what_is_no_label_selector_is_refused(labels: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse_selector(labels, "")
    assert refused.value.code == 400


@pytest.mark.parametrize("fields", ["spec.x=1", "metadata.name", "=", "metadata.name>1"])
def test_what_is_no_field_selector_is_refused(fields: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse_selector("", fields)
    assert refused.value.code == 400


def test_a_long_selector_is_parsed_in_linear_time() -> None:
    with pytest.raises(ApiError):
        parse_selector("a" * 50_000 + " ", "x")


@pytest.mark.parametrize(
    ("content", "fields", "accepted"),
    [
        (b'{"type":"kubernetes.io/tls"}', "type=kubernetes.io/tls", True),
        (b'{"type":"kubernetes.io/tls"}', "type!=kubernetes.io/tls", False),
        (b'{"type":"Opaque"}', "type=kubernetes.io/tls", False),
        (b'{"metadata":{"name":"a"},"type":"Opaque"}', "type=Opaque,metadata.name=a", True),
        (b'{"metadata":{"name":"a"},"type":"Opaque"}', "type=Opaque,metadata.name=b", False),
    ],
)
def test_kinds_of_kubernetes_are_chosen_by_fields_of_their_own(content: bytes, fields: str, accepted: bool) -> None:
    document = Document(key=Key(kind="Secret", namespace="shop", name="a"), content=content)
    assert parse_selector("", fields, SECRET.chosen_by).accepts(document) is accepted
    with pytest.raises(ApiError, match=r"only metadata\.name, metadata\.namespace, spec\.clusterIP, spec\.type"):
        parse_selector("", fields, SERVICE.chosen_by)
