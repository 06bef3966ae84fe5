"""Configurations of extensions that patches add (ECDS): filters name them and Envoy asks for them one by one."""

from collections.abc import Iterable

from weft._pb.envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from weft.compiler.patches.work import Place, Work, accident
from weft.compiler.resource import EXTENSION, Resources, resource
from weft.compiler.wire import serialized
from weft.model.extension import Context, Patch, PatchOperation, PatchTarget


def added_extensions(patches: Iterable[Patch], taken: set[str]) -> Resources:
    """What patches add, whatever their context, as in Istio; of one name the first counts."""
    ours = [one for one in patches if one.target is PatchTarget.EXTENSION_CONFIG]
    work = Work(ours, Place(context=Context.ANY))
    made = []
    for patch in ours:
        if patch.operation is not PatchOperation.ADD:
            continue
        try:
            value = work.value(patch, TypedExtensionConfig)
            body = serialized(value)
        except Exception as bug:  # noqa: BLE001  the boundary that loses one patch
            work.left_out(patch, accident(bug))
            continue
        if value.name in taken:
            work.left_out(patch, f"there is an extension {value.name} already")
            continue
        taken.add(value.name)
        made.append(resource(EXTENSION, value.name, body))
    return Resources(resources=tuple(made), findings=tuple(work.findings))
