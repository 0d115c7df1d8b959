"""`iiszoo results verify`: what agrees, what differs, what could not be checked; the exit code says which."""

from __future__ import annotations

import json
import sys

import pytest

from iiszoo.cli.main import main


@pytest.fixture
def verify(bench_command, painted_photos, tmp_path, monkeypatch, capsys):
    """`verify(...)`: `iiszoo results verify runs ...` on runs of two models; exit code, stdout and stderr."""
    painted_photos.write(tmp_path / "photos")
    models = ("-m", "painting_models:discs", "-m", "painting_models:Remembering")
    code, _, err = bench_command(*models, "-d", "folder:photos", "--max-clicks", 3, "--out", "runs")
    assert code == 0, err

    def verify(*arguments):
        monkeypatch.setattr(sys, "argv", ["iiszoo", "results", "verify", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return verify


def edit(tmp_path, pattern="*discs*"):
    (run,) = (tmp_path / "runs").glob(pattern)
    lines = (run / "samples.jsonl").read_text().splitlines()
    trace = json.loads(lines[0])
    trace["iou"][0] = 0.123
    (run / "samples.jsonl").write_text("\n".join([json.dumps(trace), *lines[1:]]) + "\n")
    return run


def test_every_run_of_a_directory_is_checked(verify):
    code, out, err = verify("runs", "--seed", 4)
    assert (code, err) == (0, "")
    assert out.count("everything that could be checked agrees") == 2
    assert "DIFFERS" not in out
    assert out.endswith("seed 4, as asked\n2 of 2 runs agree\n")


def test_a_seed_that_nobody_named_is_drawn_and_printed(verify):
    seeds = {verify("runs", "--samples", 1)[1].splitlines()[-2] for _ in range(3)}
    assert len(seeds) > 1
    assert all("draws the same samples again" in line for line in seeds)


def test_an_edit_is_named_with_exit_code_2(verify, tmp_path):
    run = edit(tmp_path)
    code, out, _ = verify("runs", "--samples", "all")
    assert code == 2
    assert "sample p0 iou[0]: it is 0.123 in the run, but " in out
    assert f"1 of 2 runs agree; {run.relative_to(tmp_path)}" in out
    code, out, _ = verify(run, "--samples", 0)
    assert code == 2
    assert "`--samples all` would name the sample" in out


def test_json_has_every_finding_and_stdout_nothing_else(verify, tmp_path):
    edit(tmp_path)
    code, out, err = verify("runs", "--json", "--samples", "all", "--seed", 1)
    found = {one["title"].split()[0]: one for one in json.loads(out)}
    assert code == 2
    assert found["painting_models:Remembering"]["agrees"] is True
    assert {"check": "replay", "status": "differs", "sample": "p0", "field": "iou[0]"}.items() <= next(
        finding for finding in found["painting_models:discs"]["findings"] if finding["check"] == "replay"
    ).items()
    assert "1 of 2 runs agree" in err


def test_a_run_that_cannot_be_read_is_one_sentence_and_the_others_are_checked(verify, tmp_path):
    (run,) = (tmp_path / "runs").glob("*discs*")
    (run / "run.json").write_text((run / "run.json").read_text().replace('"format": 2', '"format": 9'))
    code, out, err = verify("runs")
    assert code == 2
    assert err.count("\n") == 1
    assert "format 9, not 2); install a newer iiszoo" in err
    assert "1 of 2 runs agree" in out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("absent",), "absent is not a directory"),
        (("photos",), "photos contains no run"),
        (("runs", "--samples", "few"), "'few' is neither a number of samples nor 'all'"),
        (("runs", "--checkpoint", "photos/images/p0.png"), "a checkpoint needs exactly one run, and there are 2"),
        (("runs", "--device", "cuda:99"), "is not available"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(verify, arguments, told):
    code, _, err = verify(*arguments)
    assert code == 2
    assert told in err
    assert "Traceback" not in err
