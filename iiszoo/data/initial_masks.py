"""The masks that sessions start from, to be corrected, for any dataset: `DATASET?initial=WHAT`.

- `masks:DIR`: the files of DIR, each called by its sample's id (which may have directories), of any kind that
  `folder:DIR` reads; a mask that belongs to no sample is not looked at;
- `perturb:seed=0,iou=0.75-0.85`: made from the targets (`iiszoo.data.flawed_mask`); a sample's mask depends on its id,
  the seed and the range alone.

They take the place of those that a dataset has itself, and become part of its name and of its fingerprint, and so of a
run's identity.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from iiszoo.data import file_checks
from iiszoo.data.base import EvaluationDataset, Target
from iiszoo.data.picture_file import SUFFIXES
from iiszoo.errors import BadOption, DatasetError
from iiszoo.file_names import sample_name
from iiszoo.names import parse_name
from iiszoo.seeding import generator_for

if TYPE_CHECKING:
    from iiszoo.data.base import Image, Mask

INITIAL = "initial"
"""The option that every dataset has: which masks its sessions start from."""

_USAGE = "write perturb:seed=0,iou=0.75-0.85, with 0 < lower IoU < higher IoU < 1, or masks:DIR"


@dataclass(frozen=True)
class Perturbation:
    """How masks are made from targets: with an IoU from `low` to `high`."""

    seed: int = 0
    low: float = 0.75
    high: float = 0.85

    def __str__(self) -> str:
        return f"perturb:seed={self.seed},iou={self.low!r}-{self.high!r}"


def perturbation(text: str) -> Perturbation:
    """From `perturb`, `perturb:seed=1`, `perturb:iou=0.6-0.7,seed=1`. Raises `BadOption`."""
    kind, _, argument = text.partition(":")
    values: dict[str, str] = {}
    for part in argument.split(",") if argument else []:
        name, _, value = (piece.strip() for piece in part.partition("="))
        if name not in ("seed", "iou") or name in values:
            raise BadOption(f"initial mask {text!r}: {part.strip()!r} is no setting, or is given twice; {_USAGE}")
        values[name] = value
    low, _, high = values.get("iou", "0.75-0.85").partition("-")
    try:
        made = Perturbation(int(values.get("seed", "0")), float(low), float(high))
    except ValueError as error:
        raise BadOption(f"initial mask {text!r} has a value that is no number; {_USAGE}") from error
    if kind != "perturb" or made.seed < 0 or not 0 < made.low < made.high < 1:
        raise BadOption(f"initial mask {text!r} cannot be made; {_USAGE}")
    return made


def with_initial(dataset: str, initial: str | None = None) -> str:
    """The name of `dataset` with the masks that `initial` says, or that it says itself, in its one canonical form.

    Raises `BadOption` if the masks are said twice, or cannot be made.
    """
    name = parse_name(dataset)
    own = name.options.get(INITIAL)
    if own is not None and initial is not None:
        raise BadOption(
            f"dataset {name.without(INITIAL)}: initial masks are given twice, {own} and {initial}; give one of them"
        )
    said = own if initial is None else initial
    return str(name) if said is None else str(name.with_options({INITIAL: _canonical(str(said))}))


def _canonical(initial: str) -> str:
    kind, _, argument = initial.partition(":")
    return initial if kind == "masks" and argument else str(perturbation(initial))


def start_from(dataset: EvaluationDataset, initial: str) -> EvaluationDataset:
    """The dataset with other masks to start from. Raises `BadOption`, or `DatasetError` if DIR fits no sample."""
    name = with_initial(dataset.name, initial)
    kind, _, argument = initial.partition(":")
    if kind == "masks":
        return StartsFromFiles(dataset, name, Path(argument).expanduser())
    return StartsFromPerturbed(dataset, name, perturbation(initial))


class _Started(EvaluationDataset):
    """A dataset in all but its initial masks."""

    def __init__(self, dataset: EvaluationDataset, name: str) -> None:
        self.dataset, self.name, self.place = dataset, name, dataset.place

    def __len__(self) -> int:
        return len(self.dataset)

    def sample_id(self, i: int) -> str:
        return self.dataset.sample_id(i)

    def image_id(self, i: int) -> str:
        return self.dataset.image_id(i)

    def read_image(self, i: int) -> Image:
        return self.dataset.read_image(i)

    def read_target(self, i: int) -> Target:
        return self.dataset.read_target(i)

    def files_of(self, i: int) -> tuple[str, ...]:
        return self.dataset.files_of(i)

    def check_files(self) -> Iterator[str]:
        return self.dataset.check_files()

    def stamp(self) -> str:
        return self.dataset.stamp()

    def groups(self) -> list[list[int]]:
        return self.dataset.groups()


class StartsFromPerturbed(_Started):
    """Each mask is made from the sample's target, whenever it is read."""

    def __init__(self, dataset: EvaluationDataset, name: str, how: Perturbation) -> None:
        super().__init__(dataset, name)
        self.how = how

    def read_initial_mask(self, i: int) -> Mask | None:
        """None where there is no target to make it from: that is told as a fault of its own.

        Raises `DatasetError` where the target is too small for the IoU that is asked for.
        """
        from iiszoo.data.flawed_mask import flawed_mask

        object, ignore = self.read_target(i)
        if not (object if ignore is None else object & ~ignore).any():
            return None
        rng = generator_for(self.sample_id(i), "perturb", self.how.seed)
        try:
            return flawed_mask(object, ignore, rng, self.how.low, self.how.high)
        except ValueError as error:
            files = " and ".join(self.files_of(i))
            raise DatasetError(f"{files}: no initial mask can be made, {error}; ask for a wider range") from error


class StartsFromFiles(_Started):
    """Masks of a directory, each called by its sample's id. Raises `DatasetError` where it holds none of any sample."""

    def __init__(self, dataset: EvaluationDataset, name: str, directory: Path) -> None:
        super().__init__(dataset, name)
        self.directory = directory
        self._files: dict[str, list[Path]] = {}
        for path in sorted(directory.rglob("*")):
            if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
                id = sample_name(path.relative_to(directory).with_suffix("").as_posix())
                self._files.setdefault(id, []).append(path)
        if not any(self.sample_id(i) in self._files for i in range(len(self))):
            found = f"it holds {', '.join(list(self._files)[:3])}, ..." if self._files else "it holds no masks"
            raise DatasetError(
                f"initial masks {directory}: none is called by the id of a sample of {dataset.name}, as "
                f"{self.sample_id(0)}.png would be; {found if directory.is_dir() else 'there is no such directory'}"
            )

    def read_initial_mask(self, i: int) -> Mask:
        from iiszoo.data.datasets.folder import one_object

        return one_object(self._file(i), "an initial mask holds one").object

    def files_of(self, i: int) -> tuple[str, ...]:
        return (*super().files_of(i), *map(str, self._files.get(self.sample_id(i), [])))

    def stamp(self) -> str:
        ours = file_checks.stamp(path for files in self._files.values() for path in files)
        return f"{super().stamp()} {ours}"

    def check_files(self) -> Iterator[str]:
        """The dataset's own faults, then initial masks that are absent or unreadable, by name."""
        yield from super().check_files()
        for i in range(len(self)):
            try:
                file_checks.picture_size(self._file(i))
            except DatasetError as error:
                yield str(error)

    def _file(self, i: int) -> Path:
        files = self._files.get(self.sample_id(i), [])
        if len(files) != 1:
            raise DatasetError(
                f"{self.directory}: sample {self.sample_id(i)!r} has "
                + (f"several initial masks: {', '.join(path.name for path in files)}" if files else "no initial mask")
            )
        return files[0]
