"""MeshConfig as text: what it says, where it is wrong, and the settings that it makes."""

from weft.dialects.findings import Here, refused
from weft.dialects.istio.checks.mesh_config import check_mesh_config
from weft.dialects.istio.checks.mesh_unserved import cut_unserved
from weft.dialects.istio.translate.mesh_config import settings_with
from weft.dialects.istio.types.mesh_config import MeshConfig
from weft.dialects.shape import shaped, touches
from weft.kit.memo import memo
from weft.kit.value import Value
from weft.kit.yaml import YamlError, parse_yaml
from weft.model.finding import Finding
from weft.model.settings import Settings


class MeshConfigRead(Value):
    """The settings, ``None`` where the text is refused, and what is said of it; places begin in the text."""

    settings: Settings | None
    findings: tuple[Finding, ...] = ()


@memo(64)
def read_mesh_config(text: str, base: Settings) -> MeshConfigRead:
    """Read a configuration. What it does not say is as in ``base``; nothing is served of one that is refused."""
    try:
        documents = parse_yaml(text, "mesh")
    except YamlError as wrong:
        advice = wrong.help or ""
        return MeshConfigRead(settings=None, findings=(Here().error(wrong.code or "W0001", str(wrong), advice),))
    if len(documents) > 1:
        finding = Here().error("W0117", "there are several documents, the mesh has one configuration")
        return MeshConfigRead(settings=None, findings=(finding,))
    content, unserved = cut_unserved(documents[0].content if documents else {})
    shape = shaped(MeshConfig, content)
    said = () if shape.model is None else tuple(check_mesh_config(shape.model))
    cut = (*shape.cut, *(one.path for one in unserved))
    findings = (*unserved, *shape.findings, *(one for one in said if not touches(one.path, cut)))
    if shape.model is None or refused(findings):
        return MeshConfigRead(settings=None, findings=findings)
    return MeshConfigRead(settings=settings_with(shape.model, base), findings=findings)
