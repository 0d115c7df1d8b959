"""`run.json`, its hash, and what differs between two of them."""

from __future__ import annotations

import json

import pytest

from iiszoo.engine.runs import store
from iiszoo.errors import RunError


@pytest.mark.parametrize(
    "change",
    [
        {"format": 99},
        {"model": {"id": "toy/net", "code": "toy 2", "weights": []}},
        {"protocol": {"max_clicks": 10}},
        {"dataset": {"id": "demo", "n_samples": 9, "fingerprint": "f2"}},
        {"more": 1},
    ],
)
def test_the_hash_depends_on_everything_but_the_protocols_name(change, identity):
    assert store.run_hash(identity(name="mine")) == store.run_hash(identity())
    assert store.run_hash({**identity(), **change}) != store.run_hash(identity())


@pytest.mark.parametrize("content", ["", "{", "[]", "3"])
def test_a_damaged_identity_is_named(directory, content, identity):
    (directory / store.IDENTITY).write_text(content)
    with pytest.raises(RunError, match=r"run\.json"):
        store.check_identity(directory, identity())


def test_a_run_of_another_format_is_not_read(directory, identity):
    (directory / store.IDENTITY).write_text(json.dumps({**identity(), "format": 99}))
    with pytest.raises(RunError, match="written by another version of iiszoo"):
        store.read_identity(directory)
