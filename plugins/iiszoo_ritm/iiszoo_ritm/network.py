"""RITM's network (arXiv 2102.06583): HRNet with OCR, with click maps added inside the stem.

Our own implementation of `HRNetModel` of SamsungLabs/ritm_interactive_segmentation at b9b4460 (`isegm/model`), with the
options common to all published models: disks of radius 5, `use_leaky_relu`, `with_aux_output`, no `use_rgb_conv`. The
state dict's keys and shapes are the official ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

from torch import Tensor, nn

from iiszoo.cards import ModelCard
from iiszoo.models.checkpoints import load_part
from iiszoo.models.hrnet import HRNetOCR, Segmentation, click_branch, resize
from iiszoo.models.imagenet import normalise

HEADS = tuple(f"feature_extractor.{part}." for part in ("conv3x3_ocr", "ocr_distri_head", "cls_head", "aux_head"))
"""Names of what comes after the backbone begin with one of these."""


class RitmNetwork(nn.Module):
    """Image, previous mask and click maps in, logits of the object out.

    Args:
        width: of HRNet: 18 or 32.
        ocr_width: of the OCR head: 48 (h18s), 64 (h18) or 128 (h32).
        small: HRNet's small variant (h18s).
        with_prev_mask: whether the first map is the previous mask; False for the non-iterative baselines.
    """

    def __init__(self, width: int, ocr_width: int, small: bool, with_prev_mask: bool) -> None:
        super().__init__()
        self.with_prev_mask = with_prev_mask
        self.maps_transform = click_branch(3 if with_prev_mask else 2)
        self.feature_extractor = HRNetOCR(width, ocr_width, small)

    def forward(self, image: Tensor, maps: Tensor) -> Tensor:
        """Logits (N, 1, h, w).

        Args:
            image: (N, 3, h, w), RGB in [0, 1], of the network's dtype.
            maps: (N, 3, h, w): previous mask (probabilities), disks of positive clicks, disks of negative clicks;
                without the first, (N, 2, h, w), if `with_prev_mask` is False.
        """
        return self.forward_with_aux(image, maps)[0]

    def forward_with_aux(self, image: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
        """(logits of `forward`, auxiliary logits (N, 1, ceil(h/4), ceil(w/4)) for a training loss)."""
        found: Segmentation = self.feature_extractor(normalise(image), self.maps_transform(maps))
        return resize(found.logits, image.shape[2:]), found.aux_logits

    def load_backbone(self, state: Mapping[str, Tensor], source: str) -> None:
        """Load HRNet's weights from a state dict of HRNet-Image-Classification, such as
        `hrnetv2_w18_imagenet_pretrained.pth`, all but its head. Raises `WeightsError` naming `source`.

        Source: `HighResolutionNet.load_pretrained_weights` of `isegm/model/modeling/hrnet_ocr.py`, which ignores what
        is missing.
        """
        entries = {f"feature_extractor.{name.replace('model.', '')}": value for name, value in state.items()}
        wanted = [
            name for name in self.state_dict() if name.startswith("feature_extractor.") and not name.startswith(HEADS)
        ]
        load_part(self, entries, wanted, source)


_h18 = partial(RitmNetwork, width=18, ocr_width=64, small=False)

NETWORKS: dict[str, Callable[[], RitmNetwork]] = {
    "ritm/h18s": partial(RitmNetwork, width=18, ocr_width=48, small=True, with_prev_mask=True),
    "ritm/h18": partial(_h18, with_prev_mask=True),
    "ritm/h32": partial(RitmNetwork, width=32, ocr_width=128, small=False, with_prev_mask=True),
    "ritm/h18-sbd": partial(_h18, with_prev_mask=True),
    "ritm/h18-baseline": partial(_h18, with_prev_mask=False),
}
"""By model id: builds the network, untrained. `ritm/h18` and `ritm/h18-sbd` differ only in training."""


def untrained(card: ModelCard) -> RitmNetwork:
    """The network of a card, for training: what the cards' `network` names.

    Weights of convolutions are normal with the variance 4 / (fan in + fan out), biases 0: `XavierGluon` of
    `isegm/model/initializer.py`, as `models/iter_mask/` configures it.
    """
    network = NETWORKS[card.id]()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.xavier_normal_(module.weight, math.sqrt(2))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network
