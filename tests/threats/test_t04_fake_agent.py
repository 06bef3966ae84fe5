"""T4: somebody without a right to it wants into the mesh. A join token works once, soon, and for one account."""

import concurrent.futures
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.threats.plane import Plane, csr_of, names_of

pytestmark = pytest.mark.live
CSR = csr_of(ec.generate_private_key(ec.SECP256R1())).decode()


def test_of_fifty_who_join_with_one_token_exactly_one_does(attacked: Plane) -> None:
    token = attacked.join_token("shop", "raced")
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        tries = [pool.submit(attacked.tell, "POST", "/v1/join", {"token": token, "csr": CSR}) for _ in range(50)]
        answers = [one.result() for one in tries]
    joined = [answer for answer in answers if answer.status == 200]
    assert len(joined) == 1
    assert {answer.status for answer in answers} <= {200, 401, 429}
    assert names_of(joined[0].json()["chain"]) == ["spiffe://cluster.local/ns/shop/sa/raced"]


def test_a_token_that_is_too_old_joins_nobody(attacked: Plane) -> None:
    wanted = {"namespace": "shop", "serviceAccount": "late", "ttlSeconds": 0.2}
    token = attacked.ask("POST", "/weft/v1/tokens", wanted).json()["token"]
    time.sleep(0.3)
    assert attacked.tell("POST", "/v1/join", {"token": token, "csr": CSR}).status == 401


def test_a_token_that_was_revoked_joins_nobody(attacked: Plane) -> None:
    token = attacked.join_token("shop", "revoked")
    (known,) = [
        one for one in attacked.ask("GET", "/weft/v1/tokens").json()["items"] if one["serviceAccount"] == "revoked"
    ]
    assert attacked.ask("DELETE", f"/weft/v1/tokens/{known['id']}").status == 200
    assert attacked.tell("POST", "/v1/join", {"token": token, "csr": CSR}).status == 401


@pytest.mark.parametrize("account", ["../weft", "a/b", "", "a" * 3000, "x%2Fy", "é", "a\nb"])
def test_no_token_is_made_for_a_name_that_is_none(account: str, attacked: Plane) -> None:
    wanted = {"namespace": "shop", "serviceAccount": account}
    assert attacked.ask("POST", "/weft/v1/tokens", wanted).status in (400, 422)
    wanted = {"namespace": account, "serviceAccount": "web"}
    assert attacked.ask("POST", "/weft/v1/tokens", wanted).status in (400, 422)


def test_nobody_joins_as_the_control_plane(attacked: Plane) -> None:
    from weft.ca.names import CONTROL_PLANE_NAMESPACE

    wanted = {"namespace": CONTROL_PLANE_NAMESPACE, "serviceAccount": "weft"}
    assert attacked.ask("POST", "/weft/v1/tokens", wanted).status in (400, 422)


def test_a_token_of_the_api_is_no_join_token(attacked: Plane) -> None:
    assert attacked.tell("POST", "/v1/join", {"token": attacked.admin, "csr": CSR}).status == 401
    join = attacked.join_token("shop", "web")
    assert attacked.ask("GET", "/api", token=join).status == 401
