"""The page's other half: carries out what it asks, and tells it what there is.

Everything here runs in the event loop, one request after the other. The model runs in its own thread
(`iiszoo.annotate.model_thread`); its answers come back as calls in the event loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from statistics import median
from typing import Any

from torch import Tensor

from iiszoo.annotate import frames, masks
from iiszoo.annotate.document import Click, Object, Steps
from iiszoo.annotate.frames import View
from iiszoo.annotate.images import Pictures
from iiszoo.annotate.masks import Packed
from iiszoo.annotate.model_thread import Job, ModelThread
from iiszoo.annotate.models import Models
from iiszoo.annotate.states import Moment, Sight, States, next_moment
from iiszoo.annotate.workplace import Workplace
from iiszoo.errors import BadOption, IISZooError, one_line
from iiszoo.protocol import to_tensor

HOVER_SECONDS = 0.15
"""A model that takes longer for a click shows no preview."""
DRAFT_SECONDS = 3.0
"""How long after a change a mask that has not been accepted is saved."""
_MASKS_BYTES = 256 << 20
_AHEAD_PIXELS = 24_000_000
"""A larger next image is not encoded ahead: it would take the memory that the present one needs."""

Send = Callable[[str, Any], Awaitable[None]]
"""Sends a message of the given kind, or, for the kind "frame", bytes."""

_log = logging.getLogger(__name__)


class Page:
    """One page, connected or not. `notices` are sentences that it shows when it connects."""

    def __init__(self, work: Workplace, pictures: Pictures, models: Models, notices: list[str]) -> None:
        self.work, self.pictures, self.models, self.notices = work, pictures, models, notices
        self.model = models.first
        stems = [image.stem for image in work.images]
        last = work.place.get("stem")
        self.image = stems.index(last) if last in stems else self._first_open()
        self.thread = ModelThread()
        self.states = States()
        self._masks: OrderedDict[tuple[int, Steps], Packed] = OrderedDict()
        self._times: dict[str, deque[float]] = {}
        self._send: Send | None = None
        self._shown: dict[int, int] = {}
        self._keys: dict[tuple[int, Steps | str], int] = {}
        self._view: View | None = None
        self._begun = False
        self._alone = asyncio.Lock()
        self._draft: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._orders: set[asyncio.Task[None]] = set()

    @property
    def connected(self) -> bool:
        return self._send is not None

    async def connect(self, send: Send) -> None:
        """A page has come: tell it everything."""
        self._send = send
        async with self._alone:
            await send("welcome", self._welcome())
            await self._open(self.image)

    async def disconnect(self) -> None:
        """The page has gone; what it did stays."""
        self._send = None
        self._view = None
        self.thread.want("hover", None)
        async with self._alone:
            self._leave()

    async def handle(self, request: dict[str, Any]) -> None:
        """Carry out a request of `iiszoo.annotate.requests`; whatever is wrong with it, the page gets a sentence."""
        do = request.pop("do")
        number = request.pop("n")
        try:
            async with self._alone:
                await getattr(self, f"_do_{do}", self._deed)(number, do, request)
        except IISZooError as error:
            await self._tell("refused", {"n": number, "text": str(error)})
            await self._show_document(number)
        except OSError as error:
            text = f"{error.filename or self.work.out} cannot be written: {error.strerror or error}"
            await self._tell("refused", {"n": number, "text": f"{text}; what was accepted before is safe"})
            await self._show_document(number)

    async def close(self) -> None:
        """The program ends."""
        if self._draft is not None:
            self._draft.cancel()
        await asyncio.to_thread(self.thread.end, 10.0)
        self._leave()
        with suppress(OSError):
            self._save_draft()

    def _leave(self) -> None:
        if self._begun:
            self._begun = False
            with suppress(OSError):
                self.work.do(self.image, "close")

    # what a page asks for

    async def _do_open(self, number: int, do: str, what: dict[str, Any]) -> None:
        if what["image"] >= len(self.work.images):
            raise BadOption(f"there is no image number {what['image'] + 1}")
        self._save_draft()
        self._leave()
        await self._open(what["image"], number)

    async def _do_hover(self, number: int, do: str, what: dict[str, Any]) -> None:
        if self._previews and self._inside(what["row"], what["col"]):
            click = Click(what["row"], what["col"], what["positive"], self.model)
            self.thread.want("hover", self._hover_job(number, (*self._steps, click)))

    async def _do_leave(self, number: int, do: str, what: dict[str, Any]) -> None:
        self.thread.want("hover", None)

    async def _do_view(self, number: int, do: str, what: dict[str, Any]) -> None:
        self._view = View(**what) if min(what["height"], what["width"]) > 0 else None
        for found in self.work.histories[self.image].document.objects:
            await self._show_detail(found)

    async def _do_model(self, number: int, do: str, what: dict[str, Any]) -> None:
        name = what["name"]
        if all(choice.name != name for choice in self.models.choices()):
            raise BadOption(f"model {name} is not among those of this page")
        task = asyncio.create_task(self._change_model(number, name))
        self._orders.add(task)
        task.add_done_callback(self._orders.discard)

    async def _do_accept(self, number: int, do: str, what: dict[str, Any]) -> None:
        current = self._current
        if current is None:
            raise BadOption("there is nothing to accept; click on an object first")
        mask = await self._mask(current.steps)
        if not mask.bits.any():
            raise BadOption("the mask is empty; click on the object, or paint it, before you accept it")
        hash = await asyncio.to_thread(self.work.saved.save, mask)
        await self._done(number, "accept", {"mask": hash}, publish=True)

    async def _deed(self, number: int, do: str, what: dict[str, Any]) -> None:
        before = self.work.histories[self.image].document.accepted
        if do in ("click", "stroke"):
            what["label"] = self._known_label(what["label"])
            for row, col in what.get("points", [(what.get("row"), what.get("col"))]):
                if do == "click" and not self._inside(row, col):
                    rows, cols = self._size
                    raise BadOption(f"click ({row}, {col}) lies outside the image of {rows} x {cols} pixels")
        if do == "click":
            what["model"] = self.model
        if do == "label":
            self._known_label(what["label"])
        self.work.histories[self.image].check({"n": 0, "at": 0, "do": do, **what})
        after = self._without_effect(do, what)
        await self._done(number, do, after, publish=False, before=before)

    def _without_effect(self, do: str, what: dict[str, Any]) -> dict[str, Any]:
        return what

    async def _done(
        self, number: int, do: str, what: dict[str, Any], *, publish: bool, before: list[Object] | None = None
    ) -> None:
        """Do it, write what follows, and show it."""
        self.thread.want("hover", None)
        self.work.do(self.image, do, **what)
        if publish or before != self.work.histories[self.image].document.accepted:
            await asyncio.to_thread(self._publish)
        self._compute()
        await self._show_document(number)
        self._draft_later()

    def _publish(self) -> None:
        self.work.logs[self.image].sync()
        self.work.publish(self.image, self.models.identities)

    # what it is told

    def _welcome(self) -> dict[str, Any]:
        return {
            "images": [
                {"name": image.name, "size": image.size, "done": self._done_on(number)}
                for number, image in enumerate(self.work.images)
            ],
            "labels": self.work.labels,
            "models": [vars(choice) for choice in self.models.choices()],
            "model": self.model,
            "out": str(self.work.out),
            "notices": self.notices,
        }

    async def _open(self, image: int, number: int = 0) -> None:
        self.image, self._view, self._shown = image, None, {}
        self.thread.want("answer", None)
        self.thread.want("hover", None)
        self.work.place = {"stem": self.work.images[image].stem, "model": self.model}
        try:
            await asyncio.to_thread(self.pictures.get, image)
            await asyncio.to_thread(self.work.begin, image)
        except IISZooError as error:
            await self._tell("unreadable", {"n": number, "image": image, "text": str(error)})
            return
        if any(event["do"] == "initial" for event in self.work.logs[image].events[-1:]):
            await asyncio.to_thread(self._publish)
        self.work.do(image, "open")
        self._begun = True
        await self._tell("opened", {"image": image, "labels": self.work.labels})
        self._compute()
        await self._show_document(number)

    async def _show_document(self, number: int) -> None:
        history = self.work.histories[self.image]
        document = history.document
        current = document.worked_on
        await self._tell(
            "document",
            {
                "n": number,
                "image": self.image,
                "objects": [self._described(found) for found in document.objects],
                "current": document.current,
                "points": [
                    {"n": click.n, "row": click.row, "col": click.col, "positive": click.positive}
                    for click in (current.clicks if current else ())
                ],
                "undo": history.can_undo,
                "redo": history.can_redo,
                "busy": bool(current and current.steps and self._known(current.steps) is None),
                "done": len(document.accepted),
            },
        )
        for gone in self._shown.keys() - {found.id for found in document.objects}:
            del self._shown[gone]
        for found in document.objects:
            await self._show_mask(found)

    def _described(self, found: Object) -> dict[str, Any]:
        return {
            "id": found.id,
            "label": found.label,
            "accepted": found.mask is not None,
            "changed": found.changed,
            "clicks": len(found.clicks),
        }

    async def _show_mask(self, found: Object) -> None:
        """Send an object's mask, if it is known and the page has another one."""
        key = self._key(found)
        if self._shown.get(found.id) == key:
            return
        mask = await self._mask_to_show(found)
        if mask is None:
            return
        self._shown[found.id] = key
        full = mask.mask()
        await self._tell("frame", frames.overview(full, kind="mask", image=self.image, object=found.id))
        if self._view is not None:
            await self._show_detail(found)

    async def _show_detail(self, found: Object) -> None:
        mask = await self._mask_to_show(found)
        if mask is not None and self._view is not None:
            frame = frames.detail(mask.mask(), self._view, kind="detail", image=self.image, object=found.id)
            await self._tell("frame", frame)

    def _key(self, found: Object) -> int:
        seen: Steps | str = found.mask if found.id != self._document_current and found.mask else found.steps
        return self._keys.setdefault((self.image, seen), len(self._keys) + 1)

    async def _mask_to_show(self, found: Object) -> Packed | None:
        """The mask of an object as it is now; of one that is not in work, the accepted one."""
        if found.id != self._document_current and found.mask is not None:
            return await asyncio.to_thread(self._saved, found.mask)
        if not found.steps:
            return masks.packed(_nothing(self._size))
        known = self._known(found.steps)
        if known is not None:
            return known
        saved = self.work.histories[self.image].saved.get(found.steps)
        if saved is None:
            return None
        try:
            mask = await asyncio.to_thread(self.work.saved.read, saved)
        except IISZooError:
            return None
        self._keep_mask(self.image, found.steps, mask)
        return mask

    def _saved(self, hash: str) -> Packed | None:
        with suppress(IISZooError):
            return self.work.saved.read(hash)
        return None

    async def _tell(self, kind: str, what: Any) -> None:
        if self._send is not None:
            await self._send(kind, what)

    # the model

    def _compute(self) -> None:
        """Let the model answer what is not answered, or at least look at the image, and then at the next one."""
        steps = self._steps
        self.thread.want("answer", self._answer_job(self.image, steps) if steps else self._look_job(self.image))
        following = self.image + 1
        size = self.work.images[following].size if following < len(self.work.images) else None
        small = size is not None and size[0] * size[1] <= _AHEAD_PIXELS
        self.thread.want("ahead", self._look_job(following) if small else None)

    def _x(self, image: int) -> Callable[[str], Tensor]:
        return lambda device: to_tensor(self.pictures.get(image).pixels, device)[None]

    def _sight(self, image: int) -> Callable[[str], Sight]:
        return lambda model: self.models.sight(image, model, self._x(image))

    def _look_job(self, image: int) -> Job:
        model = self.model

        def job() -> bool:
            with suppress(IISZooError):  # the first click tells
                self._sight(image)(model)
            return False

        return job

    def _step(self, image: int, steps: Steps) -> tuple[Steps, Moment]:
        """In the model's thread: one step on the way to `steps`."""
        length, _ = self.states.nearest(image, steps)
        step = steps[length] if length < len(steps) else None
        try:
            if isinstance(step, Click):
                self._sight(image)(step.model)
                if step.n:
                    self.work.answering(image, step.n)
            return next_moment(
                self.states, image, steps, self.work.images[image].size, self._sight(image), self.work.saved.read
            )
        finally:
            if isinstance(step, Click) and step.n:
                self.work.answered()

    def _answer_job(self, image: int, steps: Steps) -> Job:
        def job() -> bool:
            try:
                reached, moment = self._step(image, steps)
                mask = moment.mask
            except Exception as error:  # noqa: BLE001  want of memory, say: the page tells
                self._later(self._failed, image, steps, error)
                return False
            frame = None
            if image == self.image:
                frame = frames.overview(mask, kind="mask", image=image, object=self._document_current)
            self._later(self._answered, image, reached, masks.packed(mask), moment, frame)
            return reached != steps

        return job

    def _hover_job(self, number: int, steps: Steps) -> Job:
        image = self.image

        def job() -> bool:
            try:
                if self.states.nearest(image, steps)[0] < len(steps) - 1:
                    return False
                _, moment = self._step(image, steps)
                frame = frames.overview(moment.mask, kind="preview", image=image, object=0, n=number)
            except Exception:  # noqa: BLE001  the click itself would tell
                return False
            self._later(self._previewed, image, steps, moment, frame)
            return False

        return job

    def _later(self, call: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
        """Call back in the event loop, from the model's thread."""
        with suppress(RuntimeError):  # the loop has ended
            asyncio.run_coroutine_threadsafe(call(*arguments), self._loop)

    async def _answered(self, image: int, steps: Steps, mask: Packed, moment: Moment, frame: bytes | None) -> None:
        self._keep_mask(image, steps, mask)
        last = steps[-1]
        if isinstance(last, Click):
            self._times.setdefault(last.model, deque(maxlen=5)).append(moment.seconds)
        current = self._current
        if image != self.image or current is None or current.steps[: len(steps)] != steps:
            return
        if frame is not None:
            if current.steps == steps:
                self._shown[current.id] = self._key(current)
            await self._tell("frame", frame)
            await self._tell("answered", {"busy": current.steps != steps, "seconds": round(moment.seconds, 4)})
            if self._view is not None:
                await self._show_detail(current)
        if isinstance(last, Click) and self._note(last, steps):
            seconds = round(moment.seconds, 4)
            with suppress(OSError):
                self.work.do(
                    image,
                    "answered",
                    click=last.n,
                    seconds=seconds,
                    mask=masks.digest(mask),
                    identity=self.models.identity(last.model),
                )
        self._draft_later()

    def _note(self, click: Click, steps: Steps) -> bool:
        return steps not in self.work.histories[self.image].answers

    async def _previewed(self, image: int, steps: Steps, moment: Moment, frame: bytes) -> None:
        last = steps[-1]
        assert isinstance(last, Click)
        self._times.setdefault(last.model, deque(maxlen=5)).append(moment.seconds)
        if image == self.image and steps[:-1] == self._steps:
            await self._tell("frame", frame)

    async def _failed(self, image: int, steps: Steps, error: Exception) -> None:
        """The model did not answer: take back what it cannot answer, and say why."""
        text = str(error) if isinstance(error, IISZooError) else f"the model raised {one_line(error)}"
        async with self._alone:
            if image == self.image and self._steps == steps:
                history = self.work.histories[image]
                saved = history.saved.get(steps)
                if saved is not None:
                    self.work.do(image, "from_mask", mask=saved)
                    text += "; the mask itself is there, and the next click goes on from it"
                else:
                    while history.can_undo and self._steps and self._known(self._steps) is None:
                        self.work.do(image, "undo")
                    text += "; the click was taken back"
                self._compute_if_new(steps)
                await self._tell("refused", {"n": 0, "text": text})
                await self._show_document(0)

    def _compute_if_new(self, failed: Steps) -> None:
        if self._steps != failed:
            self._compute()

    async def _change_model(self, number: int, name: str) -> None:
        loaded: asyncio.Future[None] = self._loop.create_future()

        def progress(file: str, done: int, total: int | None) -> None:
            self._later(self._tell, "loading", {"model": name, "file": file, "done": done, "total": total})

        def job() -> bool:
            try:
                self.models.load(name, progress)
                self._loop.call_soon_threadsafe(loaded.set_result, None)
            except Exception as error:  # noqa: BLE001  the page tells
                self._loop.call_soon_threadsafe(loaded.set_exception, error)
            return False

        await self._tell("loading", {"model": name, "file": "", "done": 0, "total": None})
        self.thread.order(job)
        try:
            await loaded
            self.model = name
            self.work.place = {"stem": self.work.images[self.image].stem, "model": name}
        except Exception as error:  # noqa: BLE001
            text = str(error) if isinstance(error, IISZooError) else f"model {name} raised {one_line(error)}"
            await self._tell("refused", {"n": number, "text": text})
        async with self._alone:
            await self._tell("model", {"n": number, "name": self.model})
            if not self._steps:
                self._compute()

    async def _mask(self, steps: Steps) -> Packed:
        """The mask after some steps, computed if need be. Raises an `IISZooError`."""
        known = self._known(steps)
        if known is not None:
            return known
        saved = self.work.histories[self.image].saved.get(steps)
        if saved is not None:
            return await asyncio.to_thread(self.work.saved.read, saved)
        answer: asyncio.Future[Packed] = self._loop.create_future()
        image = self.image

        def job() -> bool:
            try:
                reached, moment = self._step(image, steps)
                if reached != steps:
                    return True
                self._loop.call_soon_threadsafe(answer.set_result, masks.packed(moment.mask))
            except Exception as error:  # noqa: BLE001
                self._loop.call_soon_threadsafe(answer.set_exception, error)
            return False

        self.thread.order(job)
        try:
            mask = await answer
        except IISZooError:
            raise
        except Exception as error:
            raise BadOption(f"the model raised {one_line(error)}") from error
        self._keep_mask(image, steps, mask)
        return mask

    def _known(self, steps: Steps) -> Packed | None:
        return self._masks.get((self.image, steps))

    def _keep_mask(self, image: int, steps: Steps, mask: Packed) -> None:
        self._masks[image, steps] = mask
        self._masks.move_to_end((image, steps))
        while len(self._masks) > 1 and sum(kept.bits.nbytes for kept in self._masks.values()) > _MASKS_BYTES:
            self._masks.popitem(last=False)

    # drafts

    def _draft_later(self) -> None:
        if self._draft is None or self._draft.done():
            self._draft = asyncio.create_task(self._draft_soon())

    async def _draft_soon(self) -> None:
        await asyncio.sleep(DRAFT_SECONDS)
        async with self._alone:
            with suppress(OSError):
                self._save_draft()

    def _save_draft(self) -> None:
        """Save the mask in work, if it is known and not saved."""
        steps, history = self._steps, self.work.histories[self.image]
        mask = self._known(steps)
        if steps and mask is not None and steps not in history.saved and len(steps) > 0:
            self.work.do(self.image, "draft", mask=self.work.saved.save(mask))
            self.work.logs[self.image].sync()

    # what is there

    @property
    def _current(self) -> Object | None:
        return self.work.histories[self.image].document.worked_on

    @property
    def _document_current(self) -> int:
        return self.work.histories[self.image].document.current

    @property
    def _steps(self) -> Steps:
        return self._current.steps if self._current else ()

    @property
    def _size(self) -> tuple[int, int]:
        return self.work.images[self.image].size

    @property
    def _previews(self) -> bool:
        times = self._times.get(self.model)
        return bool(times) and median(times or ()) <= HOVER_SECONDS

    def _inside(self, row: int, col: int) -> bool:
        return 0 <= row < self._size[0] and 0 <= col < self._size[1]

    def _known_label(self, label: str) -> str:
        if label not in self.work.labels:
            raise BadOption(f"there is no label {label!r}")
        return label

    def _done_on(self, number: int) -> int:
        return len(self.work.histories[number].document.accepted)

    def _first_open(self) -> int:
        """The first image without an accepted object; the first of all if all have one."""
        done = [self._done_on(number) for number in range(len(self.work.images))]
        return done.index(0) if 0 in done else 0


def _nothing(size: tuple[int, int]) -> masks.Mask:
    import numpy as np

    return np.zeros(size, bool)
