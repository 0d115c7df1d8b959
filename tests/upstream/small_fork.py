"""A fork of isegm as small as one can be, with what makes forks hard: state in the predictor, a zoom, a config."""

from __future__ import annotations

NETWORK = """
import numpy as np
import torch
from torch import nn
from isegm.utils.serialization import serialize


class DiscModel(nn.Module):
    '''Object within `radius` of a positive click; the previous mask shines through by `weight`.'''

    @serialize
    def __init__(self, radius=5, norm_layer=nn.BatchNorm2d, with_prev_mask=True, loss=None):
        super().__init__()
        self.radius, self.with_prev_mask = np.int(radius), with_prev_mask
        self.norm = norm_layer(1)
        self.head = nn.Conv2d(2, 1, 1)

    def forward(self, image, points):
        rows, cols = torch.meshgrid(torch.arange(image.shape[2]), torch.arange(image.shape[3]), indexing="ij")
        disks = torch.zeros(1, 1, *image.shape[2:])
        half = points.shape[1] // 2
        for number, (row, col, _) in enumerate(points[0].tolist()):
            if row >= 0:
                near = (rows - row) ** 2 + (cols - col) ** 2 <= self.radius**2
                disks[0, 0][near] = 1.0 if number < half else -1.0
        return {"instances": self.head(torch.cat((disks, image[:, 3:4]), dim=1))}


class NotANetwork:
    pass
"""

SERIALIZATION = """
import functools
import inspect


def serialize(init):
    names = list(inspect.signature(init).parameters)[1:]
    @functools.wraps(init)
    def new_init(self, *args, **kwargs):
        given = {**dict(zip(names, args)), **kwargs}
        params = {}
        for name, parameter in inspect.signature(init).parameters.items():
            if name == "self":
                continue
            value, kind = given.get(name, parameter.default), "builtin"
            if inspect.isclass(value):
                value, kind = get_classname(value), "class"
            params[name] = {"type": kind, "value": value, "specified": name in given}
        self._config = {"class": get_classname(type(self)), "params": params}
        init(self, *args, **kwargs)
    return new_init


def get_classname(cls):
    return cls.__module__ + "." + cls.__qualname__
"""

CLICKER = """
import numpy as np


class Clicker:
    def __init__(self, gt_mask=None, init_clicks=None):
        self.clicks_list = []
        for click in init_clicks or []:
            click.indx = len(self.clicks_list)
            self.clicks_list.append(click)

    def get_clicks(self):
        return self.clicks_list


class Click:
    def __init__(self, is_positive, coords, indx=None):
        self.is_positive, self.coords, self.indx = is_positive, coords, indx
"""

PREDICTORS = """
import numpy as np
import torch
from torchvision import transforms
from isegm.inference.transforms import ZoomIn


class Predictor:
    '''Counts its calls, keeps a history, and averages with its previous prediction: nothing of that may leak.'''

    def __init__(self, net, device, zoom_in, gain):
        self.net, self.device, self.zoom_in, self.gain = net, device, zoom_in, gain
        self.transforms = [zoom_in] if zoom_in is not None else []
        self.calls, self.history, self.running = 0, [], None
        self.optimise = lambda x: x
        for transform in self.transforms:
            transform.predictor = self

    def set_input_image(self, image):
        self.dtype = str(image.dtype)
        self.original_image = transforms.ToTensor()(image)[None].to(self.device)
        self.prev_prediction = torch.zeros_like(self.original_image[:, :1])
        for transform in self.transforms:
            transform.reset()

    def get_prediction(self, clicker, prev_mask=None):
        clicks = clicker.get_clicks()
        image = torch.cat((self.original_image, self.prev_prediction if prev_mask is None else prev_mask), 1)
        for transform in self.transforms:
            image = transform.transform(image, clicks)
        positive = [(*c.coords, c.indx) for c in clicks if c.is_positive]
        negative = [(*c.coords, c.indx) for c in clicks if not c.is_positive]
        n = max(len(positive), len(negative), 1)
        points = [c + (n - len(c)) * [(-1, -1, -1)] for c in (positive, negative)]
        logits = self.net(image, torch.tensor([points[0] + points[1]]))["instances"] * self.gain
        self.calls += 1
        logits = logits + 0.1 * self.calls
        self.history.append(np.int(len(clicks)))
        if self.running is None:
            self.running = torch.zeros_like(logits)
        self.running += 0.5 * logits  # in place
        self.prev_prediction = torch.sigmoid(logits + 0.1 * self.running)
        return self.prev_prediction.cpu().numpy()[0, 0]


class MaskedPredictor(Predictor):
    def set_prev_mask(self, mask):
        self.prev_prediction = torch.from_numpy(mask)[None, None]

    def get_prediction(self, clicker):
        return super().get_prediction(clicker)


class Forgetful(Predictor):
    def get_prediction(self, clicker):
        return super().get_prediction(clicker)


def get_predictor(net, brs_mode, device, prob_thresh=0.49, zoom_in_params=dict(), gain=1.0):
    zoom_in = None if zoom_in_params is None else ZoomIn(**zoom_in_params)
    kinds = {"NoBRS": Predictor, "Masked": MaskedPredictor, "Forgetful": Forgetful}
    if brs_mode not in kinds:
        raise NotImplementedError
    return kinds[brs_mode](net, device, zoom_in, gain)
"""

TRANSFORMS = """
class ZoomIn:
    def __init__(self, target_size=400):
        self.target_size = target_size
        self.reset()

    def reset(self):
        self._object_roi = None

    def transform(self, image, clicks):
        if len(clicks) > 1:
            rows = [click.coords[0] for click in clicks]
            self._object_roi = (min(rows), max(rows), 0, image.shape[3] - 1)
        return image
"""

FILES = {
    "isegm/model/is_disc_model.py": NETWORK,
    "isegm/utils/serialization.py": SERIALIZATION,
    "isegm/inference/clicker.py": CLICKER,
    "isegm/inference/predictors/__init__.py": PREDICTORS,
    "isegm/inference/transforms/__init__.py": TRANSFORMS,
}
CLASS = "isegm.model.is_disc_model.DiscModel"


def parameter(value: object, kind: str = "builtin", specified: bool = True) -> dict[str, object]:
    """An entry of a config's `params`."""
    return {"type": kind, "value": value, "specified": specified}
