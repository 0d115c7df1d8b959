"""The commented configuration that `iiszoo train --new` writes."""

from __future__ import annotations

from pathlib import Path

from iiszoo.errors import BadOption

TEMPLATE = """\
# A configuration of `iiszoo train`. Only [[data]] is required; a run's `config.json` shows every default.

# start = "smp/unet-lite0"                 # fine-tune a model, run or file; then leave [network] out

[network]                                  # library = "mmseg": a configuration of mmsegmentation is the architecture
architecture = "unet"                      # from segmentation_models_pytorch: unet, fpn, deeplabv3plus, ...
encoder = "tu-tf_efficientnet_lite0"       # from there too; tu-NAME is timm's NAME
encoder_weights = ""                       # a safetensors file, "imagenet" (a download), or "" for random
fusion = "early"                           # maps join the image at the first convolution; or "intermediate"
mean = [0.5, 0.5, 0.5]                     # of the encoder's input, with RGB in [0, 1]
std = [0.5, 0.5, 0.5]
previous_mask = true                       # the network reads its previous output
encoding = { name = "disk", radius = 5 }   # disk, distance, gaussian, euclidean

[[data]]                                   # repeat for more datasets, drawn by weight
dataset = "folder:DIR"                     # an id of `iiszoo list datasets`; folder:, labels: or labelme:DIR, coco:FILE
weight = 1.0
selector = ["random-single"]               # which region of an image is the target; several are drawn by weight

[view]
name = "object"                            # the part of the image in a sample: object, crop, whole, transform
size = [320, 320]

[clicks]
first = { name = "deep-and-near" }         # or multi-point (RITM), jittered-grid
further = [0.2, 0.25, 0.25, 0.2, 0.1]      # probabilities of 0, 1, 2, ... further interactions
second_look = 0.0                          # share of the samples that train the second look

[[loss]]                                   # repeat for a weighted sum
name = "normalised-focal"                  # bce, focal, soft-iou, dice
weight = 1.0

[optimiser]
name = "AdamW"                             # any of torch.optim
lr = 1e-3
encoder_lr = 4e-4
weight_decay = 1e-2
warm_up = 200                              # steps
schedule = "cosine"                        # constant, or step with its drops
clip = 5.0                                 # limit on the norm of the gradient
ema = 0.999                                # decay of the averaged weights, which are validated and saved

[validation]
held_out = 0.06                            # share of the images that is never trained on
times = 5                                  # validations per run
limit = 100                                # sessions
max_clicks = 20

[run]
steps = 10000                              # or minutes
batch_size = 64
workers = -1                               # all cores but two
precision = "auto"                         # bf16-mixed if the GPU supports it
in_memory = false                          # true: decode the images only once
"""


def write(path: Path) -> None:
    """Write the template. Raises `BadOption` if the file exists or cannot be written."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE)
    except FileExistsError:
        raise BadOption(f"{path} already exists; choose another name") from None
    except OSError as error:
        raise BadOption(f"{path} cannot be written: {error.strerror or error}") from error
