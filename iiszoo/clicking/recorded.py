"""`recorded`: clicks that people have made, replayed on the samples on which they made them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from iiszoo import files
from iiszoo.cards import RobotCard
from iiszoo.clicking.recorded_files import read_recordings
from iiszoo.clicking.recordings import RecordedClick, Recording, Recordings
from iiszoo.clicking.robots import Rng, errors, ritm_point
from iiszoo.clicking.single_sample import Mask, copied, generator, single_sample
from iiszoo.errors import BadOption
from iiszoo.protocol import Click, Clicks

_DATASET = ",dataset="


class Recorded:
    """A robot that clicks as people did on the same sample.

    - The first click, if the session starts without a mask, is a recorded first click, exactly: the same pixel,
      positive or negative as the person meant it, wherever the target lies. If several people were recorded, the
      sample's generator draws one of them; another seed may draw another.
    - Every later click is the recorded click nearest to the point of `ritm`, among those that lie inside the present
      error of their kind (positive in false negatives, negative in false positives) and were not clicked before; of
      equals, the one recorded first. Only clicks of people whose first click was the one made are used.
    - Where none is left, the click is that of `ritm`; `unrecorded` counts these.

    Nothing is kept between calls. `recordings` are by sample id, which every call must therefore give. Clicks that were
    recorded on another size of the image are scaled. ValueError if that has another ratio.
    """

    def __init__(self, recordings: Recordings, version: int = 1) -> None:
        self.recordings = recordings
        self.version = version

    def __call__(
        self,
        outputs: Tensor,
        targets: Tensor,
        pcs: Clicks,
        ncs: Clicks,
        n_points: int = 1,
        *,
        ignore: Tensor | None = None,
        generators: Sequence[np.random.Generator | None] | None = None,
        threshold: float = 0.5,
        samples: Sequence[str] | None = None,
    ) -> tuple[Clicks, Clicks]:
        """Called as any robot (see `single_sample`), with `samples`."""
        if samples is None:
            raise ValueError("a robot that replays clicks needs the sample ids: samples=[...]")
        height, width = outputs.shape[-2:]
        new_pcs: Clicks = [[]]
        new_ncs: Clicks = [[]]
        for b, sample in enumerate(samples):
            recordings = self._of(sample, (height, width))
            one = slice(b, b + 1)
            before = [interaction[one] for interaction in pcs], [interaction[one] for interaction in ncs]
            given = outputs[one], targets[one], None if ignore is None else ignore[one]
            positives: list[Click] = []
            negatives: list[Click] = []
            if not any(element for interaction in (*before[0], *before[1]) for element in interaction):
                first = self._first(recordings, *given, generators, b, threshold)
                if first is not None:
                    (positives if first.positive else negatives).append((first.row, first.col))
            n_left = n_points - len(positives) - len(negatives)
            if n_left:
                known = [*before[0], [positives]], [*before[1], [negatives]]
                later = _later(_following(recordings, known))
                made = later(given[0], given[1], *known, n_left, ignore=given[2], threshold=threshold)
                positives, negatives = [*positives, *made[0][-1][0]], [*negatives, *made[1][-1][0]]
            new_pcs[0].append(positives)
            new_ncs[0].append(negatives)
        return [*copied(pcs), *new_pcs], [*copied(ncs), *new_ncs]

    def unrecorded(self, sample: str, size: tuple[int, int], interactions: Sequence[Sequence[Sequence[int]]]) -> int:
        """How many of a session's clicks, `[row, col, positive]` by interaction, are not recorded but `ritm`'s."""
        recordings = self._of(sample, size)
        clicks = [RecordedClick(row, col, bool(positive)) for made in interactions for row, col, positive in made]
        if not clicks:
            return 0
        followed = [recording for recording in recordings if recording.first == clicks[0]]
        later = {click for recording in followed or recordings for click in recording.later}
        return sum(click not in later for click in clicks[1:]) + (not followed and clicks[0] not in later)

    def _of(self, sample: str, size: tuple[int, int]) -> list[Recording]:
        try:
            return [recording.on(size) for recording in self.recordings.get(sample, ())]
        except ValueError as error:
            raise ValueError(f"the recorded clicks of sample {sample!r} do not fit it: {error}") from error

    @staticmethod
    def _first(
        recordings: Sequence[Recording],
        output: Tensor,
        target: Tensor,
        ignore: Tensor | None,
        generators: Sequence[np.random.Generator | None] | None,
        b: int,
        threshold: float,
    ) -> RecordedClick | None:
        """The first click of a session that starts without a mask, if there is something to click."""
        firsts = [recording.first for recording in recordings if recording.first is not None]
        object = target != 0 if ignore is None else (target != 0) & ~ignore
        if not firsts or bool((output > threshold).any()) or not bool(object.any()):
            return None
        return firsts[int(generator(generators, b).integers(len(firsts)))]


def load(card: RobotCard, argument: str = "") -> Recorded:
    """The robot of `FILE` or `FILE,dataset=NAME` (`read_recordings`). Raises `BadOption`.

    Its version follows from the file's content, so that a run with other clicks is another run.
    """
    name, _, dataset = argument.partition(_DATASET) if _DATASET in argument else (argument, "", "")
    if not name or (_DATASET in argument and not dataset):
        usage = f"{card.id}:FILE, or {card.id}:FILE.csv,dataset=NAME"
        raise BadOption(f"robot {card.id!r} needs the file of the clicks: {usage}")
    path = Path(name)
    recordings = read_recordings(path, dataset)
    digest = hashlib.sha256(files.read_bytes(path)).digest()
    return Recorded(recordings, (card.version << 48) + int.from_bytes(digest[:6], "big"))


def _following(recordings: Sequence[Recording], known: tuple[Clicks, Clicks]) -> list[RecordedClick]:
    """The later clicks of the people whose first click was the session's; of all, if it was nobody's."""
    first = next(
        (
            RecordedClick(*clicks[0], positive)
            for interaction in zip(*known, strict=True)
            for clicks, positive in zip((element[0] for element in interaction), (True, False), strict=True)
            if clicks
        ),
        None,
    )
    followed = [recording for recording in recordings if recording.first is not None and recording.first == first]
    return list(dict.fromkeys(click for recording in followed or recordings for click in recording.later))


def _later(recorded: Iterable[RecordedClick]) -> Any:
    """A robot that makes those of the clicks that are still right, else that of `ritm`."""

    @partial(single_sample, draws=False)
    def later(
        target: Mask, prediction: Mask, ignore: Mask | None, clicks: Sequence[Click], rng: Rng | None
    ) -> list[tuple[int, int]]:
        point = ritm_point(target, prediction, ignore, clicks)
        if point is None:
            return []
        missed, excess = errors(target, prediction, ignore)
        made = {(int(row), int(col)) for row, col in clicks}
        left = [
            (row, col)
            for row, col, positive in recorded
            if (row, col) not in made and (missed if positive else excess)[row, col]
        ]
        return [min(left, key=lambda at: (at[0] - point[0]) ** 2 + (at[1] - point[1]) ** 2)] if left else [point]

    return later
