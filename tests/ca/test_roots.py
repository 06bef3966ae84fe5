"""A root is replaced in phases: what is believed and who signs in each, and whoever crashes finds a whole step."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from weft.ca.authority import Authority, open_authority, renew_authority
from weft.ca.roots import Phase
from weft.ca.rotator import Rotator
from weft.kit.clock import FakeClock
from weft.kit.errors import UserError
from weft.kit.sealing import Keyring, SealingKey
from weft.model.identity import Identity

REVIEWS = Identity(trust_domain="cluster.local", namespace="shop", account="reviews")
LIFETIME = 3600.0


def opened(directory: Path, clock: FakeClock, keyring: Keyring | None = None) -> Authority:
    return open_authority(
        directory / "ca", trust_domain="cluster.local", clock=clock, lifetime=LIFETIME, keyring=keyring
    )


def csr() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


def signed_by(authority: Authority, root: str) -> bool:
    leaf, intermediate = x509.load_pem_x509_certificates(authority.sign(csr(), REVIEWS).chain.encode())
    leaf.verify_directly_issued_by(intermediate)
    return intermediate.issuer == x509.load_pem_x509_certificate(root.encode()).subject


def test_in_every_phase_both_are_believed_and_one_signs(tmp_path: Path) -> None:
    authority = opened(tmp_path, FakeClock())
    old = authority.bundle
    authority.begin_rotation(eager=True)
    new = authority.bundle.removeprefix(old)
    assert authority.bundle == old + new
    assert signed_by(authority, old)
    authority.switch_signer()
    assert authority.bundle == old + new
    assert signed_by(authority, new)
    authority.finish_rotation()
    assert authority.bundle == new == (tmp_path / "ca" / "root.pem").read_text()
    assert signed_by(authority, new)
    assert authority.rotation.phase is Phase.NONE


def test_who_must_take_a_new_certificate_sees_it_by_the_tag(tmp_path: Path) -> None:
    authority = opened(tmp_path, FakeClock())
    tags = [authority.tag]
    for step in (lambda: authority.begin_rotation(eager=True), authority.switch_signer, authority.finish_rotation):
        step()
        tags.append(authority.tag)
    assert len(set(tags)) == 4


@pytest.mark.parametrize("steps", range(4))
def test_a_control_plane_that_is_killed_goes_on_in_the_phase_it_was_in(tmp_path: Path, steps: int) -> None:
    clock = FakeClock()
    authority = opened(tmp_path, clock)
    for step in (lambda: authority.begin_rotation(eager=True), authority.switch_signer, authority.finish_rotation)[
        :steps
    ]:
        step()
    again = opened(tmp_path, clock)
    assert (again.bundle, again.tag, again.rotation) == (authority.bundle, authority.tag, authority.rotation)
    assert again.signer.fingerprint == authority.signer.fingerprint


def killing(step: Callable[..., object], name: str) -> Callable[..., object]:
    """A change of files that is the last thing that happens when it is that of a file of this name."""

    def killed(path: Path, *arguments: object, **options: object) -> object:
        if path.name == name:
            raise KeyboardInterrupt
        return step(path, *arguments, **options)

    return killed


def test_a_last_step_that_was_begun_is_ended_at_the_next_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between any two of the changes of files that the last step consists of."""
    clock = FakeClock()
    for killed, name in (("replace", "next-root-key.pem"), ("unlink", "rotation.json")):
        directory = tmp_path / killed
        authority = opened(directory, clock)
        authority.begin_rotation(eager=True)
        authority.switch_signer()
        new = authority.signer.pem

        with monkeypatch.context() as patched:
            patched.setattr(Path, killed, killing(getattr(Path, killed), name))
            with pytest.raises(KeyboardInterrupt):
                authority.finish_rotation()
        again = opened(directory, clock)
        assert again.bundle == new
        assert again.rotation.phase is Phase.NONE
        names = sorted(file.name for file in (directory / "ca").iterdir())
        intermediate = f"intermediate-{again.fingerprint[:16]}.pem"
        assert names == [intermediate, "lock", "root-key.pem", "root.pem"]


def test_killed_before_the_first_phase_was_written_nothing_has_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()
    authority = opened(tmp_path, clock)
    old = authority.bundle

    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("weft.ca.roots.RootFiles.advance", kill)
        with pytest.raises(KeyboardInterrupt):
            authority.begin_rotation(eager=True)
    assert opened(tmp_path, clock).bundle == old
    assert not (tmp_path / "ca" / "next-root-key.pem").exists()


