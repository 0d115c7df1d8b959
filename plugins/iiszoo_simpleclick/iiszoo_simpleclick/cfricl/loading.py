"""From a card to a model: the cards' `loader`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from iiszoo.cards import ModelCard
from iiszoo.errors import BadOption
from iiszoo_simpleclick import loading

if TYPE_CHECKING:
    from iiszoo_simpleclick.cfricl.cascade import Cascade


def load(
    card: ModelCard,
    *,
    device: str,
    checkpoint: Path | None = None,
    cf_n: int = 4,
    cf_click: int = 1,
    acf: bool = True,
    preset: str = "default",
    size: int | str | None = None,
    flip: bool = True,
    click_limit: int | None = None,
    runtime: str = "torch",
    precision: str = "float32",
    cuda_graphs: bool = False,
) -> Cascade:
    """The model of a card, with the official weights or those of `checkpoint`.

    `cf_n`, `cf_click`, `acf`: the steps, clicks and adaptivity of the `Cascade`, by default as its authors evaluate it.
    The others are SimpleClick's (`iiszoo_simpleclick.loading.load`).

    Raises `WeightsError`, and `BadOption` for an invalid option.
    """
    for name, value, counted in (("cf_n", cf_n, "refinements"), ("cf_click", cf_click, "clicks")):
        if value < 0:
            raise BadOption(f"option {name}={value} is not a number of {counted}; give 0 or more")
    model = loading.load(
        card,
        device=device,
        checkpoint=checkpoint,
        preset=preset,
        size=size,
        flip=flip,
        click_limit=click_limit,
        runtime=runtime,
        precision=precision,
        cuda_graphs=cuda_graphs,
    )
    from iiszoo_simpleclick.cfricl.cascade import Cascade

    return Cascade(model, cf_n, cf_click, acf)
