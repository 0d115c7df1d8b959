"""The model's answers: asked for from the event loop, computed in the model's thread, told back in the event loop."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from statistics import median
from typing import Any, NamedTuple

from torch import Tensor

from iiszoo.annotate import frames, masks
from iiszoo.annotate.document import Click, Steps
from iiszoo.annotate.images import Pictures
from iiszoo.annotate.masks import Packed
from iiszoo.annotate.model_thread import Job, ModelThread
from iiszoo.annotate.models import Models
from iiszoo.annotate.states import Moment, Sight, States, next_moment
from iiszoo.annotate.workplace import Workplace
from iiszoo.errors import IISZooError, ModelError, with_place
from iiszoo.progress import NamedProgress
from iiszoo.protocol import to_tensor

HOVER_SECONDS = 0.15
"""A model that takes longer for a click shows no preview."""
_MASKS_BYTES = 256 << 20
_AHEAD_PIXELS = 24_000_000
"""A larger next image is not encoded ahead: it would take the memory that the present one needs."""

Tell = Callable[..., Coroutine[Any, Any, None]]


class Answer(NamedTuple):
    """The mask after some steps of an object; `frame`: as the page gets it; `seconds`: what the model took."""

    image: int
    object: int
    steps: Steps
    mask: Packed
    frame: bytes
    seconds: float


class Answers:
    """Computes masks for `work`'s images. `answered(answer)` and `failed(image, steps, error)` are called back."""

    def __init__(self, work: Workplace, pictures: Pictures, models: Models, answered: Tell, failed: Tell) -> None:
        self.work, self.pictures, self.models = work, pictures, models
        self.states = States()
        self._answered, self._failed = answered, failed
        self._thread = ModelThread()
        self._masks: OrderedDict[tuple[int, Steps], Packed] = OrderedDict()
        self._seconds: dict[str, deque[float]] = {}
        self._loop = asyncio.get_running_loop()

    def want(self, image: int, object: int, steps: Steps, model: str) -> None:
        """Answer these steps, instead of what is wanted now; without steps, let the model look at the image. Then let
        it look at the next image.
        """
        self._thread.want("hover", None)
        self._thread.want("answer", self._answer(image, object, steps) if steps else self._look(image, model))
        images = self.work.images
        small = image + 1 < len(images) and images[image + 1].size[0] * images[image + 1].size[1] <= _AHEAD_PIXELS
        self._thread.want("ahead", self._look(image + 1, model) if small else None)

    def preview(self, image: int, steps: Steps, told: Tell, number: int) -> None:
        """Tell the frame of what a click would give, the last of `steps`, if the model is fast enough."""
        assert isinstance(steps[-1], Click)
        if self._is_fast(steps[-1].model):
            self._thread.want("hover", self._preview(image, steps, told, number))

    def no_preview(self) -> None:
        self._thread.want("hover", None)

    def known(self, image: int, steps: Steps) -> Packed | None:
        """The mask after some steps, if it is in memory."""
        return self._masks.get((image, steps))

    async def mask(self, image: int, object: int, steps: Steps) -> Packed:
        """The mask after some steps: known, saved, or computed before anything else. Raises an `IISZooError`."""
        known = self.known(image, steps) or await self.saved(image, steps)
        return known or await self._ordered(lambda done: self._mask_job(image, steps, done))

    async def saved(self, image: int, steps: Steps) -> Packed | None:
        """The mask after some steps, if it was saved. Raises `RunError` if the file is gone."""
        hash = self.work.histories[image].saved.get(steps)
        if hash is None:
            return None
        mask = await asyncio.to_thread(self.work.saved.read, hash)
        self._keep(image, steps, mask)
        return mask

    async def load(self, model: str, progress: NamedProgress) -> None:
        """Load a model. `progress` is called in its thread. Raises an `IISZooError`."""

        def job(done: Callable[[Any], None]) -> bool:
            done(self.models.load(model, progress))
            return False

        await self._ordered(lambda done: lambda: job(done))

    def later(self, call: Tell, *arguments: Any) -> None:
        """Call in the event loop, from any thread."""
        coroutine = call(*arguments)
        try:
            asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        except RuntimeError:  # the loop has ended
            coroutine.close()

    async def end(self) -> None:
        """Wait for the model's present call, but not forever."""
        await asyncio.to_thread(self._thread.end, 10.0)

    def _is_fast(self, model: str) -> bool:
        seconds = self._seconds.get(model)
        return bool(seconds) and median(seconds or ()) <= HOVER_SECONDS

    def _keep(self, image: int, steps: Steps, mask: Packed) -> None:
        self._masks[image, steps] = mask
        self._masks.move_to_end((image, steps))
        while len(self._masks) > 1 and sum(kept.bits.nbytes for kept in self._masks.values()) > _MASKS_BYTES:
            self._masks.popitem(last=False)

    async def _ordered(self, make: Callable[[Callable[[Any], None]], Job]) -> Any:
        """The result of a job that is carried out before everything else; `make(done)` gives the job, which calls
        `done` with its result. Raises what it raises, as an `IISZooError`.
        """
        result: asyncio.Future[Any] = self._loop.create_future()
        work = make(lambda value: self._settle(result.set_result, value))

        def job() -> bool:
            try:
                return work()
            except Exception as error:  # noqa: BLE001  it is raised in the event loop
                self._settle(result.set_exception, error)
                return False

        self._thread.order(job)
        try:
            return await result
        except IISZooError:
            raise
        except Exception as error:
            raise ModelError(f"the model raised {with_place(error)}") from error

    def _settle(self, settle: Callable[[Any], None], value: Any) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(settle, value)

    # in the model's thread

    def _sight(self, image: int) -> Callable[[str], Sight]:
        def x(device: str) -> Tensor:
            return to_tensor(self.pictures.get(image).pixels, device)[None]

        return lambda model: self.models.sight(image, model, x)

    def _step(self, image: int, steps: Steps) -> tuple[Steps, Moment]:
        """One step on the way to `steps`. A click that is really answered is noted while it is."""
        length, _ = self.states.nearest(image, steps)
        step = steps[length] if length < len(steps) else None
        noted = isinstance(step, Click) and step.n > 0
        try:
            if isinstance(step, Click) and noted:
                self._sight(image)(step.model)  # loading a model, or a damaged image, is not the click's fault
                self.work.answering(image, step.n)
            size = self.work.images[image].size
            return next_moment(self.states, image, steps, size, self._sight(image), self.work.saved.read)
        finally:
            if noted:
                self.work.answered()

    def _answer(self, image: int, object: int, steps: Steps) -> Job:
        def job() -> bool:
            try:
                reached, moment = self._step(image, steps)
                mask = moment.mask
                frame = frames.overview(mask, kind="mask", image=image, object=object)
                answer = Answer(image, object, reached, masks.packed(mask), frame, moment.seconds)
            except Exception as error:  # noqa: BLE001  want of memory, say: the page tells
                self.later(self._failed, image, steps, error)
                return False
            self.later(self._tell, answer)
            return reached != steps

        return job

    async def _tell(self, answer: Answer) -> None:
        self._keep(answer.image, answer.steps, answer.mask)
        self._time(answer.steps, answer.seconds)
        await self._answered(answer)

    def _time(self, steps: Steps, seconds: float) -> None:
        if isinstance(steps[-1], Click):
            self._seconds.setdefault(steps[-1].model, deque(maxlen=5)).append(seconds)

    def _mask_job(self, image: int, steps: Steps, done: Callable[[Packed], None]) -> Job:
        def job() -> bool:
            reached, moment = self._step(image, steps)
            if reached == steps:
                done(masks.packed(moment.mask))
            return reached != steps

        return job

    def _look(self, image: int, model: str) -> Job:
        def job() -> bool:
            with suppress(IISZooError):  # the first click tells
                self._sight(image)(model)
            return False

        return job

    def _preview(self, image: int, steps: Steps, told: Tell, number: int) -> Job:
        def job() -> bool:
            if self.states.nearest(image, steps)[0] < len(steps) - 1:
                return False
            try:
                _, moment = self._step(image, steps)
            except Exception:  # noqa: BLE001  the click itself would tell
                return False
            self._time(steps, moment.seconds)
            frame = frames.overview(moment.mask, kind="preview", image=image, object=0, n=number)
            self.later(told, image, steps, frame)
            return False

        return job
