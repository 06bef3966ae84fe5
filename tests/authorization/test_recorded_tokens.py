"""RequestAuthentications that istiod made filters of: weft's ask for the same tokens and tell the same of them.

Deliberately different: keys always come with the configuration, so there is no place to fetch them from; verdicts about
tokens are remembered; and a token must have an end (``--verdicts istio`` takes one that has none).
"""

import json
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from msgspec.structs import replace

from tests.dialects.recorded import lines, needs_data
from weft._pb.envoy.extensions.filters.http.jwt_authn.v3.config_pb2 import JwtAuthentication
from weft.compiler.http_filters.tokens import token_filter
from weft.dialects.istio.serve import SERVED
from weft.dialects.istio.translate.request_authentication import translate
from weft.dialects.metadata import ObjectMeta
from weft.dialects.served import Subject
from weft.model.document import Key, Origin
from weft.model.settings import Settings
from weft.view.access import Guards

pytestmark = needs_data
CASES = list(lines("authn/jwt_filter.jsonl"))
_SPEC = next(one.spec for one in SERVED if one.kind.kind == "RequestAuthentication")
_KEYS = ("localJwks", "remoteJwks", "jwtCacheConfig", "requireExpiration", "clearRouteCache", "payloadInMetadata")


def guards_of(case: dict[str, Any]) -> Guards:
    policies = []
    key = Key(kind="RequestAuthentication", name="x", namespace="x")
    rules_alone = case["func"] == "convertToEnvoyJwtConfig"
    for spec in [{"jwtRules": case["in"]}] if rules_alone else [one["spec"] for one in case["in"]]:
        subject = Subject(
            key=key, origin=Origin(key=key), metadata=ObjectMeta(name="x"), status={}, settings=Settings()
        )
        policies += translate(_SPEC.model_validate(spec), subject).token_policies
    return Guards(tokens=tuple(rule for policy in policies for rule in policy.rules))


def all_told(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration for routes that want all told, which is the only one that istiod has."""
    said = json.loads(json.dumps(config).replace("-words", ""))
    providers = {name.removesuffix("-words"): one for name, one in config["providers"].items() if "-words" in name}
    return {"providers": providers, "rules": [config["rules"][-1] | {"requires": said["requirementMap"]["words"]}]}


def told(config: dict[str, Any]) -> list[dict[str, Any]]:
    """What is asked of each issuer's tokens and told of them, without how its keys are had, in order."""
    providers = config.get("providers", {})
    names = sorted(providers, key=lambda name: int(name.rpartition("-")[2]))
    return [{field: value for field, value in providers[name].items() if field not in _KEYS} for name in names]


def required(config: dict[str, Any]) -> Any:
    """The requirement, in which a list of one is what is in it."""
    (rule,) = config["rules"]
    return json.dumps(rule, sort_keys=True)


@pytest.mark.parametrize("case", CASES, ids=[case["test"].partition("/")[2] for case in CASES])
def test_the_same_tokens_are_asked_for_and_told_of_as_by_istiod(case: dict[str, Any]) -> None:
    guards = guards_of(case)
    if not case["out"]:
        assert guards.tokens == ()
        return
    made = JwtAuthentication.FromString(token_filter(guards).typed_config.value)
    config, wanted = MessageToDict(made), case["out"].get("typedConfig", case["out"])
    assert told(all_told(config)) == told(wanted)
    assert required(all_told(config)) == required(wanted)
    assert config["bypassCorsPreflight"] is True
    assert all("remoteJwks" not in provider for provider in config["providers"].values())
    assert all(provider["requireExpiration"] for provider in config["providers"].values())
    istio = MessageToDict(
        JwtAuthentication.FromString(token_filter(replace(guards, hardened=False)).typed_config.value)
    )
    assert not any(provider.get("requireExpiration") for provider in istio["providers"].values())
