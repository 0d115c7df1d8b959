"""iiszoo's own models, datasets and robots, registered through the same hooks as any plugin's. Cards only: nothing
heavy is imported.
"""

from __future__ import annotations

from collections.abc import Callable

from iiszoo.builtin.datasets import DATASETS
from iiszoo.builtin.downloads import complete
from iiszoo.builtin.models import DEFAULTS, MODELS
from iiszoo.builtin.robots import ROBOTS
from iiszoo.cards import DatasetCard, RobotCard
from iiszoo.hookspecs import API_VERSION, hookimpl

api_version = API_VERSION


@hookimpl
def iiszoo_register_models(register: Callable[..., None]) -> None:
    for card in MODELS:
        register(card, default=card.id in DEFAULTS)


@hookimpl
def iiszoo_register_datasets(register: Callable[[DatasetCard], None]) -> None:
    for card in DATASETS:
        register(complete(card))


@hookimpl
def iiszoo_register_robots(register: Callable[[RobotCard], None]) -> None:
    for card in ROBOTS:
        register(card)
