"""The page's other half: carries out what it asks, and tells it what there is.

Everything here runs in the event loop, one request after the other; the model runs beside it
(`iiszoo.annotate.answers`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import numpy as np

from iiszoo.annotate import frames, masks
from iiszoo.annotate.answers import Answer, Answers
from iiszoo.annotate.document import Click, History, Object, Start, Steps
from iiszoo.annotate.frames import View
from iiszoo.annotate.images import ImageFile, Pictures
from iiszoo.annotate.masks import Packed
from iiszoo.annotate.models import Models
from iiszoo.annotate.workplace import Workplace
from iiszoo.errors import BadOption, IISZooError, with_place

DRAFT_SECONDS = 3.0
"""How long after a change a mask that has not been accepted is saved."""

Send = Callable[[str, Any], Awaitable[None]]
"""Sends a message of the given kind, or, for the kind "frame", bytes."""


class Page:
    """One page, connected or not. `notices` are sentences that it shows when it connects."""

    def __init__(self, work: Workplace, pictures: Pictures, models: Models, notices: list[str]) -> None:
        self.work, self.pictures, self.models, self.notices = work, pictures, models, notices
        self.model = models.first
        stems = [image.stem for image in work.images]
        last = work.place.get("stem")
        self.image = stems.index(last) if last in stems else self._first_open()
        self.answers = Answers(work, pictures, models, self._answered, self._failed)
        self._send: Send | None = None
        self._shown: dict[int, Steps | str] = {}
        self._view: View | None = None
        self._open = False
        self._alone = asyncio.Lock()
        self._draft: asyncio.Task[None] | None = None
        self._loading: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        return self._send is not None

    async def connect(self, send: Send) -> None:
        """A page has come: tell it everything."""
        self._send = send
        await self._tell("welcome", self._welcome())
        await self._try(0, self._show_image, self.image, 0)

    async def disconnect(self) -> None:
        """The page has gone; what it did stays."""
        self._send = self._view = None
        self.answers.no_preview()
        async with self._alone:
            self._leave()

    async def handle(self, request: dict[str, Any]) -> None:
        """Carry out a request of `iiszoo.annotate.requests`; whatever is wrong with it, the page gets a sentence."""
        number, do = request.pop("n"), request.pop("do")
        special = getattr(self, f"_do_{do}", None)
        if special is not None:
            await self._try(number, special, number, **request)
        else:
            await self._try(number, self._deed, number, do, **request)

    async def close(self) -> None:
        """The program ends."""
        for task in (self._draft, self._loading):
            if task is not None:
                task.cancel()
        await self.answers.end()
        self._leave()
        await self._save_draft()

    async def _try(self, number: int, call: Callable[..., Awaitable[None]], *arguments: Any, **named: Any) -> None:
        """Call this alone; tell the page if it cannot be done."""
        async with self._alone:
            try:
                await call(*arguments, **named)
                return
            except IISZooError as error:
                text = str(error)
            except OSError as error:
                path = error.filename or self.work.out
                text = f"{path} cannot be written ({error.strerror or error}); what was saved before is safe"
            await self._tell("refused", {"n": number, "text": text})
            await self._show_document(number)

    # what a page asks for

    async def _do_open(self, number: int, image: int) -> None:
        if image >= len(self.work.images):
            raise BadOption(f"there is no image number {image + 1}")
        await self._save_draft()
        self._leave()
        await self._show_image(image, number)

    async def _do_hover(self, number: int, row: int, col: int, positive: bool) -> None:
        if self._open and self._is_inside(row, col):
            click = Click(row, col, positive, self.model)
            self.answers.preview(self.image, (*self._steps, click), self._previewed, number)

    async def _do_view(self, number: int, **view: int) -> None:
        self._view = View(**view) if view["height"] and view["width"] else None
        for found in self._history.document.objects:
            await self._show_detail(found)

    async def _do_model(self, number: int, name: str) -> None:
        if all(choice.name != name for choice in self.models.choices()):
            raise BadOption(f"model {name} is not among those of this page")
        if self._loading is not None and not self._loading.done():
            raise BadOption("another model is being loaded")
        self._loading = asyncio.create_task(self._change_model(number, name))

    async def _do_accept(self, number: int) -> None:
        current = self._current
        if current is None:
            raise BadOption("there is nothing to accept; click on an object first")
        mask = await self.answers.mask(self.image, current.id, current.steps)
        if not mask.bits.any():
            raise BadOption("the mask is empty; click on the object, or paint it, before you accept it")
        hash = await asyncio.to_thread(self.work.saved.save, mask)
        await self._deed(number, "accept", mask=hash)

    async def _deed(self, number: int, do: str, **what: Any) -> None:
        """Something that changes the objects: do it, write what follows, and show it."""
        if not self._open:
            raise BadOption("this image cannot be annotated")
        if "label" in what and what["label"] not in self.work.labels:
            raise BadOption(f"there is no label {what['label']!r}")
        if do == "click":
            if not self._is_inside(what["row"], what["col"]):
                size = "{} x {}".format(*self._file.size)
                raise BadOption(f"click ({what['row']}, {what['col']}) lies outside the image of {size} pixels")
            what["model"] = self.model
        before = self._accepted
        self.work.do(self.image, do, **what)
        try:
            if do == "accept" or self._accepted != before:
                await asyncio.to_thread(self.work.publish, self.image, self.models.identities)
        finally:
            self._compute()
            await self._show_document(number)
            self._draft_later()

    async def _change_model(self, number: int, name: str) -> None:
        def progress(file: str, done: int, total: int | None) -> None:
            self.answers.later(self._tell, "loading", {"model": name, "file": file, "done": done, "total": total})

        await self._tell("loading", {"model": name, "file": "", "done": 0, "total": None})
        try:
            await self.answers.load(name, progress)
            self.model = name
        except IISZooError as error:
            await self._tell("refused", {"n": number, "text": str(error)})
        async with self._alone:
            self._remember_place()
            await self._tell("model", {"name": self.model})
            if self._open and not self._steps:
                self._compute()

    # what it is told

    def _welcome(self) -> dict[str, Any]:
        counts = [len(history.document.accepted) for history in self.work.histories]
        return {
            "images": [
                {"name": image.name, "size": image.size, "done": count}
                for image, count in zip(self.work.images, counts, strict=True)
            ],
            "labels": self.work.labels,
            "models": [vars(choice) for choice in self.models.choices()],
            "model": self.model,
            "notices": self.notices,
        }

    async def _show_image(self, image: int, number: int) -> None:
        self.image, self._view, self._shown = image, None, {}
        self.answers.no_preview()
        self._remember_place()
        try:
            await asyncio.to_thread(self.pictures.get, image)
        except IISZooError as error:
            await self._tell("unreadable", {"image": image, "text": str(error)})
            return
        fault = ""
        try:
            if await asyncio.to_thread(self.work.begin, image):
                await asyncio.to_thread(self.work.publish, image, self.models.identities)
        except IISZooError as error:
            fault = f"{error}; the image is shown without the masks that it came with"
        await asyncio.to_thread(self.work.open, image)
        self._open = True
        await self._tell("opened", {"image": image, "labels": self.work.labels})
        if fault:
            await self._tell("refused", {"n": number, "text": fault})
        self._compute()
        await self._show_document(number)

    async def _show_document(self, number: int) -> None:
        history, current = self._history, self._current
        document = history.document
        clicks = current.clicks if current else []
        points = [{"n": click.n, "row": click.row, "col": click.col, "positive": click.positive} for click in clicks]
        waits = current is not None and bool(current.steps) and self.answers.known(self.image, current.steps) is None
        await self._tell(
            "document",
            {
                "n": number,
                "image": self.image,
                "objects": [_described(found) for found in document.objects],
                "current": document.current,
                "points": points,
                "undo": history.can_undo,
                "redo": history.can_redo,
                "busy": waits,
                "done": len(document.accepted),
            },
        )
        for gone in self._shown.keys() - {found.id for found in document.objects}:
            del self._shown[gone]
        for found in document.objects:
            if self._shown.get(found.id) != self._form(found):
                await self._show_mask(found)

    async def _show_mask(self, found: Object) -> None:
        """Send an object's mask, if it is known."""
        mask = await self._mask_of(found)
        if mask is not None:
            self._shown[found.id] = self._form(found)
            frame = await asyncio.to_thread(
                lambda: frames.overview(mask.mask(), kind="mask", image=self.image, object=found.id)
            )
            await self._tell("frame", frame)
            await self._show_detail(found)

    async def _show_detail(self, found: Object) -> None:
        view, mask = self._view, None if self._view is None else await self._mask_of(found)
        if view is not None and mask is not None:
            frame = await asyncio.to_thread(
                lambda: frames.detail(mask.mask(), view, kind="detail", image=self.image, object=found.id)
            )
            await self._tell("frame", frame)

    def _form(self, found: Object) -> Steps | str:
        """Which mask of an object is shown: the accepted one, by its hash, unless it is in work or has none."""
        in_work = found.id == self._history.document.current
        return found.steps if in_work or found.mask is None else found.mask

    async def _mask_of(self, found: Object) -> Packed | None:
        form = self._form(found)
        try:
            if isinstance(form, str):
                return await asyncio.to_thread(self.work.saved.read, form)
            if not form:
                return masks.packed(np.zeros(self._file.size, bool))
            return self.answers.known(self.image, form) or await self.answers.saved(self.image, form)
        except IISZooError as error:
            await self._tell("refused", {"n": 0, "text": str(error)})
            return None

    async def _tell(self, kind: str, what: Any) -> None:
        if self._send is not None:
            await self._send(kind, what)

    # what the model answers

    def _compute(self) -> None:
        current = self._current
        self.answers.want(self.image, current.id if current else 0, self._steps, self.model)

    async def _answered(self, answer: Answer) -> None:
        steps, current = answer.steps, self._current
        if answer.image != self.image or current is None or current.steps[: len(steps)] != steps:
            return
        busy = current.steps != steps
        if not busy:
            self._shown[current.id] = steps
        self._note(answer)
        await self._tell("frame", answer.frame)
        await self._tell("answered", {"busy": busy, "seconds": round(answer.seconds, 4)})
        if not busy:
            await self._show_detail(current)
        self._draft_later()

    def _note(self, answer: Answer) -> None:
        """Write into the log which mask a click gave, and how long that took; once."""
        click = answer.steps[-1]
        if isinstance(click, Click) and answer.steps not in self._history.answers:
            what = {"mask": masks.digest(answer.mask), "identity": self.models.identity(click.model)}
            with suppress(OSError):
                self.work.do(self.image, "answered", click=click.n, seconds=round(answer.seconds, 4), **what)

    async def _previewed(self, image: int, steps: Steps, frame: bytes) -> None:
        if image == self.image and steps[:-1] == self._steps:
            await self._tell("frame", frame)

    async def _failed(self, image: int, steps: Steps, error: Exception) -> None:
        """The model did not answer: take back what it cannot answer, and say why."""
        text = str(error) if isinstance(error, IISZooError) else f"the model raised {with_place(error)}"
        async with self._alone:
            if image != self.image or self._steps != steps:
                return
            saved = self._history.saved.get(steps)
            with suppress(OSError):
                if saved is not None and not isinstance(steps[-1], Start):
                    self.work.do(image, "from_mask", mask=saved)
                    text += "; the mask itself is there, and the next click goes on from it"
                else:
                    while self._history.can_undo and self._steps and not self._is_there(self._steps):
                        self.work.do(image, "undo")
                    text += "; the click was taken back"
            if self._steps != steps:
                self._compute()
            await self._tell("refused", {"n": 0, "text": text})
            await self._show_document(0)

    # drafts

    def _draft_later(self) -> None:
        if self._draft is None or self._draft.done():
            self._draft = asyncio.create_task(self._draft_soon())

    async def _draft_soon(self) -> None:
        await asyncio.sleep(DRAFT_SECONDS)
        async with self._alone:
            await self._save_draft()

    async def _save_draft(self) -> None:
        """Save the mask in work, if it is known and not saved; a full disk is told when something is accepted."""
        steps = self._steps
        mask = self.answers.known(self.image, steps) if steps else None
        with suppress(OSError):
            if mask is not None and steps not in self._history.saved:
                hash = await asyncio.to_thread(self.work.saved.save, mask)
                self.work.do(self.image, "draft", mask=hash)
            await asyncio.to_thread(self.work.logs[self.image].sync)

    # what is there

    def _leave(self) -> None:
        if self._open:
            self._open = False
            with suppress(OSError):
                self.work.do(self.image, "close")

    def _remember_place(self) -> None:
        with suppress(OSError):
            self.work.place = {"stem": self._file.stem, "model": self.model}

    @property
    def _file(self) -> ImageFile:
        return self.work.images[self.image]

    @property
    def _history(self) -> History:
        return self.work.histories[self.image]

    @property
    def _current(self) -> Object | None:
        return self._history.document.worked_on

    @property
    def _steps(self) -> Steps:
        return self._current.steps if self._current else ()

    @property
    def _accepted(self) -> list[tuple[int, str, str | None, Steps]]:
        """All that the output contains of this image."""
        return [(found.id, found.label, found.mask, found.accepted) for found in self._history.document.accepted]

    def _is_there(self, steps: Steps) -> bool:
        return self.answers.known(self.image, steps) is not None or steps in self._history.saved

    def _is_inside(self, row: int, col: int) -> bool:
        return 0 <= row < self._file.size[0] and 0 <= col < self._file.size[1]

    def _first_open(self) -> int:
        """The first image without an accepted object; the first of all if all have one."""
        done = [bool(history.document.accepted) for history in self.work.histories]
        return done.index(False) if False in done else 0


def _described(found: Object) -> dict[str, Any]:
    return {"id": found.id, "label": found.label, "accepted": found.mask is not None, "changed": found.changed}
