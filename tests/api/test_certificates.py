"""Certificates as credentials: Kubernetes' words for the operator's, accounts for the mesh's, and their ends."""

import datetime
from typing import Any

import pytest
from msgspec.structs import replace

from tests.api.client_ca import ClientCa, Pair
from weft.api.certificates import BadCertificate, Certificates, Trusted
from weft.api.revocations import revocations_in
from weft.api.subjects import Shown, Subject
from weft.kit.clock import FakeClock
from weft.model.identity import Identity

NOW = FakeClock().now()
CLIENTS, MESH, FOREIGN = (ClientCa(name, NOW) for name in ("clients", "mesh", "foreign"))
BELOW = ClientCa("below clients", NOW, CLIENTS)
TRUSTED = Trusted(clients=(CLIENTS.der,), mesh=(MESH.der,))
WEB = "spiffe://cluster.local/ns/shop/sa/web"


def account(identity: Identity) -> Subject:
    return Subject(name=f"account {identity.namespace}/{identity.account}")


def subject(*chain: Pair, trusted: Trusted = TRUSTED, later: float = 0.0) -> Subject:
    clock = FakeClock()
    clock.advance(later)
    found = Certificates(lambda: trusted, "cluster.local", clock, account)
    return found.subject(Shown(chain=tuple(one.der for one in chain)))


def test_the_common_name_is_the_user_and_organisations_are_groups() -> None:
    found = subject(CLIENTS.issue("jane", groups=("devs", "ops")), CLIENTS)
    assert (found.name, found.groups) == ("jane", ("devs", "ops"))


def test_an_authority_below_a_root_counts_as_the_root() -> None:
    assert subject(BELOW.issue("jane"), BELOW, CLIENTS).name == "jane"


def test_a_certificate_of_the_mesh_is_its_account() -> None:
    assert subject(MESH.issue(uris=[WEB]), MESH).name == "account shop/web"


def test_what_a_certificate_says_of_itself_does_not_make_it_one_of_the_mesh() -> None:
    assert subject(CLIENTS.issue("jane", uris=[WEB]), CLIENTS).name == "jane"
    with pytest.raises(BadCertificate, match="common name"):
        subject(CLIENTS.issue(uris=[WEB]), CLIENTS)
    with pytest.raises(BadCertificate, match="no account"):
        subject(MESH.issue("root", groups=("system:masters",)), MESH)


@pytest.mark.parametrize(
    "uris",
    [
        (WEB, "spiffe://cluster.local/ns/shop/sa/other"),
        ("spiffe://other.domain/ns/shop/sa/web",),
        ("https://cluster.local/ns/shop/sa/web",),
        ("spiffe://cluster.local/ns/shop",),
    ],
)
def test_a_certificate_of_the_mesh_names_one_account_of_this_mesh(uris: tuple[str, ...]) -> None:
    with pytest.raises(BadCertificate, match="no account"):
        subject(MESH.issue(uris=uris), MESH)


@pytest.mark.parametrize(
    ("names", "groups"), [((), ()), (("a", "b"), ()), (("a b",), ()), (("a",), ("b c",)), (("a",), ["g"] * 101)]
)
def test_names_that_nobody_can_have_are_refused(names: Any, groups: Any) -> None:
    with pytest.raises(BadCertificate):
        subject(CLIENTS.issue(*names, groups=groups), CLIENTS)


def test_a_root_that_is_trusted_no_more_takes_its_certificates_with_it() -> None:
    for pair, root in ((CLIENTS.issue("jane"), CLIENTS), (MESH.issue(uris=[WEB]), MESH), (FOREIGN.issue("x"), FOREIGN)):
        with pytest.raises(BadCertificate, match="not trusted"):
            subject(pair, root, trusted=Trusted())


def test_a_connection_outlives_its_certificate_and_that_counts_no_more() -> None:
    shown = CLIENTS.issue("jane", lifetime=datetime.timedelta(hours=1))
    assert subject(shown, CLIENTS, later=3599).name == "jane"
    with pytest.raises(BadCertificate, match="ended"):
        subject(shown, CLIENTS, later=3600)


class TestRevocation:
    jane, john = CLIENTS.issue("jane"), BELOW.issue("john")

    def check(self, lists: bytes, *chain: Pair, later: float = 0.0) -> Subject:
        return subject(*chain, trusted=replace(TRUSTED, revocations=revocations_in(lists)), later=later)

    def test_who_was_taken_back_is_refused_and_others_are_not(self) -> None:
        lists = CLIENTS.revoked(self.jane)
        with pytest.raises(BadCertificate, match="was revoked"):
            self.check(lists, self.jane, CLIENTS)
        assert self.check(lists, CLIENTS.issue("other"), CLIENTS).name == "other"

    def test_a_list_of_the_mesh_is_not_asked_for(self) -> None:
        assert self.check(CLIENTS.revoked(), MESH.issue(uris=[WEB]), MESH).name == "account shop/web"

    def test_every_authority_of_the_chain_has_a_list(self) -> None:
        with pytest.raises(BadCertificate, match="is missing"):
            self.check(CLIENTS.revoked(), self.john, BELOW, CLIENTS)
        assert self.check(CLIENTS.revoked() + BELOW.revoked(), self.john, BELOW, CLIENTS).name == "john"
        with pytest.raises(BadCertificate, match="was revoked"):
            self.check(CLIENTS.revoked(BELOW) + BELOW.revoked(), self.john, BELOW, CLIENTS)

    def test_a_list_that_has_ended_says_nothing(self) -> None:
        lists = CLIENTS.revoked(lifetime=datetime.timedelta(minutes=1))
        assert self.check(lists, self.jane, CLIENTS).name == "jane"
        with pytest.raises(BadCertificate, match="has ended"):
            self.check(lists, self.jane, CLIENTS, later=61)

    def test_a_list_that_another_signed_says_nothing(self) -> None:
        forger = ClientCa("clients", NOW)
        with pytest.raises(BadCertificate, match="is missing"):
            self.check(forger.revoked(), self.jane, CLIENTS)

    @pytest.mark.parametrize("content", [b"", b"junk", b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"])
    def test_what_is_no_list_is_an_error(self, content: bytes) -> None:
        with pytest.raises(ValueError, match=r".+"):
            revocations_in(content)
