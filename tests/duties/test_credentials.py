"""Who is sent which secret: those that its resources name and that it may have, and no trace of others."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.agent.test_credentials_live import pair, secret
from tests.dialects.documents import document, linked
from tests.xds.certificates import Root
from weft._pb.envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from weft.compiler.credentials import uses_of
from weft.compiler.resource import CLUSTER, SECRET, Resources, SecretUse, resource
from weft.dialects.kubernetes.credentials import material_of, pair_fault, stored_credential
from weft.duties.credentials import SecretDelivery
from weft.model.credential import Credential
from weft.model.document import Document, Key
from weft.model.identity import Identity
from weft.store.memory import MemoryStore
from weft.view.build import view_of
from weft.view.node import GatewayPlace, Node
from weft.view.view import View

pytestmark = pytest.mark.asyncio
ROOT = Root()
OTHER = resource(CLUSTER, "other", b"")


def node(namespace: str = "shop", *, gateway: bool = True) -> Node:
    return Node(
        id=f"edge.{namespace}",
        namespace=namespace,
        workload="edge",
        identity=Identity(trust_domain="cluster.local", namespace=namespace, account="edge"),
        gateway=GatewayPlace(bind="127.0.0.1") if gateway else None,
    )


def use(name: str, *, authorities: bool = False, **options: object) -> SecretUse:
    credential = Credential(name=name, **options)  # type: ignore[arg-type]
    return SecretUse(name=f"kubernetes://{name}", credential=credential, authorities=authorities)


async def stored(*documents: Document) -> SecretDelivery:
    store = MemoryStore()
    for one in documents:
        await store.create(one)
    return SecretDelivery(store)


async def sent(delivery: SecretDelivery, to: Node, *uses: SecretUse, last: Resources | None = None) -> Resources:
    return await delivery.added(Resources(resources=(OTHER,), secrets=uses), to, last)


def names(found: Resources) -> list[str]:
    return [one.name for one in found.resources if one.type_url == SECRET]


async def test_a_proxy_is_sent_what_its_resources_name_and_nothing_else() -> None:
    delivery = await stored(secret("a", **pair(ROOT, "a.com")), secret("b", **pair(ROOT, "b.com")))
    found = await sent(delivery, node(), use("a"), use("absent"), use("../a"), use("shop/a"))
    assert names(found) == ["kubernetes://a"]
    assert OTHER in found.resources
    message = Secret.FromString(next(one.body for one in found.resources if one.type_url == SECRET))
    assert message.name == "kubernetes://a"
    assert b"PRIVATE KEY" in message.tls_certificate.private_key.inline_bytes


async def test_a_forbidden_secret_looks_like_one_that_is_not_there() -> None:
    delivery = await stored(secret("a", namespace="bank", **pair(ROOT, "a.com")))
    forbidden = await sent(delivery, node(), use("a", namespace="bank"))
    unknown = await sent(delivery, node(), use("a", namespace="nowhere"))
    assert forbidden.resources == unknown.resources == (OTHER,)
    assert names(await sent(delivery, node("bank"), use("a"))) == ["kubernetes://a"]
    assert names(await sent(delivery, node(), use("a", namespace="bank", granted=("shop",)))) == ["kubernetes://a"]
    assert names(await sent(delivery, node("web"), use("a", namespace="bank", granted=("shop",)))) == []


async def test_sidecars_are_not_sent_what_is_for_gateways() -> None:
    delivery = await stored(secret("a", **pair(ROOT, "a.com")))
    assert names(await sent(delivery, node(), use("a", gateways_only=True))) == ["kubernetes://a"]
    assert names(await sent(delivery, node(gateway=False), use("a", gateways_only=True))) == []
    assert names(await sent(delivery, node(gateway=False), use("a"))) == ["kubernetes://a"]


async def test_what_was_broken_since_stays_as_it_was_and_what_is_gone_goes() -> None:
    store = MemoryStore()
    delivery, good = SecretDelivery(store), pair(ROOT, "a.com")
    await store.create(secret("a", **good))
    first = await sent(delivery, node(), use("a"))
    await store.replace(secret("a", tls_crt=good["tls_crt"], tls_key=b"no key"), None)
    assert await sent(delivery, node(), use("a"), last=first) == first
    assert names(await sent(delivery, node(), use("a"))) == []
    await store.delete(secret("a").key, None)
    assert names(await sent(delivery, node(), use("a"), last=first)) == []


async def test_authorities_are_found_beside_the_certificate_then_with_it_then_in_a_config_map() -> None:
    roots = {name: Root(name) for name in ("beside", "with", "map")}
    config_map = Document(
        key=Key(kind="ConfigMap", namespace="shop", name="a"),
        content=b'{"data":{"ca.crt":%s}}' % _json(roots["map"].pem),
    )
    places = [secret("a-cacert", ca_crt=roots["beside"].pem), secret("a", cacert=roots["with"].pem), config_map]
    for start, expected in enumerate(roots.values()):
        found = await sent(await stored(*places[start:]), node(), use("a", authorities=True))
        (message,) = [Secret.FromString(one.body) for one in found.resources if one.type_url == SECRET]
        assert message.validation_context.trusted_ca.inline_bytes == expected.pem


def _json(pem: bytes) -> bytes:
    return b'"' + pem.replace(b"\n", b"\\n") + b'"'


async def test_a_view_without_kept_certificates_needs_none() -> None:
    assert uses_of(View(trust_domain="cluster.local")) == ()


async def test_the_generic_keys_win_over_those_of_tls_secrets() -> None:
    generic, tls = pair(ROOT, "generic.com"), pair(ROOT, "tls.com")
    document = secret("a", cert=generic["tls_crt"], key=generic["tls_key"], **tls)
    assert stored_credential(document).names == ("generic.com",)
    assert material_of(document).chain == generic["tls_crt"]


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ({}, "it has no tls.crt"),
        ({"tls_crt": ROOT.pem}, "it has no tls.key"),
        ({"tls_crt": b"x", "tls_key": b"y"}, "tls.crt is no certificate in PEM"),
        ({"tls_crt": ROOT.pem, "tls_key": b"y"}, "tls.key is no private key in PEM"),
        ({"tls_crt": ROOT.pem, "tls_key": ROOT.issue(x509.DNSName("a"))[0]}, "tls.key is not the key of"),
    ],
)
async def test_what_cannot_be_used_says_why(data: dict[str, bytes], fault: str) -> None:
    facts = stored_credential(secret("a", **data))
    assert not facts.certificate
    assert fault in facts.certificate_fault


async def test_what_is_known_of_a_secret_is_nothing_secret() -> None:
    made = pair(ROOT, "a.com")
    facts = stored_credential(secret("a", **made, password=b"correct-horse-battery"))
    key = made["tls_key"].splitlines()[1].decode()
    assert facts.certificate
    assert key not in repr(facts)
    assert "horse" not in repr(facts)
    assert facts.version == stored_credential(secret("a", **made)).version


async def test_an_rsa_key_is_looked_at_in_a_moment_and_one_with_wrong_parts_is_found() -> None:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([])
    start = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + timedelta(days=1))
    chain = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    document = secret("a", tls_crt=chain, tls_key=pem)
    began = time.process_time()
    assert stored_credential(document).certificate
    assert time.process_time() - began < 0.05
    numbers = key.private_numbers()
    spoiled = rsa.RSAPrivateNumbers(
        p=numbers.p,
        q=numbers.q,
        d=numbers.d + 2,
        dmp1=numbers.dmp1,
        dmq1=numbers.dmq1,
        iqmp=numbers.iqmp,
        public_numbers=numbers.public_numbers,
    ).private_key(unsafe_skip_rsa_key_validation=True)
    pem = spoiled.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert "do not fit together" in stored_credential(secret("a", tls_crt=chain, tls_key=pem)).certificate_fault


async def test_a_staple_is_sent_if_it_is_about_the_certificate_and_left_out_otherwise() -> None:
    made = pair(ROOT, "a.com")
    serial = x509.load_pem_x509_certificate(made["tls_crt"]).serial_number
    good, stale = ROOT.staple(serial), ROOT.staple(serial + 1)
    for staple, sent_staple in ((good, good), (stale, b""), (b"garbage", b"")):
        data = {key.replace("_", "."): value for key, value in made.items()} | {"tls.ocsp-staple": staple}
        delivery = await stored(secret("a", **data))
        (message,) = [one.body for one in (await sent(delivery, node(), use("a"))).resources if one.type_url == SECRET]
        assert Secret.FromString(message).tls_certificate.ocsp_staple.inline_bytes == sent_staple
        told, fault = pair_fault(data)
        assert (told, bool(fault)) == (("", False) if sent_staple else ("tls.ocsp-staple", True))


async def test_a_gateway_of_another_namespace_than_its_documents_says_what_it_does_not_find() -> None:
    tls = "{mode: SIMPLE, credentialName: c}"
    server = f"{{port: {{number: 443, name: https, protocol: HTTPS}}, hosts: [a.com], tls: {tls}}}"
    gateway = document("Gateway", f"servers: [{server}]", "edge")
    where = {"shop": secret("c", **pair(ROOT, "a.com")), "infra": secret("c", namespace="infra", **pair(ROOT, "a.com"))}
    found = {name: view_of(linked(gateway, one), node("infra")).findings for name, one in where.items()}
    assert [one.code for one in found["shop"]] == ["W0280"]
    assert "in the namespace infra" in found["shop"][0].message
    assert found["infra"] == ()


async def test_a_key_goes_to_accounts_that_may_read_its_secret_and_the_others_are_told() -> None:
    asked: list[tuple[str, str]] = []

    async def may_read(identity: Identity, name: str) -> bool:
        asked.append((identity.account, name))
        return identity.account == "edge"

    store = MemoryStore()
    await store.create(secret("a", **pair(ROOT, "a.com")))
    wanted = Resources(resources=(OTHER,), secrets=(SecretUse(name="a", credential=Credential(name="a")),))
    delivery = SecretDelivery(store, may_read)
    given = await delivery.added(wanted, node(), None)
    assert [one.name for one in given.resources if one.type_url == SECRET] == ["a"]
    thief = Node(
        id="thief.shop",
        namespace="shop",
        workload="thief",
        identity=Identity(trust_domain="cluster.local", namespace="shop", account="web"),
        gateway=GatewayPlace(bind="127.0.0.1"),
    )
    refused = await delivery.added(wanted, thief, None)
    assert refused.resources == (OTHER,)
    assert [finding.code for finding in refused.findings] == ["W0256"]
    assert "shop/web may not read the Secret a" in refused.findings[0].message
    assert asked == [("edge", "a"), ("web", "a")]
