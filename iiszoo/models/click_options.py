"""Options shared by the families of `iiszoo.models.click_model`, checked before their loaders fetch anything."""

from __future__ import annotations

from iiszoo.errors import BadOption


def crop_target(option: int | str) -> int | tuple[int, int]:
    """The crop size of `size=400` (a side, in pixels) or `size=448x448` (height x width). Raises `BadOption`."""
    height, cross, width = str(option).partition("x")
    sides = [int(side) for side in ((height, width) if cross else (height,)) if side.isdecimal() and int(side)]
    if len(sides) != 1 + bool(cross):
        raise BadOption(f"option size={option} is not a valid crop size; give pixels (400) or HEIGHTxWIDTH (448x448)")
    return (sides[0], sides[1]) if cross else sides[0]


def check_click_limit(option: int | None) -> None:
    """Raise `BadOption` unless `click_limit` is None or a whole number of 1 or more."""
    if option is not None and not (isinstance(option, int) and not isinstance(option, bool) and option >= 1):
        raise BadOption(f"option click_limit={option} is not a number of clicks; give 1 or more, or leave it out")


def preset_size(preset: str, sizes: dict[str, int]) -> int:
    """The crop size of a preset. Raises `BadOption`."""
    if preset not in sizes:
        raise BadOption(f"option preset={preset} is unknown; presets: {', '.join(sizes)}")
    return sizes[preset]
