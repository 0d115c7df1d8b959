"""Cards of iiszoo's own models: the family `classic`, which needs no weights."""

from __future__ import annotations

from iiszoo.cards import ModelCard

DEFAULT = "classic/geocut"

MODELS = (
    ModelCard(
        id="classic/geocut",
        loader="iiszoo.models.classic.geocut:load_geocut",
        summary="geodesic distances, colour models and a min-cut from the clicks; the baseline that others must beat",
        licence="MIT",
        paper="after Boykov and Jolly, ICCV 2001, and Bai and Sapiro, ICCV 2007",
        prompts=("clicks", "mask"),
        ragged=True,
    ),
    ModelCard(
        id="classic/grabcut",
        loader="iiszoo.models.classic.grabcut:load_grabcut",
        summary="OpenCV's GrabCut with click discs as hard seeds",
        licence="MIT",
        paper="Rother, Kolmogorov and Blake, GrabCut, ACM ToG 23(3), 2004",
        prompts=("clicks", "mask"),
        ragged=True,
    ),
    ModelCard(
        id="classic/random-walker",
        loader="iiszoo.models.classic.random_walker:load_random_walker",
        summary="scikit-image's random walker with the clicks as seeds",
        licence="MIT",
        paper="Grady, Random walks for image segmentation, PAMI 28(11), 2006",
        ragged=True,
    ),
)
