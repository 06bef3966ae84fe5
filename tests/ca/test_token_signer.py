"""The key of the authority in a PKCS #11 token: SoftHSM, as an operator sets it up."""

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pkcs11
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.ca.chains import REVIEWS, Maker, csr, is_believed, parsed
from tests.cli.conftest import run_weft
from weft.ca.certificates import intermediate_certificate, pem_of, root_certificate
from weft.ca.choice import read_choice
from weft.ca.offline import sign_request
from weft.ca.opening import Place, open_signer, token_of
from weft.ca.roots import Root
from weft.ca.signer import Signer, SignerAway
from weft.ca.token_keys import TokenPlace, TokenSession, key_in_token
from weft.ca.token_signer import TokenSigner, made_request, made_root
from weft.kit.clock import FakeClock
from weft.kit.errors import UserError
from weft.kit.sealing import Keyring, SealingKey

NOW = 1_700_000_000.0
PIN = "314159"
MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")
MODULE = next((Path(one) for one in MODULES if Path(one).exists()), None)

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.skipif(
        MODULE is None or shutil.which("softhsm2-util") is None, reason="softhsm2 is not installed: no token to try"
    ),
]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """SoftHSM with an empty token; the library reads its configuration once in a process."""
    directory = tmp_path_factory.mktemp("softhsm")
    (directory / "tokens").mkdir()
    configuration = directory / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {directory / 'tokens'}\nobjectstore.backend = file\n")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SOFTHSM2_CONF", str(configuration))
        command = ["softhsm2-util", "--init-token", "--free", "--label", "mesh", "--pin", PIN, "--so-pin", "271828"]
        subprocess.run(command, check=True, capture_output=True, timeout=30)
        yield directory


def written(directory: Path, tokens: Path, label: str, **changes: str) -> Path:
    """The file of ``--ca-config``."""
    (directory / "pin").write_text(PIN + "\n")
    chosen = {
        "module": str(MODULE),
        "token": "mesh",
        "key": label,
        "certificate": str(directory / "ca-cert.pem"),
        "roots": str(directory / "root-cert.pem"),
        "pinFile": str(directory / "pin"),
    } | changes
    file = directory / "ca.yaml"
    file.write_text("pkcs11:\n" + "".join(f"  {name}: {value}\n" for name, value in chosen.items()))
    return file


async def opened(file: Path, clock: FakeClock) -> Signer:
    place = Place(directory=file.parent / "ca", trust_domain="cluster.local", lifetime=3600.0)
    return await open_signer(read_choice(file), place, Keyring((SealingKey(b"k" * 32),)), clock)


def logged_out() -> None:
    """Who logged in to a token did so for the whole process."""
    pkcs11.lib(str(MODULE)).reinitialize()


def directly() -> pkcs11.Session:
    logged_out()
    return pkcs11.lib(str(MODULE)).get_token(token_label="mesh").open(user_pin=PIN, rw=True)


def created(file: Path, key: str) -> str:
    chosen = read_choice(file).pkcs11
    assert chosen is not None
    place, pin = token_of(chosen)
    return made_root(place, pin, "cluster.local", NOW)


async def test_a_root_is_made_in_the_token_and_signs_there(tmp_path: Path, tokens: Path, clock: FakeClock) -> None:
    file = written(tmp_path, tokens, "one")
    root = created(file, "one")
    (tmp_path / "ca-cert.pem").write_text(root)
    (tmp_path / "root-cert.pem").write_text(root)
    signer = await opened(file, clock)
    leaf = await signer.issue(csr(), REVIEWS)
    assert signer.bundle == root
    assert is_believed(leaf.chain, root, NOW)
    assert is_believed(signer.listener(("mesh.example",)).chain.decode(), root, NOW)
    assert (tmp_path / "ca" / "root.pem").read_text() == root
    assert [one.name for one in (tmp_path / "ca").iterdir()] == ["root.pem"]
    with pytest.raises(UserError, match="has a key one already"):
        created(file, "one")


async def test_the_key_cannot_be_taken_out_of_the_token(tmp_path: Path, tokens: Path) -> None:
    created(written(tmp_path, tokens, "kept"), "kept")
    with directly() as session:
        key = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label="kept")
        assert not key[pkcs11.Attribute.EXTRACTABLE]
        assert key[pkcs11.Attribute.SENSITIVE]


