"""Patches of a bootstrap, merged into the one that an agent made. What binds a proxy to its mesh stays its own."""

import msgspec
from google.protobuf.json_format import MessageToJson, ParseDict, ParseError

from weft._pb.envoy.config.bootstrap.v3.bootstrap_pb2 import Bootstrap
from weft.compiler.patches.constraints import broken
from weft.compiler.patches.merging import TypesDiffer, merge
from weft.compiler.patches.messages import load_types
from weft.compiler.patches.sound import usable
from weft.compiler.patches.work import Place, Work, accident, late
from weft.kit.value import Value
from weft.model.extension import Context, Patch, PatchOperation
from weft.model.finding import Finding

_OWN = ("node", "admin", "dynamic_resources")


class PatchedBootstrap(Value):
    """The bootstrap as JSON, and what was left out."""

    content: bytes
    findings: tuple[Finding, ...] = ()


def patched_bootstrap(own: bytes, patches: tuple[Patch, ...], context: Context) -> PatchedBootstrap:
    """Merge patches one after another; one after which Envoy would not start is left out. Raises ``ValueError``."""
    try:
        content = msgspec.json.decode(own)
        load_types(content)
        bootstrap = ParseDict(content, Bootstrap())
    except (msgspec.DecodeError, ParseError, TypeError, AttributeError, RecursionError) as wrong:
        raise ValueError(f"this is no bootstrap of Envoy: {wrong}"[:300]) from wrong
    chosen, findings = usable(patches)
    work = Work(chosen, Place(context=context))
    for patch in chosen:
        if not patch.operation.merges or patch.context not in (Context.ANY, context):
            continue
        merged = Bootstrap()
        merged.CopyFrom(bootstrap)
        try:
            merge(merged, work.value(patch, Bootstrap), replace_lists=patch.operation is _REPLACES)
            why = _fault(merged, bootstrap)
        except TypesDiffer as wrong:
            why = str(wrong)
        except Exception as bug:  # noqa: BLE001  the boundary that loses one patch
            why = accident(bug)
        if why:
            findings.append(late(patch, why))
        else:
            bootstrap = merged
    text = MessageToJson(bootstrap, preserving_proto_field_name=True, indent=None)
    return PatchedBootstrap(content=text.encode(), findings=tuple(findings))


_REPLACES = PatchOperation.MERGE_AND_REPLACE_LIST


def _fault(merged: Bootstrap, before: Bootstrap) -> str:
    for name in _OWN:
        if getattr(merged, name) != getattr(before, name):
            return f"{name} is what binds the proxy to its mesh"
    kept = {one.name: one for one in merged.static_resources.clusters}
    names = [one.name for one in merged.static_resources.clusters]
    for one in before.static_resources.clusters:
        if kept.get(one.name) != one or names.count(one.name) != 1:
            return f"the cluster {one.name} is what binds the proxy to its mesh"
    if len(names) != len(set(names)):
        return "two clusters have one name"
    rule = next(broken(merged), None)
    return f"Envoy would refuse it, because {rule}" if rule else ""
