"""`iiszoo campaign`: is a segmentation network helpful while a dataset is annotated? And the network alone."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from iiszoo import units
from iiszoo.cli.executor_options import executor_of, executor_options
from iiszoo.cli.foreign_output import foreign_output
from iiszoo.cli.groups import Group
from iiszoo.cli.interpreter import python_timeout_option, robot_python_option
from iiszoo.cli.output import echo, echo_wrapped, json_option, print_json, print_table

_directory = click.Path(path_type=Path, file_okay=False)


def _data_options(command: Any) -> Any:
    """The options of both: the data, and how they are divided."""
    for option in reversed(
        [
            click.option("--dataset", "-d", help="The dataset to annotate, of one concept: an id, folder:DIR, ..."),
            click.option(
                "--root", type=_directory, help="The dataset's directory, or one that contains it under its id."
            ),
            click.option("--test", metavar="DATASET", help="The images to test the segmenter on."),
            click.option(
                "--test-share",
                type=click.FloatRange(0, 1, min_open=True, max_open=True),
                help="Or: this share of the images, the last of the sorted sample ids, is for the test.",
            ),
            click.option(
                "--segmenter",
                metavar="NAME",
                default="deeplabv3_mobilenet_v3_large",
                show_default=True,
                help="The network M: that one, or smp:ARCHITECTURE/ENCODER; with ?size=PIXELS&weights=coco, imagenet, "
                "none or FILE.",
            ),
            click.option("--batch", type=click.IntRange(2), default=42, show_default=True, help="Images in a step."),
            click.option("--lr", type=float, default=1e-3, show_default=True, help="Adam's learning rate."),
            click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, mps."),
            click.option("--skip-broken", is_flag=True, help="Leave out broken samples."),
            click.option(
                "--resume/--overwrite", default=True, show_default=True, help="Go on in --out, or start over."
            ),
            json_option,
        ]
    ):
        command = option(command)
    return command


_GIVEN_BEFORE = "`iiszoo campaign baseline` takes its options after `baseline`"


@click.group("campaign", cls=Group, invoke_without_command=True)
@_data_options
@click.option("--model", "-m", "models", multiple=True, help="An interactive model that takes masks. Can be repeated.")
@click.option(
    "--schedule",
    default="10,20,40,80,...",
    show_default=True,
    help="Numbers of images after which M is trained; ... doubles the last.",
)
@click.option(
    "--lag",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Images that are annotated while it trains; the person waits for the rest.",
)
@click.option("--fine-tune", is_flag=True, help="Train on from the M before, not from the weights it began with.")
@click.option("--steps", type=click.IntRange(1), default=200, show_default=True, help="Steps of each training.")
@click.option(
    "--folds",
    type=click.IntRange(0),
    default=5,
    show_default=True,
    help="Of the cross-fitted M, trained on the targets of the other folds: the upper bound; 0 leaves it out.",
)
@click.option(
    "--initial", metavar="WHAT", help="Also correct masks of another origin: masks:DIR, coco:FILE, perturb:..."
)
@click.option(
    "--proposals",
    type=click.Choice(["masks", "probabilities"]),
    default="masks",
    show_default=True,
    help="What the models get to correct.",
)
@click.option(
    "--choose-above",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="M's confidence (the IoU that it expects) from which on the arm `choice` corrects its proposal.",
)
@click.option(
    "--cost",
    default="seed",
    show_default=True,
    help="What a person's work costs: seed, bearman, extreme-clicking, a FILE.toml, or a sessions.jsonl of "
    "`iiszoo annotate`.",
)
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="Orders of the images.")
@click.option("--limit", type=click.IntRange(2), help="Only this many images, from the dataset's first.")
@click.option("--protocol", default="standard", show_default=True, help="Evaluation protocol, as of `iiszoo bench`.")
@click.option("--robot", help="The robot that clicks.  [protocol: ritm]")
@click.option("--max-clicks", type=click.IntRange(1, 1000), help="Clicks in an image, at most.  [protocol: 20]")
@click.option(
    "--target-iou", type=click.FloatRange(0, 1, min_open=True), help="IoU that is good enough.  [protocol: 0.90]"
)
@click.option("--robot-seed", "seed", type=click.IntRange(0), help="Seed of the robot's choices.  [protocol: 0]")
@click.option(
    "--progressive-merge",
    is_flag=False,
    flag_value="published",
    type=click.Choice(["published", "fixed"]),
    help="Let a click change only the region of the proposal that it touches.  [without a value: published]",
)
@click.option("--batch-size", type=click.IntRange(1), default=1, show_default=True, help="Sessions per model call.")
@executor_options
@robot_python_option
@python_timeout_option
@click.option("--keep-going", is_flag=True, help="If a model fails, count the image as a failure and continue.")
@click.option("--out", type=_directory, help="Output directory.  [default: runs/campaign/DATASET]")
@click.pass_context
def command(ctx: click.Context, /, **settings: Any) -> None:
    """Annotate a whole dataset of one concept: does a segmentation network's proposal help?

    A robot annotates image after image, with each interactive model: from scratch, and by correcting the proposals of a
    segmentation network M that is trained on what is annotated so far. Running the same command again continues a
    stopped campaign. `iiszoo campaign baseline` trains and tests M alone.
    """
    given = [name for name in settings if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if ctx.invoked_subcommand is None:
        _run(ctx, **settings)
    elif given:
        raise click.UsageError(_GIVEN_BEFORE)


def _run(
    ctx: click.Context,
    dataset: str | None,
    models: tuple[str, ...],
    segmenter: str,
    steps: int,
    batch: int,
    lr: float,
    proposals: str,
    choose_above: float,
    cost: str,
    resume: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    if dataset is None or not models:
        raise click.UsageError(
            "give the data with --dataset and the interactive models with --model, such as `iiszoo campaign "
            "--dataset ndd20-below --model classic/geocut`"
        )
    sys.path.append(os.getcwd())  # so that module:function finds a module of the working directory
    from iiszoo.cli.bench_progress import listener as listener_of
    from iiszoo.cli.campaign_results import print_campaign
    from iiszoo.engine.campaign import results
    from iiszoo.engine.campaign.conduct import campaign
    from iiszoo.engine.campaign.cost import load_cost
    from iiszoo.engine.campaign.plan import Plan
    from iiszoo.engine.campaign.training import Recipe

    costs = load_cost(cost)
    plan_names = ("schedule", "lag", "fine_tune", "seeds", "folds", "initial")
    plan = Plan(
        Recipe(segmenter, steps, batch, lr),
        probabilities=proposals == "probabilities",
        **{name: settings.pop(name) for name in plan_names},
    )
    began = time.monotonic()
    try:
        with listener_of() as listener, foreign_output(), executor_of(settings) as executor:
            place = campaign(
                dataset,
                models,
                plan,
                overwrite=not resume,
                executor=executor,
                listener=listener,
                say=lambda text: echo(text, err=True),
                **settings,
            )
    except KeyboardInterrupt:
        again = "the same command" if resume else "the same command without --overwrite"
        echo(f"stopped; what was done is kept: {again} continues from here", err=True)
        ctx.exit(130)
    found = results.read(place, costs, choose_above)
    if as_json:
        print_json(found.as_json())
    else:
        print_campaign(found)
        echo_wrapped(
            f"took {units.time(time.monotonic() - began)}; results are in {place}; `iiszoo report {place} --html FILE` "
            "makes a page"
        )


@command.command("baseline")
@_data_options
@click.option("--steps", type=click.IntRange(1), default=1000, show_default=True, help="Steps of the training.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of weights, shuffling and dropout.")
@click.option("--out", type=_directory, help="Output directory.  [default: runs/baseline/SEGMENTER--DATASET]")
def baseline_command(
    dataset: str | None, segmenter: str, steps: int, batch: int, lr: float, resume: bool, as_json: bool, **settings: Any
) -> None:
    """Train the segmentation network on the training split, and test it on the test split."""
    from iiszoo.cli.bench_progress import listener as listener_of
    from iiszoo.engine.campaign.baseline import baseline
    from iiszoo.engine.campaign.training import Recipe

    if dataset is None:
        raise click.UsageError("give the data with --dataset, such as --dataset ndd20-below")
    began = time.monotonic()
    with listener_of() as progress, foreign_output():
        result = baseline(
            dataset,
            Recipe(segmenter, steps, batch, lr),
            overwrite=not resume,
            say=lambda text: echo(text, err=True),
            progress=progress.step,
            **settings,
        )
    if as_json:
        print_json(result)
        return
    figures, identity = result["figures"], result["identity"]
    print_table(
        ("segmenter", "test", "n", "focal loss", "MAE", "MSE", "IoU", "Dice"),
        [
            [
                identity["recipe"]["id"],
                identity["test"]["id"],
                str(identity["test"]["n_samples"] - identity["test"]["n_broken"]),
                *(f"{figures[name]:.4f}" for name in ("focal_loss", "mae", "mse")),
                *(f"{100 * figures[name]:.1f}" for name in ("iou", "dice")),
            ]
        ],
    )
    echo_wrapped(
        "means over the test images, at each image's own size; MAE and MSE of probabilities; IoU and Dice in %, of the "
        f"mask above 0.5; started from {result['start']}"
    )
    echo_wrapped(f"took {units.time(time.monotonic() - began)}; results are in {result['directory']}")
