"""Assertions in the modules beside the tests say what they compared."""

import pytest

pytest.register_assert_rewrite("tests.intents.expectation", "tests.intents.live", "tests.intents.minimesh")
