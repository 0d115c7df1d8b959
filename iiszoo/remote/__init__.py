"""Models that run in another interpreter, with its own torch, numpy and mmcv: `iiszoo bench --python PATH`.

    from iiszoo.model_reference import resolve
    from iiszoo.remote import Interpreter

    model = resolve("mymodule:function", interpreter=Interpreter("../old-env/bin/python")).load()
    y, z = model(x, model.init_z(x), pcs, ncs)

A robot runs there too: `--robot-python PATH`, `RemoteRobot("mymodule:robot", Interpreter(PATH))`.

`worker.py` runs in the other interpreter, and documents what it needs and its messages; `process.py` runs a worker;
`model.py` makes it a model of the standard format, `robot.py` a robot.
"""

from iiszoo.remote.model import Parcel, RemoteFunction, RemoteReference, report_of
from iiszoo.remote.process import Interpreter
from iiszoo.remote.robot import RemoteRobot

__all__ = ["Interpreter", "Parcel", "RemoteFunction", "RemoteReference", "RemoteRobot", "report_of"]
