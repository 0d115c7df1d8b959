"""What a person's work costs: presets, files, and the times of real people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from iiszoo.engine.campaign.cost import PRESETS, load_cost
from iiszoo.errors import BadOption


def test_the_seed_s_preset_is_the_mean_of_its_uniform_clicks() -> None:
    seed = load_cost("seed")
    assert (seed.click, seed.first_look, seed.review, seed.change) == (2.0, 0.0, 0.0, 0.4)


def test_every_preset_says_where_its_times_come_from() -> None:
    assert len(PRESETS) >= 2
    assert any("arXiv" in preset.source for preset in PRESETS.values())
    for name, preset in PRESETS.items():
        assert preset.name == name
        assert len(preset.source) > 40


def test_a_file_may_say_it(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('click = 1.5\nfirst_look = 2\nreview = 3\nchange = 0.5\nsource = "my stopwatch"\n')
    mine = load_cost(str(file))
    assert (mine.name, mine.click, mine.first_look, mine.review, mine.change) == ("mine", 1.5, 2, 3, 0.5)
    assert "my stopwatch" in mine.sentence()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("click = 1\n", "is missing"),
        ('click=1\nfirst_look=1\nreview=1\nchange=1\nsource="x"\nclik=1\n', "'clik' is unknown"),
        ('click=-1\nfirst_look=1\nreview=1\nchange=1\nsource="x"\n', "click must be a number of seconds"),
        ('click="1"\nfirst_look=1\nreview=1\nchange=1\nsource="x"\n', "click must be a number of seconds"),
        ('click=nan\nfirst_look=1\nreview=1\nchange=1\nsource="x"\n', "click must be a number of seconds"),
        ('click=1\nfirst_look=1\nreview=1\nchange=1\nsource=" "\n', "where its times come from"),
        ("click = \n", "not valid TOML"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(BadOption, match=fault):
        load_cost(str(tmp_path / "c.toml"))


def test_unknown_names_and_absent_files_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="presets: seed"):
        load_cost("cheap")
    for name in ("none.toml", "none.jsonl"):
        with pytest.raises(BadOption, match="cannot be read"):
            load_cost(str(tmp_path / name))


def line(image: str, opened: float | None, actions: list[tuple[float, str]], start: bool = False) -> str:
    value: dict[str, Any] = {
        "image": image,
        "object": 1,
        "seconds": 9.0,
        "opened": opened,
        "actions": [{"at": at, "do": do} for at, do in actions],
        "steps": [{"do": "start", "mask": "x"}] if start else [],
    }
    return json.dumps(value) + "\n"


def test_the_times_of_real_people_are_taken_from_the_annotation_page_s_sessions(tmp_path: Path) -> None:
    file = tmp_path / "sessions.jsonl"
    file.write_text(
        # looked for 5 s, of which a click takes 2; two further clicks of 1 and 3 s; accepted
        line("a.jpg", 100.0, [(105.0, "click"), (106.0, "click"), (109.0, "click"), (110.0, "accept")])
        # 4 s after the image before; a proposal, accepted after 6 s
        + line("b.jpg", 114.0, [(120.0, "accept")], start=True)
        # a pause of 1000 s is not the time of a click
        + line("c.jpg", 122.0, [(127.0, "click"), (1127.0, "click"), (1128.0, "accept")])
    )
    found = load_cost(str(file))
    assert found.click == pytest.approx(2.0)
    assert found.first_look == pytest.approx(3.0)
    assert found.review == pytest.approx(6.0)
    assert found.change == pytest.approx(3.0)
    assert "1 pauses" in found.source
    assert "3 objects" in found.source


def test_the_second_object_of_an_image_is_looked_for_from_the_first_s_acceptance_on(tmp_path: Path) -> None:
    file = tmp_path / "sessions.jsonl"
    file.write_text(
        line("a.jpg", 100.0, [(104.0, "click"), (106.0, "click"), (107.0, "accept")])
        + line("a.jpg", 100.0, [(111.0, "click"), (113.0, "click"), (114.0, "accept")])
    )
    assert load_cost(str(file)).first_look == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", r"line 1, is not a line of sessions.jsonl"),
        ('{"image": "a"}', r"line 1, is not .*: opened is missing"),
        (line("a", 1.0, [(2.0, "click")]), r"no session has a click after another action"),
        ("", r"no session has a click"),
    ],
)
def test_damaged_sessions_are_named_by_line(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "s.jsonl").write_text(text)
    with pytest.raises(BadOption, match=fault):
        load_cost(str(tmp_path / "s.jsonl"))
