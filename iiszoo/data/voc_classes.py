"""The 20 classes of PASCAL VOC by number; SBD has the same."""

from __future__ import annotations

_NAMES = (
    "aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person pottedplant sheep "
    "sofa train tvmonitor"
)

VOC_CLASSES = dict(enumerate(_NAMES.split(), 1))
