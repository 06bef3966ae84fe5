"""Which protocol a port has."""

import pytest

from weft.dialects.protocols import is_sniffed, protocol_of, service_protocol
from weft.model.service import Protocol


@pytest.mark.parametrize(
    ("name", "transport", "app_protocol", "protocol"),
    [
        ("http", "TCP", None, Protocol.HTTP),
        ("http-admin", "TCP", None, Protocol.HTTP),
        ("HTTP-Admin", "TCP", None, Protocol.HTTP),
        ("http2-x", "TCP", None, Protocol.HTTP2),
        ("grpc", "TCP", None, Protocol.GRPC),
        ("grpc-x", "TCP", None, Protocol.GRPC),
        ("grpc-web", "TCP", None, Protocol.GRPC_WEB),
        ("grpc-web-x", "TCP", None, Protocol.GRPC_WEB),
        ("grpc-webx", "TCP", None, Protocol.GRPC),
        ("https", "TCP", None, Protocol.HTTPS),
        ("tls-x", "TCP", None, Protocol.TLS),
        ("mongo", "TCP", None, Protocol.MONGO),
        ("mysql", "TCP", None, Protocol.MYSQL),
        ("redis", "TCP", None, Protocol.REDIS),
        ("httpx", "TCP", None, Protocol.TCP),
        ("web", "TCP", None, Protocol.TCP),
        ("", "TCP", None, Protocol.TCP),
        ("http", "UDP", None, Protocol.UDP),
        ("http", "TCP", "grpc", Protocol.GRPC),
        ("http", "TCP", "tcp", Protocol.TCP),
        ("http", "TCP", "HTTP2", Protocol.HTTP2),
        ("http", "TCP", "kubernetes.io/h2c", Protocol.HTTP2),
        ("tcp", "TCP", "kubernetes.io/ws", Protocol.HTTP),
        ("http", "TCP", "mycompany.com/own", Protocol.TCP),
    ],
)
def test_the_protocol_of_a_services_port(
    name: str, transport: str, app_protocol: str | None, protocol: Protocol
) -> None:
    assert service_protocol(name, transport, app_protocol) is protocol


def test_a_name_of_no_protocol_is_none() -> None:
    assert protocol_of("gopher") is None
    assert protocol_of("http_proxy") is Protocol.HTTP


@pytest.mark.parametrize(
    ("port", "sniffed"),
    [
        ((80, "", "TCP", None), True),
        ((80, "web", "TCP", None), True),
        ((80, "http-web", "TCP", None), False),
        ((80, "tcp", "TCP", None), False),
        ((80, "web", "TCP", "http"), False),
        ((80, "http", "TCP", "example.com/own"), True),
        ((3306, "", "TCP", None), False),
        ((27017, "data", "TCP", None), False),
        ((80, "", "UDP", None), False),
    ],
)
def test_a_port_is_looked_at_only_where_nothing_tells_its_protocol(
    port: tuple[int, str, str, str | None], sniffed: bool
):
    assert is_sniffed(*port) is sniffed
