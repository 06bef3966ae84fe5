"""``weft inject``: manifests in, manifests with sidecars out, like ``istioctl kube-inject``."""

import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from weft.cli.errors import Told, Usage
from weft.cli.talk import coloured, say
from weft.kit.errors import UserError

if TYPE_CHECKING:
    from weft.cli.injection import Told as Outcome

_HELP = "Where to read; default: standard input."


@click.command()
@click.option("-f", "--filename", "names", multiple=True, metavar="FILE|-", help=_HELP)
@click.option("-n", "--namespace", default="default", show_default=True, help="Of objects that name none.")
@click.option("--image", default="", help="The sidecar's image; default: weft of this version.")
@click.option("--join-url", default="https://weft.weft-system:7072", show_default=True, help="The control plane's.")
@click.option("--ca-config-map", default="weft-ca", show_default=True, help="With the control plane's ca.pem.")
@click.option("--audience", default="weft", show_default=True, help="What the pods' tokens are for.")
@click.option("--capture", is_flag=True, help="Turn the pods' connections to their sidecars, by NET_ADMIN for these.")
@click.option("--strict", is_flag=True, help="Fail if a pod that may have one gets no sidecar.")
def command(
    names: tuple[str, ...],
    namespace: str,
    image: str,
    join_url: str,
    ca_config_map: str,
    audience: str,
    capture: bool,
    strict: bool,
) -> None:
    """Put sidecars into Kubernetes manifests.

    `weft inject -f shop.yaml | kubectl apply -f -`. Deployments, StatefulSets, DaemonSets, ReplicaSets, Jobs, CronJobs,
    Pods and Lists get them; everything else passes as it is. Injecting again changes what the options changed.
    """
    from weft.cli.injection import injected
    from weft.cli.pods import Settings

    if not all(url.startswith("https://") for url in join_url.split(",")):
        raise Usage(f"{join_url} is no join URL", help="write https://HOST:PORT")
    settings = Settings(
        image=image or f"weft:{version('weft')}",
        join_url=join_url,
        ca_config_map=ca_config_map,
        audience=audience,
        capture=capture,
    )
    told: list[Outcome] = []
    texts = read(names)
    give_texts([injected(text, name, settings, namespace, told.append) for name, text in texts])
    for one in told:
        tell(one)
    if strict and any(one.outcome == "refused" for one in told):
        raise Told(3)


def read(names: tuple[str, ...]) -> list[tuple[str, str]]:
    """The named texts. Raises ``UserError``."""
    found = []
    for name in names or ("-",):
        try:
            data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
            found.append(("standard input" if name == "-" else name, data.decode("utf-8")))
        except UnicodeDecodeError:
            raise UserError(f"{name} is not UTF-8 text") from None
        except OSError as refused:
            reason = (refused.strerror or str(refused)).lower()
            raise UserError(f"{name} cannot be read ({reason})", help="check -f") from refused
    return found


def give_texts(texts: list[str]) -> None:
    """One stream of documents, one text letter by letter."""
    for at, text in enumerate(texts):
        begin = "" if at == 0 or text.startswith("---") else "---\n"
        end = "" if text.endswith("\n") or at == len(texts) - 1 else "\n"
        click.echo(begin + text + end, nl=False)


def tell(one: "Outcome") -> None:
    """What became of an object."""
    kind = {"injected": "ok", "removed": "ok", "skipped": "note", "refused": "warning"}[one.outcome]
    say(f"{one.name} {coloured(one.outcome, kind)}{f': {one.why}' if one.why else ''}")
    for note in one.notes:
        say(f"  {coloured('note')}: {note}")
