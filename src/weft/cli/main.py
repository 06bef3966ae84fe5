"""``weft``: the table of commands and the entry point.

A command's module is imported when the command is called. The table holds what ``weft --help`` says of each, so that
help imports none of them; a test keeps the two sentences equal.
"""

import importlib
import os
import sys
from collections.abc import MutableMapping
from itertools import takewhile
from typing import Any

import click

from weft.cli.errors import guarded
from weft.cli.help import Page, Panels
from weft.cli.talk import plain

COMMANDS: dict[str, str] = {
    "up": "Run the control plane in the foreground.",
    "demo": "Start a mesh with the demo shop and prove that it works.",
    "run": "Run an application beside its own sidecar.",
    "capture": "Show, plan and undo what turns connections to sidecars.",
    "gateway": "Run proxies at the mesh's edge.",
    "token": "Create, list and revoke the join tokens of workloads.",
    "auth": "Log in, manage API tokens and ask what one may do.",
    "ca": "Show the certificate authority, and replace its root.",
    "audit": "Show who did what with the control plane, newest first.",
    "report": "Write reports for those who audit the mesh.",
    "secrets": "Make and change the keys that secrets are kept with.",
    "apply": "Create or change documents from files.",
    "delete": "Delete documents by file or by name.",
    "get": "List documents, or show one.",
    "diff": "Show what files would change of every sidecar's configuration.",
    "analyze": "Check files and how their documents fit together; with --live, also with what the mesh has.",
    "validate": "Check files one document at a time, without a control plane.",
    "explain": "Show what would happen to a request, step by step, and why.",
    "authz": "Ask who may call whom, and what policies would change.",
    "stat": "Show success rate, calls a second and latencies of services and of routes.",
    "tap": "Show live requests, as they pass.",
    "top": "Show success rates, calls a second and latencies, live, with how they went.",
    "logs": "Show what a workload's application said, or its sidecar.",
    "replay": "Send recorded requests again, and compare.",
    "edges": "Show who called whom, how it was secured and how it went.",
    "graph": "Draw the service graph: who calls whom, how it is secured and how it goes.",
    "proxy": "Show the sidecars and what they were sent.",
    "query": "Ask for metrics in PromQL.",
    "trace": "Find and read traces.",
    "breaker": "Show circuit breakers, and open, close or reset them.",
    "limits": "Show rate limits and who is limited by them.",
    "slo": "Show what services promise and how much of it is left.",
    "dashboards": "Write Grafana's dashboards of the mesh.",
    "rules": "Write Prometheus' recording and alerting rules for the mesh.",
    "events": "Show what happened: configuration, proxies, endpoints, certificates, alerts.",
    "check": "Check the control plane, the sidecars and the certificates.",
    "kubeconfig": "Write a kubeconfig for kubectl and print its path.",
    "join": "Let a host join, so that its workloads need no tokens.",
    "install": "Have systemd keep the control plane and workloads running.",
    "uninstall": "Remove what weft install wrote.",
    "compose": "Turn a compose file into one with a mesh, or back.",
    "inject": "Put sidecars into Kubernetes manifests.",
    "uninject": "Take sidecars out of Kubernetes manifests.",
    "routes": "Show the routes to a service: which calls go where, in which time, tried how often.",
    "bug-report": "Write what is needed to find a mistake into one file, without secrets.",
    "man": "Print the manual page of a command, or write all pages to a directory.",
    "completion": "Print the completion script of a shell.",
    "version": "Print the versions of weft and of its Envoy.",
}

_PANELS = {
    "Mesh": ["up", "demo", "run", "capture", "gateway", "token", "auth", "ca", "audit", "report", "secrets"],
    "Configuration": ["apply", "delete", "get", "diff", "analyze", "validate", "kubeconfig"],
    "Insight": ["stat", "edges", "graph", "routes", "explain", "authz", "proxy", "query", "trace"],
    "Guards": ["breaker", "limits", "slo", "check"],
    "Live": ["top", "tap", "replay", "logs"],
    "Monitoring": ["events", "dashboards", "rules"],
    "Hosts": ["join", "install", "uninstall", "compose", "inject", "uninject"],
    "Other": ["bug-report", "man", "completion", "version"],
}


class _Lazy(click.Command):
    """Stands for a command until it is called."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> Any:
        assert self.name is not None
        return loaded(self).make_context(info_name, args, parent=parent, **extra)


def loaded(command: click.Command) -> click.Command:
    """A command itself, where a table's line stands for it."""
    if not isinstance(command, _Lazy):
        return command
    assert command.name is not None
    found: click.Command = importlib.import_module(f"weft.cli.{command.name.replace('-', '_')}").command
    return found


def _lazy_commands() -> MutableMapping[str, click.Command]:
    return {name: _Lazy(name=name, short_help=summary) for name, summary in COMMANDS.items()}


@click.group(
    cls=Panels,
    panels=_PANELS,
    commands=_lazy_commands(),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="weft", message="weft %(version)s")
@click.option("--debug", is_flag=True, envvar="WEFT_DEBUG", help="Show the traceback of an error.")
@click.pass_context
def weft(context: click.Context, debug: bool) -> None:
    """A service mesh that pip installs: Istio's API, real Envoy sidecars, no Kubernetes needed."""
    context.obj = {"debug": debug}


def main(arguments: list[str] | None = None) -> None:
    """Run ``weft`` and leave with its exit code."""
    given = sys.argv[1:] if arguments is None else arguments

    def debug() -> bool:
        ours = takewhile(lambda argument: argument != "--", given)
        return "--debug" in ours or bool(os.environ.get("WEFT_DEBUG"))

    def command() -> object:
        return weft.main(given, prog_name="weft", standalone_mode=False, color=plain())

    click.Context.formatter_class = Page
    sys.exit(guarded(command, debug=debug))
