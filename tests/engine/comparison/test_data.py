"""Runs of different fingerprints are runs on different data, whatever the datasets are called."""

from __future__ import annotations

from iiszoo.engine.comparison import data
from iiszoo.engine.report import table


def summaries(*runs):
    return [summary for summary, _ in runs]


def test_two_directories_of_one_name_are_named_apart(run):
    found = summaries(run("toy/a", [1], fingerprint="a1" * 32), run("toy/a", [1], fingerprint="b2" * 32))
    found[0]["provenance"]["dataset_place"] = "/home/ann/my"
    assert table.dataset_names(found) == ["folder:my #a1a1a1", "folder:my #b2b2b2"]
    (line,) = data.notes(found)
    assert line == (
        "different data of the same name: folder:my #a1a1a1: 1,000 samples in /home/ann/my; folder:my #b2b2b2: "
        "1,000 samples"
    )


def test_their_models_need_no_other_label_since_they_are_not_compared(run):
    found = summaries(run("toy/a", [1], fingerprint="a1" * 32), run("toy/a", [1], fingerprint="b2" * 32))
    assert table.labels(found) == ["toy/a", "toy/a"]


def test_the_same_images_under_two_names_are_the_same_data(run):
    found = summaries(run("toy/a", [1], name="folder:/x/my"), run("toy/b", [1], name="folder:my"))
    assert len(set(table.dataset_names(found))) == 1
    assert data.notes(found) == []


def test_sessions_from_other_masks_are_other_data(run):
    found = summaries(run("toy/a", [1]), run("toy/a", [1], initial="c3" * 32), run("toy/a", [1], initial="d4" * 32))
    assert len(set(table.dataset_names(found))) == 3
    assert table.dataset_names(found)[1:] == ["folder:my #c3c3c3", "folder:my #d4d4d4"]


def test_one_name_for_one_dataset_stays_plain(run):
    assert table.dataset_names(summaries(run("toy/a", [1]), run("toy/b", [1]))) == ["folder:my"] * 2
