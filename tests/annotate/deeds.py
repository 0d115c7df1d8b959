"""Random work on an image, as a hypothesis strategy, and a small machine that carries it out on any `do`."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from iiszoo.annotate.document import History
from iiszoo.errors import BadOption

SIZE = (24, 32)
LABELS = ("cat", "dog")
_row, _col = st.integers(0, SIZE[0] - 1), st.integers(0, SIZE[1] - 1)
_label = st.sampled_from(LABELS)
_pick = st.integers(0, 9)

DEEDS = st.one_of(
    st.tuples(st.just("click"), _row, _col, st.booleans(), _label, st.sampled_from(["one", "two"])),
    st.tuples(st.just("click"), _row, _col, st.booleans(), _label, st.just("one")),
    st.tuples(
        st.just("stroke"), st.lists(st.tuples(_row, _col), min_size=1, max_size=4), st.integers(1, 9), st.booleans()
    ),
    st.tuples(st.just("unclick"), _pick),
    st.tuples(st.just("accept")),
    st.tuples(st.just("select"), _pick),
    st.tuples(st.just("delete"), _pick),
    st.tuples(st.just("label"), _pick, _label),
    st.tuples(st.just("discard")),
    st.tuples(st.just("undo")),
    st.tuples(st.just("undo")),
    st.tuples(st.just("redo")),
)
WORK = st.lists(DEEDS, min_size=1, max_size=25)


def event_of(deed: tuple[Any, ...], history: History, mask: str) -> tuple[str, dict[str, Any]] | None:
    """What a deed asks for now; None if there is nothing to do it to. `mask`: what an accepted mask is called."""
    do, *how = deed
    document = history.document
    current = document.worked_on
    if do == "click":
        row, col, positive, label, model = how
        return do, {"row": row, "col": col, "positive": positive, "label": label, "model": model}
    if do == "stroke":
        points, size, erase = how
        return do, {"points": [list(point) for point in points], "size": size, "erase": erase, "label": "cat"}
    if do == "unclick":
        clicks = current.clicks if current else []
        return (do, {"click": clicks[how[0] % len(clicks)].n}) if clicks else None
    if do in ("select", "delete", "label"):
        if not document.objects:
            return None
        what: dict[str, Any] = {"object": document.objects[how[0] % len(document.objects)].id}
        return do, ({**what, "label": how[1]} if do == "label" else what)
    return do, ({"mask": mask} if do == "accept" else {})


def can(history: History, do: str, what: dict[str, Any]) -> bool:
    try:
        history.check({"n": 0, "at": 0, "do": do, **what})
    except BadOption:
        return False
    return True
