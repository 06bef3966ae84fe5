"""Each trust domain has one bundle, and none is made of another's."""

from weft.model.settings import Settings
from weft.model.trust import bundles_of
from weft.model.trust_anchor import TrustAnchor


def bundles(*anchors: TrustAnchor, aliases: tuple[str, ...] = ()) -> dict[str, str]:
    settings = Settings(trust_domain="td", trust_domain_aliases=aliases, trust_anchors=anchors)
    return {one.trust_domain: one.pem for one in bundles_of(settings, "own ")}


def test_without_anchors_the_meshs_own_bundle_is_all_there_is() -> None:
    assert bundles(aliases=("old",)) == {}


def test_an_anchor_of_a_domain_is_of_that_domain_alone() -> None:
    anchor = TrustAnchor(pem="theirs ", domains=("far",))
    assert bundles(anchor, aliases=("old",)) == {"td": "own ", "old": "own ", "far": "theirs "}


def test_an_alias_with_an_anchor_of_its_own_is_not_the_meshs_any_more() -> None:
    assert bundles(TrustAnchor(pem="a ", domains=("old",)), aliases=("old",)) == {"td": "own ", "old": "a "}


def test_an_anchor_without_domains_is_another_root_of_the_mesh() -> None:
    anchors = (TrustAnchor(pem="second "), TrustAnchor(pem="a ", domains=("old",)))
    assert bundles(*anchors, aliases=("old", "older")) == {
        "td": "own second ",
        "old": "a ",
        "older": "own second ",
    }


def test_an_anchor_that_names_the_mesh_adds_to_it() -> None:
    assert bundles(TrustAnchor(pem="second ", domains=("td",))) == {"td": "own second "}
