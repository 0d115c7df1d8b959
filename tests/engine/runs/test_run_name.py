"""A run's directory has a plain name of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iiszoo.engine.bench import bench
from iiszoo.engine.evaluation_protocol import EvaluationProtocol
from iiszoo.engine.runs import run_name

DISCS = "painting_models:discs"
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40)


@given(NAMES, NAMES)
def test_any_names_make_one_plain_name(model, dataset):
    name = run_name.slug(model, dataset)
    assert len(name.encode()) <= 255
    assert not set(name) & set('/\\:*?"<>|\0\n ')
    assert not name.startswith((".", "-"))
    assert not name.endswith(".")


@given(st.lists(st.tuples(*[st.text("aB-/:.+ ?é", min_size=1, max_size=5)] * 2), min_size=2, max_size=20, unique=True))
def test_no_two_runs_share_a_directory(names):
    slugs = [run_name.slug(*pair).lower() for pair in names]
    assert len(set(slugs)) == len(slugs)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (("m/a", "folder:t/a"), ("m/a", "folder:t-a")),
        (("m/a", "folder:t/a"), ("m/a", "folder:t:a")),
        (("a-b/c", "demo"), ("a/b-c", "demo")),
        (("a:b", "demo"), ("a/b", "demo")),
        (("a/b", "demo"), ("a-b", "demo")),
        (("a/b", "c--d"), ("a/b--c", "d")),
        (("a/b", "Demo"), ("a/b", "demo")),
        (("m/a", "folder:" + "x" * 200 + "1"), ("m/a", "folder:" + "x" * 200 + "2")),
        (("m/a", "folder:" + "像" * 90), ("m/a", "folder:" + "像" * 89)),
        (("m/" + "v" * 190, "d" * 200), ("m/" + "v" * 190, "d" * 199)),
        (("m/a", "folder:\udce9"), ("m/a", "folder:\udcea")),
    ],
)
def test_names_that_look_alike_have_directories_of_their_own(tmp_path, one, two):
    names = {run_name.slug(*one).lower(), run_name.slug(*two).lower()}
    assert len(names) == 2
    for name in names:
        (tmp_path / name).mkdir()


def test_the_plain_names_of_the_zoo_are_readable():
    assert run_name.slug("sam/vit-b", "grabcut") == "sam-vit-b--grabcut"
    assert run_name.slug("classic/geocut", "davis585-sp") == "classic-geocut--davis585-sp"


@pytest.mark.parametrize(
    ("model", "dataset"), [("sam/vit-b", "demo"), ("module.sub:function", "folder:/data/mine"), ("a/b", "folder:../c")]
)
def test_a_runs_directory_is_one_plain_name(model, dataset):
    name = run_name.slug(model, dataset)
    assert "/" not in name
    assert ":" not in name
    assert not name.startswith(".")


@pytest.mark.parametrize("name", ["../x", "/etc/x", "..", "a/b", "", "x" * 300, "像" * 100, "a\nb", "\x1b[31m", "a+b"])
def test_a_protocols_name_does_not_leave_the_output_directory(tmp_path, photos, monkeypatch, name):

    monkeypatch.chdir(tmp_path)
    rules = EvaluationProtocol(name or "-", max_clicks=1)
    (found,) = bench(DISCS, photos(1), protocol=rules)
    place = Path(found["directory"])
    assert place.resolve().parents[1] == tmp_path / "runs"
    assert place.parent.name.endswith(rules.hash) or place.parent.name == name
    assert not (tmp_path.parent / "x").exists()
