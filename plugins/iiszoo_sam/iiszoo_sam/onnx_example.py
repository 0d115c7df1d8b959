import json
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image


def resize(values, size):
    """(H, W) at (h, w): bilinear, not antialiased."""
    for axis, n in enumerate(size):
        last = values.shape[axis] - 1
        at = ((np.arange(n) + 0.5) * (last + 1) / n - 0.5).clip(0, last)
        low = np.minimum(at.astype(int), max(last - 1, 0))
        part = np.expand_dims(at - low, 1 - axis)
        values = values.take(low, axis) * (1 - part) + values.take(np.minimum(low + 1, last), axis) * part
    return values


facts = json.loads(Path("metadata.json").read_text())
encoder, decoder = (onnxruntime.InferenceSession(network["file"]) for network in facts["networks"])
photo = Image.open("photo.jpg").convert("RGB")
clicks = [(120, 180, True)]  # row, column, on the object?

scale = 1024 / max(photo.size)  # the frame: 1024 x 1024, the image in its upper left corner
w, h = (round(side * scale) for side in photo.size)
pixels = np.asarray(photo.resize((w, h), Image.Resampling.BILINEAR), np.float32)
frame = np.zeros((1, 3, 1024, 1024), np.float32)
frame[0, :, :h, :w] = ((pixels - (123.675, 116.28, 103.53)) / (58.395, 57.12, 57.375)).transpose(2, 0, 1)
encoded = encoder.run(None, {"frame": frame})  # once per image

logits, quality = decoder.run(
    None,
    {
        **{output.name: value for output, value in zip(encoder.get_outputs(), encoded, strict=True)},
        "coords": np.array([[(col * w / photo.width, row * h / photo.height) for row, col, _ in clicks]], np.float32),
        "labels": np.array([[positive for _, _, positive in clicks]], np.float32),
        "mask": np.zeros((1, 1, 256, 256), np.float32),  # at later clicks: the logits of the last answer
        "has_mask": np.zeros(1, np.float32),
    },
)
best = 1 + quality[0, 1:].argmax()  # one click may mean an object or its part; from the second click on: 0
mask = resize(resize(logits[0, best], (1024, 1024))[:h, :w], (photo.height, photo.width)) > 0
Image.fromarray(mask.astype(np.uint8) * 255).save("mask.png")
