"""Which namespaces count."""

from tests.dialects.documents import document
from weft.dialects.link import link
from weft.dialects.translate import fragment_of
from weft.model.document import Document
from weft.model.mesh import Mesh
from weft.model.selector import LabelSelector, Operator, Requirement
from weft.model.settings import Settings

PORTS = "selector: {app: a}\nports: [{port: 80, name: http}]"


def namespace(name: str, labels: dict[str, str]) -> Document:
    return document("Namespace", "{}", name, namespace="", labels=labels)


def found(settings: Settings, *documents: Document) -> Mesh:
    return link(tuple(fragment_of(one, settings) for one in documents), settings, 1)


def spaces(mesh: Mesh) -> list[str]:
    return sorted(service.namespace for service in mesh.services.values())


DOCUMENTS = (
    namespace("shop", {"mesh": "on"}),
    namespace("other", {"mesh": "off"}),
    *(document("Service", PORTS, "a", namespace=name) for name in ("shop", "other", "bare", "istio-system")),
)


def test_without_selectors_every_namespace_counts() -> None:
    assert spaces(found(Settings(), *DOCUMENTS)) == ["bare", "istio-system", "other", "shop"]


def test_only_selected_namespaces_and_the_root_namespace_count() -> None:
    selected = Settings(discovery=(LabelSelector(labels=(("mesh", "on"),)),))
    assert spaces(found(selected, *DOCUMENTS)) == ["istio-system", "shop"]


def test_one_of_several_selectors_is_enough_and_a_namespace_without_a_document_has_its_name() -> None:
    by_name = Requirement(key="kubernetes.io/metadata.name", operator=Operator.IN, values=("bare",))
    selected = Settings(discovery=(LabelSelector(labels=(("mesh", "on"),)), LabelSelector(expressions=(by_name,))))
    assert spaces(found(selected, *DOCUMENTS)) == ["bare", "istio-system", "shop"]


def test_what_is_wrong_in_a_namespace_that_does_not_count_is_still_told() -> None:
    selected = Settings(discovery=(LabelSelector(labels=(("mesh", "on"),)),))
    mesh = found(selected, *DOCUMENTS, document("Service", "ports: 3", "bad", namespace="other"))
    assert [finding.code for finding in mesh.findings] == ["W0102"]


def test_namespaces_are_known_by_name_with_their_labels() -> None:
    (other, shop) = found(Settings(), *DOCUMENTS).namespaces
    assert (other.name, dict(other.labels)["mesh"], dict(shop.labels)["kubernetes.io/metadata.name"]) == (
        "other",
        "off",
        "shop",
    )
