import json
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image


def resize(values, size):
    """float32 (H, W) at (h, w): bilinear, with antialiasing where it becomes smaller."""
    return np.asarray(Image.fromarray(values).resize(size[::-1], Image.Resampling.BILINEAR))


facts = json.loads(Path("metadata.json").read_text())
encoder, decoder = (onnxruntime.InferenceSession(network["file"]) for network in facts["networks"])
photo = Image.open("photo.jpg").convert("RGB")
clicks = [(120, 180, True)]  # row, column, on the object?

pixels = np.asarray(photo, np.float32) / 255
frame = np.stack([resize(pixels[..., c], (1024, 1024)) for c in range(3)])[None]  # squashed, without padding
embedding, fine, finest = encoder.run(None, {"frame": frame})  # once per image

across, down = 1024 / photo.width, 1024 / photo.height
logits, quality = decoder.run(
    None,
    {
        "embedding": embedding,
        "fine": fine,
        "finest": finest,
        "points": np.array([[(col * across, row * down, positive) for row, col, positive in clicks]], np.float32),
        "mask": np.zeros((1, 1, 256, 256), np.float32),  # at later clicks: the logits of the last answer, clipped
        "has_mask": np.zeros(1, np.float32),
    },
)
best = 1 + quality[0, 1:].argmax()  # one click may mean an object or its part; from the second click on: 0
mask = resize(logits[0, best], (photo.height, photo.width)) > 0
Image.fromarray(mask.astype(np.uint8) * 255).save("mask.png")
