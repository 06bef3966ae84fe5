"""Who may renew a certificate that has ended: the owner of its key, of the newest of its line, for a while."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from weft.ca.authority import Authority
from weft.ca.late import LateRenewals, NotAgain
from weft.ca.ledger import Ledger, digest_of
from weft.kit.clock import FakeClock
from weft.model.identity import Identity
from weft.store.memory import MemoryStore

pytestmark = pytest.mark.asyncio
WEB = Identity(trust_domain="cluster.local", namespace="shop", account="web")
DAY = 86_400.0


class Host:
    """A key, and requests that it signs."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())

    @property
    def csr(self) -> bytes:
        asked = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(self.key, hashes.SHA256())
        return asked.public_bytes(serialization.Encoding.PEM)


class Rig:
    def __init__(self, authority: Authority, clock: FakeClock) -> None:
        self.authority = authority
        self.clock = clock
        self.ledger = Ledger(MemoryStore(clock), clock, keep=30 * DAY)
        self.late = LateRenewals(self.ledger, clock, window=30 * DAY)

    async def issue(self, host: Host, shown: str = "") -> str:
        leaf = self.authority.sign(host.csr, WEB)
        await self.ledger.issued(digest_of(leaf.chain), leaf.expires, WEB, "web-1", shown)
        return leaf.chain


@pytest.fixture
def rig(authority: Authority, clock: FakeClock) -> Rig:
    return Rig(authority, clock)


async def test_the_owner_of_the_key_comes_back_within_the_window(rig: Rig) -> None:
    host = Host()
    chain = await rig.issue(host)
    rig.clock.advance(25 * DAY)
    line, digest = rig.late.line_of(chain, host.csr)
    assert (line.identity, line.name, digest) == (WEB, "web-1", digest_of(chain))


async def test_after_the_window_it_is_said_how_late_it_is(rig: Rig) -> None:
    host = Host()
    chain = await rig.issue(host)
    rig.clock.advance(33 * DAY)
    with pytest.raises(NotAgain, match="ended 32 days ago, it could be renewed for 30 days"):
        rig.late.line_of(chain, host.csr)


async def test_another_key_proves_nothing(rig: Rig) -> None:
    chain = await rig.issue(Host())
    with pytest.raises(NotAgain, match="another key"):
        rig.late.line_of(chain, Host().csr)


async def test_a_certificate_that_was_not_issued_here_is_unknown(rig: Rig) -> None:
    host = Host()
    chain = rig.authority.sign(host.csr, WEB).chain
    with pytest.raises(NotAgain, match="not known here"):
        rig.late.line_of(chain, host.csr)


async def test_an_old_copy_of_a_hosts_files_opens_nothing(rig: Rig) -> None:
    first, host = Host(), Host()
    old = await rig.issue(first)
    before = await rig.issue(host, shown=digest_of(old))
    newest = await rig.issue(host, shown=digest_of(before))
    rig.clock.advance(2 * DAY)
    for chain in (before, newest):
        rig.late.line_of(chain, host.csr)
    with pytest.raises(NotAgain, match="renewed since"):
        rig.late.line_of(old, first.csr)


@pytest.mark.parametrize("chain", ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "é"])
async def test_what_is_no_certificate_is_refused(rig: Rig, chain: str) -> None:
    with pytest.raises(NotAgain):
        rig.late.line_of(chain, Host().csr)
