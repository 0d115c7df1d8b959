"""`iiszoo annotate` from the shell: what it prints, how it ends, and one sentence for whatever is wrong."""

from __future__ import annotations

import os
import shutil
import socket
import sys

import cv2
import numpy as np
import pytest
from serving import served
from websockets.sync.client import connect

from iiszoo.cli.main import main

DISCS = ("--model", "painting_models:discs")


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """`refused(...)`: the one sentence with which `iiszoo annotate ...` ends."""
    monkeypatch.chdir(tmp_path)

    def refused(*arguments):
        monkeypatch.setattr(sys, "argv", ["iiszoo", *map(str, ("annotate", *arguments, "--no-browser"))])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        out, err = capsys.readouterr()
        assert not out
        (sentence,) = err.splitlines()
        return sentence

    return refused


def test_it_prints_one_address_and_says_at_the_end_where_the_work_is(tmp_path):
    """Also among files whose names steer a terminal, and with one that is no picture."""
    directory = tmp_path / "photo\x1b[31mgraphs"
    directory.mkdir()
    cv2.imwrite(str(tmp_path / "x.png"), np.zeros((20, 20, 3), np.uint8))
    shutil.copy(tmp_path / "x.png", directory / "\x1b[2J<img src=x onerror=alert(1)>.png")
    (directory / "\x1b]0;gone\x07.png").write_bytes(b"no picture")
    with served(directory, *DISCS, "--out", tmp_path / "work") as server:
        assert "annotating 1 image" in server.lines[0]
        assert sum("http://127.0.0.1:" in line for line in server.lines) == 1
        code, err = server.interrupt()
    assert code == 130
    assert len(err.splitlines()) == 2, err
    left_out, end = err.splitlines()
    assert left_out.startswith("left out: ")
    assert "\\x1b]0;gone\\x07.png: cannot be decoded" in left_out
    assert end == f"stopped; the work is in {tmp_path / 'work'}, and the same command goes on from here"
    assert "\x1b" not in err + "".join(server.lines)


def test_a_second_program_on_the_same_folder_is_refused(photographs, refused):
    directory = photographs()
    with served(directory, *DISCS) as server:
        assert "is in use by another `iiszoo annotate`" in refused(directory, *DISCS)
        server.kill()
    with served(directory, *DISCS):
        pass


def test_its_own_output_is_not_annotated(workplace, photographs):
    directory = photographs(1)
    for name in ("images", "masks"):
        (directory / "annotations" / name).mkdir(parents=True)
        shutil.copy(directory / "a.png", directory / "annotations" / name / "a.png")
    assert [image.name for image in workplace(1).images] == ["a.png"]


def test_no_images(tmp_path, refused):
    assert "does not exist" in refused(tmp_path / "nowhere", *DISCS)
    assert not (tmp_path / "nowhere").exists()
    (tmp_path / "set" / "images").mkdir(parents=True)
    assert "contains no images" in refused(tmp_path / "set", *DISCS)
    cv2.imwrite(str(tmp_path / "set" / "images" / "a.png"), np.zeros((20, 20, 3), np.uint8))
    assert "images/ in it has some" in refused(tmp_path / "set", *DISCS)
    (tmp_path / "a.png").write_bytes(b"x")
    assert "is a file; give the directory" in refused(tmp_path / "a.png", *DISCS)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.png").write_bytes(b"x")
    assert "no image that can be read" in refused(tmp_path / "bad", *DISCS)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--model", "nobody/knows"), "no model is called 'nobody/knows'"),
        (("--model", "painting_models:missing"), "has no 'missing'"),
        (("--device", "cuda:99"), "is not available"),
        (("--labels", "cat,,dog"), "a label is empty"),
        (("--labels", "cat,cat"), "label 'cat' is given twice"),
        (("--initial", "perturb:seed=0"), "neither masks:DIR nor coco:FILE"),
        (("--initial", "masks:nowhere"), "there is no directory nowhere"),
        (("--initial", "coco:nowhere.json"), "nowhere.json"),
        (("--host", "256.0.0.1"), "cannot be listened on"),
        (("--python", "nowhere/python"), "--python needs --model"),
        (("--python", "nowhere/python", *DISCS), "there is no such program"),
    ],
)
def test_one_sentence_for_what_cannot_be(photographs, refused, arguments, sentence):
    device = () if "--device" in arguments else ("--device", "cpu")
    assert sentence in refused(photographs(1), *device, *arguments)


def test_a_port_in_use(photographs, refused):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "cannot be listened on" in refused(photographs(1), *DISCS, "--port", taken.getsockname()[1])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_that_cannot_be_written(photographs, refused, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    assert "locked" in refused(photographs(1), *DISCS, "--out", tmp_path / "locked" / "out")


def test_an_output_that_is_a_file(photographs, refused, tmp_path):
    (tmp_path / "file").write_text("")
    assert "file" in refused(photographs(1), *DISCS, "--out", tmp_path / "file" / "out")


def test_a_missing_extra_says_what_to_install(photographs, refused, monkeypatch):
    monkeypatch.setattr("iiszoo.cli.annotate.find_spec", lambda name: None if name == "starlette" else name)
    assert refused(photographs(1)) == ('error: the page needs starlette: pip install "iiszoo[annotate]"')


def test_a_damaged_log_is_named(photographs, refused):
    directory = photographs(1)
    (directory / "annotations" / "journal").mkdir(parents=True)
    (directory / "annotations" / "journal" / "a.jsonl").write_text('{"n": 7}\n')
    assert "a.jsonl: line 1 is damaged" in refused(directory, *DISCS)


def test_an_image_of_another_size_than_before_is_left_out(workplace, photographs, tmp_path):
    journal = tmp_path / "out" / "journal"
    journal.mkdir(parents=True)
    (journal / "b.jsonl").write_text('{"n": 1, "at": 1.0, "do": "open", "size": [9, 9]}\n')
    work = workplace(2)
    assert [image.name for image in work.images] == ["a.png"]
    (fault,) = work.faults
    assert "b.png: has 40x56 (rows x columns) pixels, but had 9x9 when it was annotated" in fault


@pytest.mark.slow
def test_a_model_of_another_interpreter(photographs, tmp_path):
    (tmp_path / "plain.py").write_text(
        "def square(x, z, pcs, ncs):\n    y = x[:, :1] * 0\n    y[..., 10:20, 10:20] = 1\n    return y\n"
    )
    with served(photographs(1), "--python", sys.executable, "--model", "plain:square", cwd=tmp_path) as server:
        cookie = f"iiszoo-{server.host.rpartition(':')[2]}={server.token}"
        origin = f"http://{server.host}"
        with connect(f"ws://{server.host}/talk", origin=origin, additional_headers={"Cookie": cookie}) as page:
            click = '{"n": 1, "do": "click", "row": 12, "col": 12, "positive": true, "label": "object"}'
            page.send(click)
            page.send('{"n": 2, "do": "accept"}')
            while '"accepted": true' not in str(page.recv(60)):
                pass
    mask = cv2.imread(str(tmp_path / "photographs" / "annotations" / "masks" / "a__1.png"), cv2.IMREAD_UNCHANGED)
    assert (mask > 0).sum() == 100
