"""Scores of a dataset's images, by which hard ones are trained on more often.

A pickle of a list of (number, image's name, score), with scores from 0 to 1, as `assets/sbd_samples_weights.pkl` of
SamsungLabs/ritm_interactive_segmentation at b9b4460, with which RITM and SimpleClick train on SBD.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iiszoo.data.restricted_pickle import read_pickle
from iiszoo.data.seg_dataset import SegDataset
from iiszoo.errors import DatasetError


def chances(file: Path, dataset: SegDataset, gamma: float = 1.0) -> NDArray[np.float64]:
    """How often each image of the dataset is drawn, float64 (N,), relative to the others: (1 - score)^`gamma`, and 0
    for an image without a score (`ISDataset._load_samples_scores`, `isegm/data/base.py`).

    Raises `DatasetError` if the file is none of this form, or scores no image of the dataset.
    """
    found = read_pickle(file)
    try:
        scores = {str(name): float(score) for _, name, score in found}
    except (TypeError, ValueError) as error:
        raise DatasetError(f"{file}: must be a list of (number, image, score) ({error})") from error
    if not all(0 <= score <= 1 for score in scores.values()):
        raise DatasetError(f"{file}: its scores must lie between 0 and 1")
    names = [dataset.image_id(i) for i in range(len(dataset))]
    weights = np.array([(1 - scores[name]) ** gamma if name in scores else 0.0 for name in names])
    if not weights.sum() > 0:
        raise DatasetError(f"{file}: scores no image of {dataset.name}; its names are those of another dataset")
    return weights
