"""Every intent: the dialect means the model, and the calls go where the intent says, in ``explain`` and for real.

``WEFT_REWRITE=1`` writes every ``model.yaml`` anew, to be read before it is committed.
"""

import os
from itertools import groupby

import pytest
import yaml

from tests.intents.expectation import DEFAULT_CALLER, assert_part, check
from tests.intents.intent import ISTIO, Intent, caller, intents, server
from tests.intents.live import LiveCall, check_plaintext
from tests.intents.minimesh import MiniMesh
from tests.intents.rendering import listed, rendered, text_of
from weft.compiler.resource import Resources
from weft.compiler.resources import resources_of
from weft.explain.configuration import configuration_of
from weft.explain.dump import messages_of
from weft.view.build import view_of

INTENTS = intents()
CALLS_KEYS = {"about", "findings", "calls", "inbound", "clusters", "outlet", "told"}
every_intent = pytest.mark.parametrize("intent", INTENTS, ids=[str(intent) for intent in INTENTS])


def test_there_are_intents():
    assert len(INTENTS) >= 40


@every_intent
def test_the_documents_mean_the_model(intent: Intent):
    path = intent.directory / "model.yaml"
    if intent.translated:
        original = Intent(name=intent.name, calls=intent.calls)
        assert listed(intent.linked()) == listed(original.linked())
        return
    model = rendered(intent.fragments()) if intent.dialect == ISTIO else listed(intent.linked())
    if os.environ.get("WEFT_REWRITE"):
        path.write_text(text_of(model))
    assert model == yaml.safe_load(path.read_text())


@every_intent
def test_nothing_is_found_wrong_but_what_the_intent_names(intent: Intent):
    assert intent.calls.keys() <= CALLS_KEYS
    assert sorted(one.code for one in intent.mesh().findings) == sorted(intent.calls.get("findings", []))


@every_intent
def test_the_calls_go_where_the_intent_says(intent: Intent):
    assert intent.calls.keys() & {"calls", "inbound", "clusters"}
    for wanted in intent.calls.get("calls", []):
        check(wanted, _resources(intent, wanted.get("from", DEFAULT_CALLER)))


@every_intent
def test_the_clusters_are_what_the_intent_says(intent: Intent):
    messages = {one["name"]: one for one in messages_of(_resources(intent, DEFAULT_CALLER), "clusters")}
    for name, wanted in intent.calls.get("clusters", {}).items():
        assert_part(wanted, messages[name], name)


@every_intent
def test_callers_must_prove_what_the_intent_says(intent: Intent):
    for wanted in intent.calls.get("inbound", []):
        node = server(wanted["workload"], port=wanted.get("port", 9080))
        resources = resources_of(view_of(intent.mesh(), node))
        assert _mode(resources) == wanted["mtls"], wanted


@pytest.mark.live
@every_intent
def test_real_calls_do_what_the_intent_says(intent: Intent, mini: MiniMesh):
    calls = [one for one in intent.calls.get("calls", []) if not isinstance(one.get("live"), str)]
    for name, group in groupby(calls, key=lambda one: one.get("from", DEFAULT_CALLER)):
        mesh = mini.serve(intent.mesh(), name, intent.outlet(mini.outlet))
        for wanted in group:
            LiveCall(wanted, mini, mesh).check()
    told, mini.notes.told = mini.notes.told, []
    arrived = sorted({seen.application for seen in told})
    assert arrived == intent.calls.get("told", []), "weft's own header came to an application, or left the mesh"
    mini.serve(intent.mesh())
    for wanted in intent.calls.get("inbound", []):
        if "live" not in wanted:
            check_plaintext(wanted, mini)


def _resources(intent: Intent, name: str) -> Resources:
    return resources_of(view_of(intent.mesh(), caller(name, outlets=intent.outlet())))


def _mode(resources: Resources) -> str:
    """What a server's one listener asks of its callers: of none, some, or all of the filter chains to speak TLS."""
    (listener,) = configuration_of(resources).listeners.values()
    secured = {chain.HasField("transport_socket") for chain in listener.filter_chains}
    return {(True,): "STRICT", (False,): "DISABLE", (False, True): "PERMISSIVE"}[tuple(sorted(secured))]
