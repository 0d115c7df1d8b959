"""The clicks of RClicks find their samples in each of its five datasets, by the names that its table gives them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from iiszoo.engine.bench import bench
from iiszoo.engine.runs.summary import read
from iiszoo.loading import load_dataset

COLUMNS = "dataset,image_stem,full_stem,object_stem,click_type,model_type,device,w,h,x,y"
PHOTO = "f4f47608_F_20_Southeast Asian_Bangladesh____img_2_eu.df80f4f5-dbe9-4b63"
LARGE = (3000, 4000)
"""Rows and columns of TETRIS' photograph with two objects."""
SETS: dict[str, tuple[str, tuple[str, str], dict[str, str]]] = {
    "grabcut": ("GrabCut", ("data_GT", "boundary_GT"), {"21077": "21077", "bool": "bool"}),
    "berkeley": ("Berkeley", ("images", "masks"), {"189011": "189011", "189011a": "189011a"}),
    "davis": ("DAVIS", ("img", "gt"), {"000": "000"}),
    "coco_mval": ("COCO", ("img", "gt"), {"zebra09_000000068933": "zebra09_000000068933"}),
    "tetris": ("TETRIS", ("images", "masks"), {PHOTO: f"{PHOTO}__255", "ymy29Y4J5Qs": "ymy29Y4J5Qs"}),
}
"""Of each: its name in the table, its folders, and samples: the image's stem, and the id."""


def full_stem(dataset: str, stem: str, id: str) -> str:
    return f"{stem}_______{id.rpartition('__')[2]}" if stem != id else stem


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two first clicks of each sample, at (3, 5) and (4, 6) of a picture of 24 x 32, and later ones on masks."""
    lines = [COLUMNS]
    for name, _, samples in SETS.values():
        for stem, id in samples.items():
            full, number = full_stem(name, stem, id), id.rpartition("__")[2] if stem != id else ""
            rows, columns = LARGE if number else (24, 32)
            at = [(round(col * columns / 32), round(row * rows / 24)) for row, col in ((3, 5), (4, 6), (6, 9))]
            start = f"{name},{stem},{full}"
            lines += [f"{start},{number},first,,{device},{columns},{rows},{x},{y}"
                      for (x, y), device in zip(at[:2], ("pc", "mobile"), strict=True)]  # fmt: skip
            lines.append(
                f"{start}_simple_fn_mobile_10,{number},fn,simple,mobile,{columns},{rows},{at[2][0]},{at[2][1]}"
            )
            lines.append(f"{start}_mivos_fp,{number},fp,mivos,pc,{columns},{rows},{at[2][0]},{at[2][1]}")
    path = tmp_path / "clicks.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def roots(tmp_path: Path) -> Path:
    for id, (_, (images, masks), samples) in SETS.items():
        for folder in (images, masks):
            (tmp_path / "data" / id / folder).mkdir(parents=True)
        for stem, sample in samples.items():
            rows, columns = LARGE if stem != sample else (24, 32)
            mask = np.zeros((rows, columns, 3), np.uint8)
            mask[: rows // 2] = 255
            if stem != sample:
                mask[: rows // 2, :, 0:2] = 0  # red alone: 255
                mask[-rows // 4 :, :, 1] = 9
            place = tmp_path / "data" / id
            cv2.imwrite(str(place / images / f"{stem}.jpg"), np.full((rows, columns, 3), 90, np.uint8))
            cv2.imwrite(str(place / masks / f"{stem}.png"), mask)
    return tmp_path / "data"


@pytest.mark.parametrize("id", SETS)
def test_every_sample_begins_with_a_click_of_a_person(id: str, table: Path, roots: Path, tmp_path: Path) -> None:
    name, _, samples = SETS[id]
    how: dict[str, Any] = {"max_clicks": 1, "target_iou": 1.0, "root": roots}
    robot = f"recorded:{table},dataset={name}"
    (summary,) = bench("painting_models:ragged_discs", id, robot=robot, out=tmp_path / "run", **how)
    traces = {trace.sample: trace for trace in read(Path(summary["directory"]))[1]}
    assert set(traces) == {sample.id for sample in load_dataset(id, roots)}
    for stem, sample in samples.items():
        scale = 2048 / 32 if stem != sample else 1  # the large photograph is scaled to 1536 x 2048
        found = [(int(row * scale), int(col * scale), 1) for row, col in ((3, 5), (4, 6))]
        assert tuple(traces[sample].clicks[0][0]) in found
        assert traces[sample].unrecorded == 0
    unknown = set(traces) - set(samples.values())
    assert unknown == ({f"{PHOTO}__{9 * 256}"} if id == "tetris" else set())
    assert all(traces[sample].unrecorded == 1 for sample in unknown)
