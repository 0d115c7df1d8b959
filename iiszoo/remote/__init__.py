"""Models that live in another interpreter, with its own torch, numpy and mmcv: `iiszoo bench --python PATH`.

    from iiszoo.remote import Interpreter, load_model

    model = load_model("mymodule:function", Interpreter("../old-env/bin/python"))
    y, z = model(x, model.init_z(x), pcs, ncs)

`worker.py` is the other side, and says what it needs and how the two talk; `process.py` keeps a worker, `model.py`
makes a model of the standard format of it.
"""

from iiszoo.remote.model import Parcel, RemoteFunction, identify, load_model
from iiszoo.remote.process import Interpreter

__all__ = ["Interpreter", "Parcel", "RemoteFunction", "identify", "load_model"]
