"""Protocols: presets, files, names and hashes."""

from __future__ import annotations

import os
from dataclasses import fields, replace

import pytest

from iiszoo.engine.evaluation_protocol import PRESETS, EvaluationProtocol, ResolvedProtocol, load_protocol
from iiszoo.errors import BadOption, UnknownId

OTHER = {
    "robot": "another",
    "robot_version": 2,
    "max_clicks": 10,
    "target_iou": 0.85,
    "threshold": 0.4,
    "seed": 1,
}


def test_presets_are_the_papers_settings():
    standard = load_protocol("standard")
    assert (standard.robot, standard.max_clicks, standard.target_iou, standard.threshold) == ("ritm", 20, 0.90, None)
    assert load_protocol("ritm") == replace(standard, name="ritm", threshold=0.49)
    assert load_protocol("noc95") == replace(standard, name="noc95", target_iou=0.95)
    assert load_protocol("hq") == replace(standard, name="hq", target_iou=1.0)
    assert all(name == preset.name for name, preset in PRESETS.items())


def test_an_unknown_preset_is_answered_with_those_there_are():
    with pytest.raises(
        UnknownId, match=r"no evaluation protocol is called 'rtim'; presets: standard, ritm, noc95, hq; or .*\.toml"
    ):
        load_protocol("rtim")


def test_the_hash_depends_on_every_rule_and_not_on_the_name():
    standard = EvaluationProtocol()
    assert set(OTHER) | {"name", "resize"} == {field.name for field in fields(EvaluationProtocol)}
    hashes = {replace(standard, **{rule: value}).hash for rule, value in OTHER.items()}
    assert len(hashes | {standard.hash}) == len(OTHER) + 1
    assert replace(standard, name="mine").hash == standard.hash


def test_equal_rules_have_equal_hashes_however_the_number_was_written(tmp_path):
    file = tmp_path / "whole.toml"
    file.write_text("target_iou = 1\n")
    assert load_protocol(str(file)).hash == load_protocol("standard", target_iou=1.0).hash


def test_a_protocol_survives_json():
    rules = EvaluationProtocol("mine", seed=3).resolved(0.49)
    assert rules.threshold == 0.49
    assert EvaluationProtocol("mine", threshold=0.3).resolved(0.49).threshold == 0.3
    assert ResolvedProtocol.from_json(rules.as_json()) == rules
    assert rules.as_json()["hash"] == rules.hash


def test_a_changed_preset_is_called_so():
    assert load_protocol("ritm", seed=3) == replace(PRESETS["ritm"], name="ritm+", seed=3)
    assert load_protocol("ritm", threshold=0.49, seed=None) == PRESETS["ritm"]


