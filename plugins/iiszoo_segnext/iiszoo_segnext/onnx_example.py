import json
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image


def resize(values, size, corners=False):
    """(H, W) or (H, W, C) at (h, w): bilinear, not antialiased; with or without aligned corners."""
    for axis, n in enumerate(size):
        last = values.shape[axis] - 1
        at = np.linspace(0, last, n) if corners else ((np.arange(n) + 0.5) * (last + 1) / n - 0.5).clip(0, last)
        low = np.minimum(at.astype(int), max(last - 1, 0))
        part = (at - low).reshape([n if axis == a else 1 for a in range(values.ndim)])
        values = values.take(low, axis) * (1 - part) + values.take(np.minimum(low + 1, last), axis) * part
    return values


facts = json.loads(Path("metadata.json").read_text())
encoder, decoder = (onnxruntime.InferenceSession(network["file"]) for network in facts["networks"])
image = np.asarray(Image.open("photo.jpg").convert("RGB"), np.float64) / 255
clicks = [(120, 180, True)]  # row, column, on the object?

frame = resize((image - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225), (1024, 1024))
features = encoder.run(None, {"frame": frame.transpose(2, 0, 1)[None].astype(np.float32)})[0]  # once per image

maps = np.zeros((1, 3, 1024, 1024), np.float32)  # the first: the previous probabilities, resized; now there are none
rows, cols = np.ogrid[:1024, :1024]
for row, col, positive in clicks:
    at = int(row * 1024 / image.shape[0] + 0.5), int(col * 1024 / image.shape[1] + 0.5)
    maps[0, 1 if positive else 2][(rows - at[0]) ** 2 + (cols - at[1]) ** 2 <= 25] = 1
logits = decoder.run(None, {"features": features, "maps": maps})[0][0, 0]
logits = resize(resize(logits, (1024, 1024), corners=True), image.shape[:2])
probabilities = 1 / (1 + np.exp(-logits))
Image.fromarray((probabilities > facts["threshold"]).astype(np.uint8) * 255).save("mask.png")
