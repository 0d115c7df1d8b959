"""`iiszoo results`: what earlier runs are worth. Each command is in a file of its own."""

from __future__ import annotations

import click

from iiszoo.cli.groups import Group
from iiszoo.cli.results_add import add
from iiszoo.cli.results_check import check
from iiszoo.cli.results_compare import compare
from iiszoo.cli.results_reproduce import reproduce
from iiszoo.cli.results_site import site
from iiszoo.cli.results_verify import verify


@click.group("results", cls=Group)
def command() -> None:
    """Compare earlier runs, check that they are what they claim to be, reproduce published ones, and publish them."""


for one in (add, check, compare, reproduce, site, verify):
    command.add_command(one)
