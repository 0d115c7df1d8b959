"""Whose directory it is."""

from __future__ import annotations

import pytest

from iiszoo.engine.runs import store
from iiszoo.errors import RunError


def test_an_empty_or_absent_directory_may_be_used(tmp_path, identity):
    assert store.check_identity(tmp_path / "absent", identity()) is False
    assert store.check_identity(tmp_path, identity()) is False


def test_the_same_run_is_recognised_also_before_all_of_it_is_known(directory, identity):
    assert store.check_identity(directory, identity()) is True
    early = {**identity(), "dataset": {"id": "demo"}}
    assert store.check_identity(directory, early) is True


@pytest.mark.parametrize(
    ("part", "change", "said"),
    [
        ("protocol", {"max_clicks": 10, "hash": "bb"}, "protocol.max_clicks: 20 there, 10 now"),
        ("model", {"code": "toy 2"}, 'model.code: "toy 1" there, "toy 2" now'),
        ("model", {"weights": ["w sha256 9"]}, 'model.weights: [] there, ["w sha256 9"] now'),
        ("dataset", {"fingerprint": "f2"}, 'dataset.fingerprint: "f1" there, "f2" now'),
        ("dataset", {"n_samples": 4}, "dataset.n_samples: 9 there, 4 now"),
    ],
)
def test_another_run_is_refused_with_what_differs(directory, trace, part, change, said, identity, write):
    write(directory, [trace([0.5])])
    other = {**identity(), part: {**identity()[part], **change}}
    with pytest.raises(RunError) as raised:
        store.check_identity(directory, other)
    message = str(raised.value)
    assert message.startswith(f"{directory} contains another run (")
    assert said in message
    assert "--out" in message
    assert "--overwrite" in message
    assert store.read_json(directory / store.IDENTITY) == identity()


def test_a_run_that_has_computed_nothing_is_no_obstacle(directory, identity):
    """A model that failed at its first click, and was mended since, is another model."""
    assert not store.check_identity(directory, {**identity(), "model": {**identity()["model"], "code": "toy 2"}})


def test_samples_of_an_unknown_run_are_not_taken_over(tmp_path, trace, identity, write):
    store.begin(tmp_path, identity()).close()
    write(tmp_path, [trace([0.5])])
    (tmp_path / store.IDENTITY).unlink()
    for look in (store.check_identity, store.begin):
        with pytest.raises(RunError, match=r"contains samples but no run\.json"):
            look(tmp_path, identity())
    with pytest.raises(RunError, match=r"contains samples but no run\.json"):
        store.read_traces(tmp_path)


def test_overwriting_deletes_a_runs_own_files_alone(directory, trace, identity, write):
    write(directory, [trace([0.5], 0)])
    write(directory, [trace([0.5], 1)], shard=(2, 3))
    store.write_json(directory / store.SUMMARY, {})
    (directory / "notes.txt").write_text("mine")
    (directory / "pictures").mkdir()
    store.begin(directory, identity(10), overwrite=True).close()
    left = ["notes.txt", "pictures", "run.json", "samples.jsonl"]
    assert sorted(path.name for path in directory.glob("[!.]*")) == left
    assert store.read_json(directory / store.IDENTITY) == identity(10)
    assert store.read_traces(directory) == []


def test_a_directory_that_cannot_be_made_is_named(tmp_path, identity):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"output directory .*file/run cannot be created: Not a directory"):
        store.begin(tmp_path / "file" / "run", identity())


def test_a_run_that_computed_nothing_is_replaced_with_all_that_is_its_own(tmp_path, trace, identity):
    """A model that failed at its first click, and was mended since."""
    store.begin(tmp_path, identity(20), (2, 3)).close()
    store.write_json(tmp_path / store.SUMMARY, {"skipped": {"s1": "of the other run"}})
    with store.begin(tmp_path, identity(10)) as writer:
        writer.append(trace([0.5]))
    assert sorted(path.name for path in tmp_path.glob("[!.]*")) == ["run.json", "samples.jsonl"]
    assert store.read_json(tmp_path / store.IDENTITY) == identity(10)


@pytest.mark.parametrize("content", ['{"sample": "s0", "ind', "\n", "anything"])
def test_whatever_a_file_of_samples_holds_keeps_another_run_away(tmp_path, content, identity):
    store.begin(tmp_path, identity(20)).close()
    (tmp_path / "samples-2of3.jsonl").write_text(content)
    with pytest.raises(RunError, match="contains another run"):
        store.begin(tmp_path, identity(10))
