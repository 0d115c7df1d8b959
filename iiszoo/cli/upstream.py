"""`iiszoo upstream`: the repositories that models come from, and whether our models match their code."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iiszoo import units
from iiszoo.cli.foreign_output import foreign_output
from iiszoo.cli.groups import Group
from iiszoo.cli.output import echo, json_option, print_json
from iiszoo.errors import UpstreamError

if TYPE_CHECKING:
    from iiszoo.upstream import Verification


@click.group("upstream", cls=Group)
def command() -> None:
    """Models' upstream code: what is cloned and how, and a comparison with ours.

    Clones are in the cache: IISZOO_CACHE, else the user's cache directory. With IISZOO_OFFLINE=1 no connection is made.
    """


@command.command("show")
@click.argument("model", metavar="MODEL_ID")
@json_option
def show(model: str, as_json: bool) -> None:
    """Show a model's repository, its clone, and the shims that replace names that libraries have dropped.

    Nothing is fetched.
    """
    from iiszoo.registry import resolve_model
    from iiszoo.upstream._clone import manifest, place, source_of
    from iiszoo.upstream._namespace import private_name
    from iiszoo.upstream._shims import IMPORTED_ONLY, MODULES, NAMES

    card, _ = resolve_model(model)
    source = source_of(card)
    files = manifest(source)
    facts: dict[str, Any] = {
        "model": card.id,
        "repo": source.repo,
        "commit": source.commit,
        "licence": source.licence,
        "path": str(place(source) / "files"),
        "cloned": files is not None,
        "files": len(files.files) if files else None,
        "absent": files.absent if files else None,
        "module": private_name(source),
        "shims": {
            "names": {f"{module}.{name}": path for module, names in NAMES.items() for name, path in names.items()},
            "modules": {module: dict(names) for module, names in MODULES.items()},
            "imported_only": list(IMPORTED_ONLY),
        },
    }
    if as_json:
        print_json(facts)
    else:
        _print(facts)


@command.command("verify")
@click.argument("model", metavar="MODEL_ID")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="Weights for both.  [default: the card's]")
@click.option("--synthetic", is_flag=True, help="Use synthetic weights, if no checkpoint is available.")
@click.option("--clicks", type=click.IntRange(1), default=5, show_default=True, help="Clicks per sample.")
@click.option("--samples", type=click.IntRange(1), help="Compare only this many samples, from the first.")
@click.option("--dataset", default="demo", show_default=True)
@click.option("--robot", default="ritm", show_default=True)
@click.option("--device", default="cpu", show_default=True)
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1),
    default=2e-3,
    show_default=True,
    help="How far probabilities may differ: convolutions sum in another order on another machine.",
)
@json_option
def verify(model: str, tolerance: float, as_json: bool, **options: Any) -> None:
    """Run our model and upstream's own code side by side, on the same clicks, and show how far they differ.

    The exit code is 2 if probabilities differ by more than the tolerance, or if the regions zoomed in on differ.
    """
    from iiszoo import upstream

    with foreign_output():
        found = upstream.verify(model, progress=lambda sample: echo(f"  {sample}", err=True), **options)
    agree = found.largest_difference <= tolerance and not found.unequal_rois
    if as_json:
        print_json({**dataclasses.asdict(found), "tolerance": tolerance, "agree": agree})
    else:
        _print_verification(found)
    if not agree:
        raise UpstreamError(
            f"{found.model} does not match {found.repo} at {found.commit[:8]}: at click {found.worst_click} of "
            f"sample {found.worst_sample!r} the probabilities differ by {found.largest_difference:.3g}, and "
            f"{found.unequal_rois} of {found.compared_rois} ROIs are unequal"
        )


def _print(facts: dict[str, Any]) -> None:
    echo(f"{facts['model']}: {facts['repo']}", bold=True)
    echo(f"  commit: {facts['commit']}")
    if facts["licence"]:
        echo(f"  licence: {facts['licence']}")
    echo(f"  clone: {facts['path']}{'' if facts['cloned'] else ' (not cloned yet)'}")
    if facts["absent"]:
        echo(f"  absent, because the mirror lacks them: {', '.join(facts['absent'])}")
    echo(f"  imported as: {facts['module']}")
    shims = facts["shims"]
    echo("  shims, given only to the clone, and only if the installed library lacks the name:")
    for name, path in shims["names"].items():
        echo(f"    {name} = {path.replace(':', '.')}")
    for module, names in shims["modules"].items():
        for name, path in names.items():
            echo(f"    {module}.{name} = {path.replace(':', '.')}")
    echo(f"    anything from {', '.join(shims['imported_only'])}: a name that can be imported but not used")


def _print_verification(found: Verification) -> None:
    weights = "SYNTHETIC weights, not trained ones" if found.weights == "synthetic" else found.weights
    echo(f"{found.model} beside {found.repo} at {found.commit[:8]}", bold=True)
    echo(f"  weights: {weights}")
    echo(
        f"  {units.number_of(found.samples, 'sample')} of {found.dataset}, "
        f"{units.number_of(found.interactions, 'click')} of robot {found.robot}"
    )
    echo(
        f"  largest difference of probabilities: {found.largest_difference:.3g}"
        f" (sample {found.worst_sample}, click {found.worst_click}); they range from {found.lowest:.3g}"
        f" to {found.highest:.3g}"
        if found.largest_difference
        else f"  probabilities are equal; they range from {found.lowest:.3g} to {found.highest:.3g}"
    )
    equal = found.interactions - found.unequal_masks
    pixels = f"; {found.unequal_pixels} pixels differ in total" if found.unequal_pixels else ""
    echo(f"  masks equal: {equal} of {found.interactions}, above {found.threshold:g}{pixels}")
    rois = (
        f"{found.compared_rois - found.unequal_rois} of {found.compared_rois}" if found.compared_rois else "not shown"
    )
    echo(f"  ROIs equal: {rois}")
    if found.shims:
        echo(f"  shims used: {', '.join(found.shims)}")