async def test_another_authority_signs_the_request_of_the_token(tmp_path: Path, tokens: Path, clock: FakeClock) -> None:
    file = written(tmp_path, tokens, "below")
    chosen = read_choice(file).pkcs11
    assert chosen is not None
    request = made_request(*token_of(chosen)).encode()
    key = ec.generate_private_key(ec.SECP256R1())
    root = Root(key, root_certificate(key, "cluster.local", NOW))
    (tmp_path / "ca-cert.pem").write_text(sign_request(root, request, NOW, 86400.0))
    (tmp_path / "root-cert.pem").write_text(root.pem)
    signer = await opened(file, clock)
    leaf = await signer.issue(csr(), REVIEWS)
    assert len(parsed(leaf.chain)) == 2
    assert is_believed(leaf.chain, root.pem, NOW)
    clock.advance(86400)
    with pytest.raises(SignerAway, match="has ended"):
        await signer.issue(csr(), REVIEWS)


async def test_an_rsa_key_signs_too(tmp_path: Path, tokens: Path, clock: FakeClock) -> None:
    with directly() as session:
        public, _ = session.generate_keypair(pkcs11.KeyType.RSA, 2048, store=True, label="rsa")
        modulus, exponent = public[pkcs11.Attribute.MODULUS], public[pkcs11.Attribute.PUBLIC_EXPONENT]
    half = rsa.RSAPublicNumbers(int.from_bytes(exponent), int.from_bytes(modulus)).public_key()
    place = TokenPlace(module=Path(str(MODULE)), token="mesh", key="rsa")
    key = key_in_token(TokenSession(place, PIN), half)
    root = Maker("root")
    (tmp_path / "root-cert.pem").write_text(root.pem)
    made = intermediate_certificate(root.certificate, root.key, half, "cluster.local", NOW, NOW + 86400)
    assert key.public_key() == half
    (tmp_path / "ca-cert.pem").write_text(pem_of(made))
    signer = await opened(written(tmp_path, tokens, "rsa"), clock)
    assert is_believed((await signer.issue(csr(), REVIEWS)).chain, root.pem, NOW)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"key": "nobody"}, "has not one private key nobody"),
        ({"token": "nowhere"}, "there is no token nowhere"),
        ({"module": "/nowhere.so"}, "is no PKCS #11 library"),
        ({"pinFile": "/nowhere"}, "cannot be read"),
        ({"roots": "/nowhere"}, "cannot be read"),
    ],
)
async def test_what_does_not_fit_is_told_without_the_pin(
    tmp_path: Path, tokens: Path, clock: FakeClock, changes: dict[str, str], said: str
) -> None:
    file = written(tmp_path, tokens, "any", **changes)
    root = Maker("root")
    (tmp_path / "ca-cert.pem").write_text(root.pem)
    (tmp_path / "root-cert.pem").write_text(root.pem)
    with pytest.raises(UserError, match=said) as told:
        await opened(file, clock)
    assert PIN not in str(told.value) + str(told.value.help)


async def test_the_certificate_of_another_key_and_a_wrong_pin_are_refused(
    tmp_path: Path, tokens: Path, clock: FakeClock
) -> None:
    file = written(tmp_path, tokens, "mine")
    created(file, "mine")
    other = Maker("other")
    (tmp_path / "ca-cert.pem").write_text(other.pem)
    (tmp_path / "root-cert.pem").write_text(other.pem)
    with pytest.raises(UserError, match="not that of the key in the token"):
        await opened(file, clock)
    (tmp_path / "pin").write_text("wrong")
    logged_out()
    with pytest.raises(UserError, match="cannot be opened"):
        await opened(file, clock)


async def test_a_session_that_was_lost_is_opened_again(tmp_path: Path, tokens: Path, clock: FakeClock) -> None:
    file = written(tmp_path, tokens, "lost")
    root = created(file, "lost")
    (tmp_path / "ca-cert.pem").write_text(root)
    (tmp_path / "root-cert.pem").write_text(root)
    signer = await opened(file, clock)
    assert isinstance(signer, TokenSigner)
    assert signer._session._session is not None
    signer._session._session.close()
    assert is_believed((await signer.issue(csr(), REVIEWS)).chain, root, NOW)


async def test_the_command_makes_a_root_or_a_request_and_tells_where_it_belongs(tmp_path: Path, tokens: Path) -> None:
    file = written(tmp_path, tokens, "by-command")
    made = await asyncio.to_thread(run_weft, "ca", "create-in-token", str(file), "--trust-domain", "shop.example")
    assert made.code == 0, made.err
    assert str(tmp_path / "ca-cert.pem") in made.err
    names = x509.load_pem_x509_certificate(made.out.encode()).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert [name.value for name in names.value] == ["spiffe://shop.example"]
    file = written(tmp_path, tokens, "by-command-too")
    asked = await asyncio.to_thread(run_weft, "ca", "create-in-token", str(file), "--request")
    assert x509.load_pem_x509_csr(asked.out.encode()).is_signature_valid
    again = await asyncio.to_thread(run_weft, "ca", "create-in-token", str(file))
    assert "has a key by-command-too already" in again.err
    assert PIN not in made.out + made.err + asked.out + asked.err + again.err
