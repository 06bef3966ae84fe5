"""``weft join``: a host proves itself once; what it runs afterwards needs no token."""

import asyncio
import re
import socket
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from weft.agent.config import AgentConfig
from weft.cli.connection import running
from weft.cli.join_urls import join_url_option
from weft.cli.proof_options import proof_options
from weft.cli.run import absolute, checked_name, trusted_ca, with_account
from weft.cli.talk import say
from weft.kit.state_dir import default_state_dir

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@proof_options
@join_url_option
@click.option("--ca-file", type=_FILE, help="Whom to trust, as PEM; default: the CA of this machine's control plane.")
@click.option("--ca-fingerprint", default="", help="Or: the SHA-256 of the CA's certificate.")
@click.option("--name", default="", help="The host's name; default: what it calls itself.")
@click.option("--forget", is_flag=True, help="Leave: remove the host's identity.")
def command(
    proof: dict[str, Any], join_url: str | None, ca_file: Path | None, ca_fingerprint: str, name: str, forget: bool
) -> None:
    """Let a host join, so that its workloads need no tokens.

    `weft token create -n shop --service-account host-1 --joins web --joins reviews > token`, on the host `weft join
    --token-file token`, and from then on `weft run --service web ...` there.
    """
    from weft.agent import host
    from weft.kit.clock import SystemClock

    state = default_state_dir()
    if forget:
        host.forget(state.root)
        say("this host has left; its certificate is good until it ends: weft ca revoke ends it now")
        return
    name = checked_name(name, "--name") if name else _own_name()
    config = AgentConfig(
        service=name,
        name=name,
        command=(),
        state_dir=state.root,
        join_url=join_url or running(state).agents,
        ca_file=trusted_ca(state, absolute(ca_file, "--ca-file"), ca_fingerprint),
        ca_fingerprint=ca_fingerprint,
        **with_account(proof, name),
    )
    found = asyncio.run(host.join(config, SystemClock()))
    end = datetime.fromtimestamp(found.issued.expires).astimezone().isoformat(sep=" ", timespec="seconds")
    say(f"{name} has joined as {found.identity}, until {end}; each `weft run` here renews that")


def _own_name() -> str:
    plain = re.sub(r"[^a-z0-9.-]", "-", socket.gethostname().lower()).strip("-.")
    return plain or "host"