def test_it_is_taken_back_at_once_while_the_old_root_signs(tmp_path: Path) -> None:
    authority = opened(tmp_path, FakeClock())
    old, tag = authority.bundle, authority.tag
    authority.begin_rotation(eager=True)
    authority.abort_rotation()
    assert (authority.bundle, authority.tag) == (old, tag)
    with pytest.raises(UserError, match="nothing to take back"):
        authority.abort_rotation()


def test_once_the_next_root_signs_it_is_believed_until_everybody_came_back(tmp_path: Path) -> None:
    authority = opened(tmp_path, FakeClock())
    old = authority.bundle
    authority.begin_rotation(eager=True)
    authority.switch_signer()
    both = authority.bundle
    authority.abort_rotation()
    assert authority.bundle == both
    assert signed_by(authority, old)
    authority.forget_rotation()
    assert authority.bundle == old


def test_the_next_root_is_sealed_too_and_brought_under_a_new_key(tmp_path: Path) -> None:
    clock, first, second = FakeClock(), SealingKey(b"1" * 32), SealingKey(b"2" * 32)
    authority = opened(tmp_path, clock, Keyring((first,)))
    authority.begin_rotation(eager=True)
    for name in ("root-key.pem", "next-root-key.pem"):
        assert b"PRIVATE KEY" not in (tmp_path / "ca" / name).read_bytes()
    renew_authority(tmp_path / "ca", Keyring((second, first)))
    assert opened(tmp_path, clock, Keyring((second,))).bundle == authority.bundle


class Followed:
    """A rotation with workloads that follow when they are told to."""

    def __init__(self, directory: Path, *names: str) -> None:
        self.clock = FakeClock()
        self.authority = opened(directory, self.clock)
        self.changes = 0
        self.rotator = Rotator(self.authority, self.clock, self._changed)
        self.held = dict.fromkeys(names, self.authority.tag)

    def _changed(self) -> None:
        self.changes += 1

    def pass_time(self, seconds: float, *following: str) -> Phase:
        """Time in which those who follow ask and renew, and the others ask and hold what they have."""
        for _ in range(int(seconds // 20)):
            self.clock.advance(20)
            for name, tag in self.held.items():
                self.rotator.asked(REVIEWS, name, tag)
                if name in following:
                    self.held[name] = self.authority.tag
            self.rotator.step()
        return self.authority.rotation.phase


def test_nobody_is_left_behind(tmp_path: Path) -> None:
    mesh = Followed(tmp_path, "a", "b")
    mesh.rotator.begin(eager=True)
    assert mesh.pass_time(600, "a") is Phase.DISTRIBUTE
    assert [one.name for one in mesh.rotator.behind()] == ["b"]
    while mesh.pass_time(20, "a", "b") is Phase.DISTRIBUTE:
        pass
    assert mesh.authority.rotation.phase is Phase.SIGN
    mesh.held["b"] = "what it held before"
    assert mesh.pass_time(600, "a") is Phase.SIGN
    assert mesh.pass_time(100, "a", "b") is Phase.NONE
    assert len(mesh.authority.roots) == 1
    assert mesh.changes == 3


def test_without_haste_the_old_root_is_believed_until_its_last_certificate_has_ended(tmp_path: Path) -> None:
    mesh = Followed(tmp_path, "a")
    mesh.rotator.begin(eager=False)
    while mesh.pass_time(20, "a") is Phase.DISTRIBUTE:
        pass
    assert mesh.pass_time(LIFETIME - 40, "a") is Phase.SIGN
    assert mesh.pass_time(80, "a") is Phase.NONE


def test_a_control_plane_that_just_started_waits_until_everybody_had_time_to_ask(tmp_path: Path) -> None:
    mesh = Followed(tmp_path)
    mesh.rotator.begin(eager=True)
    assert mesh.pass_time(20) is Phase.DISTRIBUTE
    assert mesh.pass_time(20) is Phase.SIGN


def test_who_went_away_is_not_waited_for(tmp_path: Path) -> None:
    mesh = Followed(tmp_path, "a", "gone")
    mesh.rotator.begin(eager=True)
    assert mesh.pass_time(200, "a") is Phase.DISTRIBUTE
    del mesh.held["gone"]
    assert mesh.pass_time(100, "a") is not Phase.DISTRIBUTE


def test_dropping_early_is_only_possible_when_the_next_root_signs(tmp_path: Path) -> None:
    mesh = Followed(tmp_path, "a")
    for phase in (Phase.NONE, Phase.DISTRIBUTE):
        with pytest.raises(UserError, match="does not sign yet"):
            mesh.rotator.drop()
        if phase is Phase.NONE:
            mesh.rotator.begin(eager=False)
    while mesh.pass_time(20, "a") is Phase.DISTRIBUTE:
        pass
    mesh.rotator.drop()
    assert mesh.authority.rotation.phase is Phase.NONE
