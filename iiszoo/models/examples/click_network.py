import json
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image


def resize(values, size):
    """(H, W, C) at (h, w): bilinear, with aligned corners."""
    for axis, n in enumerate(size):
        last = values.shape[axis] - 1
        at = np.linspace(0, last, n)
        low = np.minimum(at.astype(int), max(last - 1, 0))
        part = np.expand_dims(at - low, tuple({0, 1, 2} - {axis}))
        values = values.take(low, axis) * (1 - part) + values.take(np.minimum(low + 1, last), axis) * part
    return values


facts = json.loads(Path("metadata.json").read_text())
network = facts["networks"][0]
session = onnxruntime.InferenceSession(network["file"])
image = np.asarray(Image.open("photo.jpg").convert("RGB"), np.float64) / 255
clicks = [(120, 180, True)]  # row, column, on the object?

h, w = network["usage"]["input_size"] or image.shape[:2]
maps = np.zeros((network["inputs"]["maps"]["shape"][1], h, w))  # the first of three: the previous answer, now 0
rows, cols = np.ogrid[:h, :w]
for row, col, positive in clicks:
    at = row * h / image.shape[0], col * w / image.shape[1]
    disk = (rows - at[0]) ** 2 + (cols - at[1]) ** 2 <= network["usage"]["radius"] ** 2
    maps[-2 if positive else -1][disk] = 1
given = [resize(image, (h, w)).transpose(2, 0, 1)[None], maps[None]]
if network["usage"]["flip"]:  # a batch of two: as it is, and mirrored
    given = [np.concatenate((values, values[..., ::-1])) for values in given]
logits = session.run(None, {"image": given[0].astype(np.float32), "maps": given[1].astype(np.float32)})[0]
if network["usage"]["flip"]:
    logits = (logits[:1] + logits[1:, ..., ::-1]) / 2
probabilities = resize(1 / (1 + np.exp(-logits[0].transpose(1, 2, 0))), image.shape[:2])[..., 0]
Image.fromarray((probabilities > facts["threshold"]).astype(np.uint8) * 255).save("mask.png")
