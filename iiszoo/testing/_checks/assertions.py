"""What several checks share: assertions on cards and outputs, each of which raises `Broken`, saying what was found."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from iiszoo.cards import Card
from iiszoo.errors import ModelError
from iiszoo.plugins import Kind
from iiszoo.protocol import Clicks, Outputs, check_output
from iiszoo.testing.check import Broken, NotApplicable
from iiszoo.testing.scenes import Scene
from iiszoo.testing.subject import Subject
from iiszoo.testing.values import difference

SAME = 1e-5
"""How far two outputs of the same computation may differ: memory alignment can change the kernel."""


CardType_co = TypeVar("CardType_co", bound=Card, covariant=True)


class _WithCard(Protocol[CardType_co]):
    @property
    def kind(self) -> Kind: ...
    @property
    def card(self) -> CardType_co | None: ...


def card_of(subject: _WithCard[CardType_co]) -> CardType_co:
    """The subject's card. Raises `NotApplicable` if there is none, or if loading it fails."""
    try:
        card = subject.card
    except NotApplicable:
        raise
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise NotApplicable("its card comes with the model, which cannot be loaded") from error
    if card is None:
        raise NotApplicable(f"a {'loaded dataset' if subject.kind == 'dataset' else 'bare function'} has no card")
    return card


def states(card: Card, *names: str) -> None:
    """None of these fields of the card is blank."""
    missing = [name for name in names if not getattr(card, name).strip()]
    if missing:
        raise Broken(f"it states no {', '.join(missing)}")


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    """These environment variables, during the block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


def sound(y: Any, scene: Scene) -> None:
    """The output has the standard format."""
    try:
        check_output(y, scene.x, "under check")
    except ModelError as error:
        raise Broken(f"it broke that: it must {str(error).partition(' must ')[2]}") from error


def all_sound(subject: Subject, scene: Scene) -> None:
    """So has every output of a session."""
    for y in subject.play(scene).outputs:
        sound(y, scene)


def sound_for(subject: Subject, scene: Scene, pcs: Clicks, ncs: Clicks) -> None:
    """So has the output for these clicks, as the first of a session."""
    y, _ = subject.call(scene.x, subject.start(scene.x), pcs, ncs)
    sound(y, scene)


def same(y: Outputs, other: Outputs, which: str) -> None:
    """The two come from the same computation."""
    near(y, other, SAME, which)


def near(y: Outputs, other: Outputs, tolerance: float, which: str) -> None:
    """The two differ by at most `tolerance`."""
    apart = difference(y, other)
    if not apart <= tolerance:
        raise Broken(f"{which} differs by {apart:.3g} ({tolerance:g} is allowed)")
