"""The options that run models and robots in another interpreter (`iiszoo.remote`)."""

from __future__ import annotations

import click

python_option = click.option(
    "--python",
    metavar="PATH",
    help="Run models in this interpreter, with its own torch: the path of a Python >= 3.7 with numpy.",
)
python_timeout_option = click.option(
    "--python-timeout",
    type=click.FloatRange(0, min_open=True),
    default=300,
    show_default=True,
    help="Seconds after which a call in another interpreter counts as hung.",
)
robot_python_option = click.option(
    "--robot-python",
    metavar="PATH",
    help="Run the robot in this interpreter, with its own torch: the path of a Python >= 3.7 with numpy. It may be "
    "module:function there.",
)
