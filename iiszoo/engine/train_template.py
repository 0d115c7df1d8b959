"""The commented configuration that `iiszoo train --new` writes."""

from __future__ import annotations

from pathlib import Path

from iiszoo.errors import BadOption

TEMPLATE = """\
# What `iiszoo train` reads. Every line but [[data]] has a default; `config.json` of a run shows them all.

# start = "smp/unet-lite0"                 # fine-tune: a model, a run, its file; then leave [network] out

[network]
architecture = "unet"                      # of segmentation_models_pytorch: unet, fpn, deeplabv3plus, ...
encoder = "tu-tf_efficientnet_lite0"       # its encoders; tu-NAME is timm's NAME
encoder_weights = ""                       # a safetensors file, or "imagenet" (a download); "" starts at random
fusion = "early"                           # maps join the image at the first convolution; or "intermediate"
mean = [0.5, 0.5, 0.5]                     # of the encoder's input, with RGB in [0, 1]
std = [0.5, 0.5, 0.5]
previous_mask = true                       # the network reads its own last answer
encoding = { name = "disk", radius = 5 }   # disk, distance, gaussian, euclidean

[[data]]                                   # any number of them, drawn by weight
dataset = "folder:DIR"                     # an id of `iiszoo list datasets`, folder:DIR, labels:DIR, coco:FILE
weight = 1.0
selector = ["random-single"]               # which region of an image is the target; several by weight

[view]
name = "object"                            # the crop that a sample shows: object, crop, whole
size = [320, 320]

[clicks]
first = { name = "deep-and-near" }         # or multi-point (RITM), jittered-grid
further = [0.2, 0.25, 0.25, 0.2, 0.1]      # probabilities of 0, 1, 2, ... further interactions
second_look = 0.0                          # so many samples train the second look

[[loss]]                                   # their weighted sum
name = "normalised-focal"                  # bce, focal, soft-iou, dice
weight = 1.0

[optimiser]
name = "AdamW"                             # any of torch.optim
lr = 1e-3
encoder_lr = 4e-4
weight_decay = 1e-2
warm_up = 200                              # steps
schedule = "cosine"                        # constant, step
clip = 5.0                                 # of the gradient's norm
ema = 0.999                                # the averaged weights are validated and kept

[validation]
held_out = 0.06                            # share of the images that is never trained on
times = 5                                  # in a run
limit = 100                                # sessions
max_clicks = 20

[run]
steps = 10000                              # or minutes
batch_size = 64
workers = -1                               # all cores but two
precision = "auto"                         # bf16-mixed where the GPU has it
in_memory = false                          # decode the images once
"""


def write(path: Path) -> None:
    """Write the template. Raises `BadOption` where the file is there already, or cannot be written."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE)
    except FileExistsError:
        raise BadOption(f"{path} is there already; choose another name") from None
    except OSError as error:
        raise BadOption(f"{path} cannot be written: {error.strerror or error}") from error