def test_a_toml_file_gives_any_of_the_fields(tmp_path):
    file = tmp_path / "short.toml"
    file.write_text("max_clicks = 5\nthreshold = 0.49\n")
    assert load_protocol(str(file)) == EvaluationProtocol("short", max_clicks=5, threshold=0.49)
    file.write_text('name = "mine"\nrobot = "ritm"\ntarget_iou = 0.95\nseed = 7\n')
    assert load_protocol(str(file)) == EvaluationProtocol("mine", target_iou=0.95, seed=7)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("max_click = 5", r"unknown field 'max_click'; fields: name, robot, .*max_clicks"),
        ('max_clicks = "5"', r"max_clicks must be of type int, not '5'"),
        ("max_clicks = 5.5", r"max_clicks must be of type int, not 5.5"),
        ("max_clicks = true", r"max_clicks must be of type int, not True"),
        ("target_iou = true", r"target_iou must be of type float, not True"),
        ("threshold = 'half'", r"threshold must be of type float, not 'half'"),
        ("max_clicks = ", r"not valid TOML"),
        ("max_clicks = 0", r"max_clicks must be at least 1, not 0"),
        ("target_iou = 90", r"target_iou must be above 0 and at most 1, not 90"),
        ("threshold = nan", r"threshold must lie between 0 and 1, not nan"),
        ("resize = '400'", r"resize rule '400' is unknown"),
        ("resize = 400", r"resize must be of type str, not 400"),
        ("max_clicks = 1000000000", r"max_clicks must be at most 1000, not 1000000000"),
        ("max_clicks = " + "9" * 400, r"max_clicks must be at most 1000, not 9{57}\.\.\."),
        ("max_clicks = 0x" + "9" * 5000, r"max_clicks must be at most 1000, not such a large int"),
        ("max_clicks = " + "9" * 5000, r"not valid TOML"),
        ("max_clicks = -3", r"max_clicks must be at least 1, not -3"),
        ("max_clicks = inf", r"max_clicks must be of type int, not inf"),
        ("max_clicks = []", r"max_clicks must be of type int, not \[\]"),
        ("[max_clicks]", r"max_clicks must be of type int, not \{\}"),
        ("target_iou = nan", r"target_iou must be above 0"),
        ("target_iou = inf", r"target_iou must be above 0"),
        ("target_iou = 1979-05-27", r"target_iou must be of type float, not datetime"),
        ("target_iou = " + "9" * 400, r"target_iou must be above 0 and at most 1, not 9{57}\.\.\."),
        ("threshold = 0x" + "9" * 5000, r"threshold must lie between 0 and 1, not such a large int"),
        ("seed = -1", r"seed must be from 0 to"),
        ("seed = 1.0", r"seed must be of type int, not 1\.0"),
        ("seed = 0x" + "f" * 16, r"seed must be from 0 to"),
        ("name = 3", r"name must be of type str, not 3"),
        ("name = ''", r"name must not be empty"),
        ("name = '" + "n" * 2000 + "'", r"name must have at most 1000 characters, not 2000"),
        ("robot = ' '", r"robot must not be empty"),
        ("robot = ['ritm']", r"robot must be of type str, not \['ritm'\]"),
        ("robot_version = 2", r"unknown field 'robot_version'"),
        ("hash = 'aa'", r"unknown field 'hash'"),
        ("seed = " + "[" * 3000, r"not valid TOML"),
    ],
)
def test_a_bad_file_is_named_with_its_fault(tmp_path, text, fault):
    file = tmp_path / "bad.toml"
    file.write_text(text)
    with pytest.raises(BadOption, match=fault) as raised:
        load_protocol(str(file))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["max_clicks = 0", "target_iou = 90", "threshold = 1"])
def test_a_value_out_of_range_names_the_file_that_it_stands_in(tmp_path, text):
    file = tmp_path / "bad.toml"
    file.write_text(text)
    with pytest.raises(BadOption, match=r"bad\.toml"):
        load_protocol(str(file))


def test_a_file_that_is_not_text_is_named(tmp_path):
    file = tmp_path / "latin.toml"
    file.write_bytes('name = "präzise"'.encode("latin-1"))
    with pytest.raises(BadOption, match=r"latin\.toml"):
        load_protocol(str(file))


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(BadOption, match=r"absent\.toml cannot be read: No such file"):
        load_protocol(str(tmp_path / "absent.toml"))


def test_what_is_not_a_file_is_refused_and_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "zeros.toml").symlink_to("/dev/zero")
    for name in ("pipe", "folder", "zeros"):
        with pytest.raises(BadOption, match=rf"{name}\.toml cannot be read: it is a "):
            load_protocol(str(tmp_path / f"{name}.toml"))


def test_a_byte_order_mark_is_no_fault(tmp_path):
    (tmp_path / "mine.toml").write_bytes(b"\xef\xbb\xbfseed = 3\n")
    assert load_protocol(str(tmp_path / "mine.toml")) == EvaluationProtocol("mine", seed=3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": None}, "'seed' is missing"),
        ({"speed": 3}, "'speed' is unknown"),
        ({"max_clicks": "20"}, "max_clicks must be of type int"),
        ({"max_clicks": True}, "max_clicks must be of type int"),
        ({"threshold": float("nan")}, "threshold must lie"),
    ],
)
def test_rules_of_a_damaged_file_are_refused(change, said):
    rules = {**ResolvedProtocol().as_json(), **change}
    if None in change.values():
        del rules["seed"]
    with pytest.raises(BadOption, match=said):
        ResolvedProtocol.from_json(rules)


@pytest.mark.parametrize(
    "change", [{"max_clicks": 0}, {"max_clicks": 1001}, {"target_iou": 0.0}, {"target_iou": 1.1}, {"threshold": 1.0}]
)
def test_a_rule_out_of_range_is_refused(change):
    with pytest.raises(BadOption, match=next(iter(change))):
        load_protocol("standard", **change)
