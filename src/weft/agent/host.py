"""A host that has joined: it proves itself once, and then lets its own workloads join.

Its identity is kept in the state directory, and renewed whenever it is used; whoever can read that directory can start
workloads as the accounts that roles give to the host.
"""

import asyncio
import random
import shutil
from pathlib import Path

import msgspec

from weft.agent.config import AgentConfig
from weft.agent.credentials import Credentials, kept_in
from weft.agent.http import Unanswered
from weft.agent.identity import IdentityKeeper
from weft.kit.clock import Clock
from weft.kit.errors import Denied, Missing, Unreachable, UserError
from weft.kit.files import private_directory, write_whole
from weft.kit.value import Value

_PATIENCE = 30.0
_DUE = 0.5


class Host(Value):
    """What is kept beside the identity: where to ask."""

    name: str
    join_url: str
    directory: Path

    @property
    def roots(self) -> Path:
        """Whom the host believes, as PEM: what its user named, and what descended from that."""
        return self.directory / "roots.pem"


class _Kept(Value):
    name: str
    join_url: str


class _Token(Value):
    token: str


def place(state: Path) -> Path:
    """Where a state directory has its host."""
    return state / "host"


def host_of(state: Path) -> Host | None:
    """The host of a state directory, if it has joined."""
    directory = place(state)
    try:
        kept = msgspec.json.decode((directory / "host.json").read_bytes(), type=_Kept)
    except (OSError, msgspec.MsgspecError):
        return None
    return Host(name=kept.name, join_url=kept.join_url, directory=directory)


async def join(config: AgentConfig, clock: Clock) -> Credentials:
    """Join as a host, or come back as the one that it was. Raises ``UserError``."""
    directory = private_directory(place(config.state_dir))
    found = await _credentials(config, directory, clock)
    write_whole(directory / "host.json", msgspec.json.encode(_Kept(name=config.name, join_url=config.join_url)))
    return found.current


def forget(state: Path) -> None:
    """Remove a host's identity; its certificate is good until it ends, or is revoked. Raises ``Missing``."""
    if host_of(state) is None:
        raise Missing("this host has not joined")
    shutil.rmtree(place(state))


async def token_for(host: Host, account: str, clock: Clock) -> str:
    """A join token for a workload of this host. Raises ``UserError``."""
    config = AgentConfig(
        service=host.name,
        name=host.name,
        command=(),
        state_dir=host.directory.parent,
        join_url=host.join_url,
        ca_file=host.roots,
    )
    keeper = await _credentials(config, host.directory, clock)
    try:
        async with asyncio.timeout(_PATIENCE):
            answer = await keeper.client.request("POST", "/v1/hosts/tokens", msgspec.json.encode({"account": account}))
    except (Unanswered, TimeoutError) as away:
        raise _away(host.join_url) from away
    finally:
        keeper.client.close()
    if answer.status != 201:
        raise Denied(f"this host cannot let {account} join: {answer.refusal}", help=answer.help)
    return msgspec.json.decode(answer.body, type=_Token).token


async def _credentials(config: AgentConfig, directory: Path, clock: Clock) -> IdentityKeeper:
    """The host's identity: kept, renewed or new."""
    keeper = IdentityKeeper(config, directory, clock, random.SystemRandom())
    try:
        async with asyncio.timeout(_PATIENCE):
            await keeper.obtain()
            if keeper.current.left(clock.now()) < _DUE:
                await keeper.renew()
    except TimeoutError as away:
        raise _away(config.join_url) from away
    except Unanswered:  # what is kept is good enough
        pass
    _keep_roots(keeper.current, directory)
    return keeper


def _keep_roots(found: Credentials, directory: Path) -> None:
    write_whole(directory / "roots.pem", (found.origin + found.issued.bundle).encode("ascii"))


def _away(url: str) -> UserError:
    return Unreachable(f"the control plane at {url} does not answer", help="check --join-url, and that it runs")


def has_joined(state: Path, workload: str) -> bool:
    """Whether a workload has an identity of its own, which needs no token."""
    return kept_in(state / "workloads" / workload) is not None
