"""Targets of plugins: services are taken as a whole."""

from weft.dialects.findings import Findings, Here
from weft.dialects.weft.types.targets import Attached


def check_whole_services(here: Here, spec: Attached) -> Findings:
    """A plugin stands in all chains of a service's proxies."""
    for index, target in enumerate(spec.target_refs):
        if target.kind == "Service" and target.section_name:
            place = here.at("targetRefs", index, "sectionName")
            yield place.error("W0240", "a Service is taken with all of its ports here", "remove it", at_key=True)
