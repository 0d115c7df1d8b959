"""`iiszoo campaign`: all sessions of a campaign, in run directories that can resume.

    DIR/campaign.json             what the campaign is; another one is refused
    DIR/MODEL--DATASET/ARM/       a run directory of the bench for each arm (and seed, of the continual one)
    DIR/MODEL--DATASET/continual-SEED/segmenter-N.safetensors   its latest segmenter
    DIR/cross-fitted/fold-K.safetensors                         the cross-fitted ones, for all models

The arms themselves are in `arms`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from iiszoo import units
from iiszoo.data.base import EvaluationDataset
from iiszoo.data.initial_masks import INITIAL, start_from
from iiszoo.device import check_device
from iiszoo.engine.bench_run import Listener
from iiszoo.engine.campaign import training
from iiszoo.engine.campaign.arms import Work
from iiszoo.engine.campaign.campaign_job import CampaignJob
from iiszoo.engine.campaign.plan import Plan
from iiszoo.engine.campaign.proposals import FromNothing
from iiszoo.engine.campaign.splits import Part, check_one_concept, split
from iiszoo.engine.evaluation_protocol import EvaluationProtocol, load_protocol
from iiszoo.engine.executors import Executor, InProcess
from iiszoo.engine.robots import RobotReference, robot_interpreter
from iiszoo.engine.runs import run_name, store
from iiszoo.engine.runs.dataset_check import Checked, survey_for_run
from iiszoo.engine.runs.dataset_identity import identity_of
from iiszoo.errors import BadOption, RunError
from iiszoo.model_reference import CardReference, LoadedReference, ModelReference, ModelSpec, resolve
from iiszoo.models.merge_rule import MERGE
from iiszoo.names import Name
from iiszoo.progress import Progress
from iiszoo.protocol import Model
from iiszoo.registry import resolve_dataset

FORMAT = 1
CAMPAIGN = "campaign.json"


def campaign(
    dataset: str,
    models: Sequence[ModelSpec],
    plan: Plan,
    *,
    out: Path | None = None,
    root: Path | None = None,
    test: str | None = None,
    test_share: float | None = None,
    limit: int | None = None,
    protocol: str | EvaluationProtocol = "standard",
    robot: str | None = None,
    max_clicks: int | None = None,
    target_iou: float | None = None,
    threshold: float | None = None,
    seed: int | None = None,
    progressive_merge: str | None = None,
    robot_python: str | Path | None = None,
    python_timeout: float = 300,
    device: str = "cpu",
    batch_size: int = 1,
    skip_broken: bool = False,
    keep_going: bool = False,
    overwrite: bool = False,
    executor: Executor | None = None,
    listener: Listener | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Path:
    """Run what is missing of a campaign; returns its directory, by default `runs/campaign/DATASET`.

    `limit` is the number of images, from the dataset's first; `protocol` and the rules after it are those of the bench,
    as are `robot_python` and `python_timeout`.
    Sessions are computed by `executor` (None: in this process); segmenters are trained in this process.
    Everything that can be checked is checked before anything is computed. Raises the matching kind of `IISZooError` for
    everything that a user can fix; what was computed is kept.
    """
    check_device(device)
    changes = {"robot": robot, "max_clicks": max_clicks, "target_iou": target_iou, "threshold": threshold, "seed": seed}
    rules = load_protocol(protocol, **changes)
    robot_of_rules = RobotReference(rules.robot, robot_interpreter(robot_python, python_timeout))
    version, robot_elsewhere = robot_of_rules.known()
    rules = replace(rules, robot_version=version)
    references = _references(models, progressive_merge)
    names = [reference.name for reference in references]
    name, plan = _without_initial(resolve_dataset(dataset)[1], dataset, plan)
    parts = split(str(name), root, test, test_share)
    start = training.check(plan.recipe)
    listener = listener or Listener()
    n = len(parts.annotate) if limit is None else min(limit, len(parts.annotate))
    annotate = FromNothing(Part(parts.annotate, range(n)))
    data = _survey(annotate, plan, skip_broken, listener)
    robot_of_rules.check_samples(data.ids, str(name))
    test_data = None if parts.test is None else _survey_test(parts.test, skip_broken, listener)
    fetched = [reference.fetch(listener.fetching) for reference in references]
    executor = executor or InProcess()
    source, images = _source(parts.annotate, n)
    jobs = [
        CampaignJob(
            reference,
            device,
            source.name,
            root,
            rules.resolved(reference.threshold),
            batch_size,
            keep_going,
            robot_of_rules,
            images=images,
        )
        for reference in fetched
    ]
    reports = []
    for job in jobs:
        _check_takes_masks(job.model)
        reports.append({**executor.prepare(job, source), **robot_elsewhere})
    place = out or Path("runs/campaign") / run_name.plain_name(str(name))
    statement = {
        "format": FORMAT,
        "plan": plan.identity(),
        "split": parts.rule,
        **identity_of(annotate.name, data.total, data.fingerprint),
        "given": data.initial,
        "test": None if test_data is None else test_data.fingerprint,
        "protocol": {rule: value for rule, value in rules.as_json().items() if rule != "name"},
        "merge": progressive_merge,
        "left_out": sorted(data.broken),
    }
    _claim(place, statement, names, plan, start, overwrite)
    say(f"{units.number_of(data.total - len(data.broken), 'image')} to annotate; M starts from {start}")
    work = Work(plan, data, test_data, statement, place, executor, listener, say)
    for job, report in zip(jobs, reports, strict=True):
        work.annotate(job, report, overwrite)
    return place


def _references(models: Sequence[ModelSpec], progressive_merge: str | None) -> list[ModelReference]:
    merge = {} if progressive_merge is None else {MERGE: progressive_merge}
    references = [resolve(model, None, merge) for model in models]
    if not references or len({reference.name for reference in references}) < len(references):
        raise BadOption("a campaign needs models, each given once; give --model ID, which can be repeated")
    return references


def _without_initial(name: Name, dataset: str, plan: Plan) -> tuple[Name, Plan]:
    """The dataset's name, and the plan with the initial masks that the name states (`grabcut?initial=perturb:...`)."""
    if INITIAL not in name.options:
        return name, plan
    if plan.initial is not None:
        raise BadOption(f"initial masks are given twice, by {dataset} and by {plan.initial}; give one of them")
    return name.without(INITIAL), replace(plan, initial=str(name.options[INITIAL]))


def _source(annotate: EvaluationDataset, n: int) -> tuple[EvaluationDataset, tuple[int, ...]]:
    """The dataset that can be loaded by its name, and the places in it of the first `n` images to annotate."""
    if isinstance(annotate, Part):
        return annotate.dataset, tuple(annotate.indices[:n])
    return annotate, tuple(range(n))


def _survey(dataset: EvaluationDataset, plan: Plan, skip_broken: bool, listener: Listener) -> Checked:
    """The images to annotate, checked, with the masks that are given."""
    check_one_concept(dataset)
    if len(dataset) < max(2, plan.folds):
        raise BadOption(f"a campaign of {units.number_of(len(dataset), 'image')} is too short for {plan.folds} folds")
    given = dataset if plan.initial is None else start_from(dataset, plan.initial)
    return survey_for_run(given, None, skip_broken, _checking(listener, dataset.name))


def _survey_test(dataset: EvaluationDataset, skip_broken: bool, listener: Listener) -> Checked:
    """The images of the test split, checked."""
    check_one_concept(dataset)
    return survey_for_run(dataset, None, skip_broken, _checking(listener, "the test split"))


def _checking(listener: Listener, what: str) -> Progress:
    return lambda done, total: listener.checking(what, done, total or done)


def _check_takes_masks(reference: ModelReference) -> None:
    """Raise `BadOption` if the model cannot start from a proposal."""
    known = reference.model if isinstance(reference, LoadedReference) else reference
    if not isinstance(known, CardReference | Model) or known.card is None:
        return
    if "mask" not in known.card.prompts and MERGE not in known.options:
        raise BadOption(
            f"model {reference.name} takes no masks, as its card says, so it cannot correct a proposal; give "
            "--progressive-merge, which keeps the proposal where nobody clicks, or another model "
            "(`iiszoo list models --prompts mask`)"
        )


def _claim(
    place: Path, statement: dict[str, Any], models: Sequence[str], plan: Plan, start: str, overwrite: bool
) -> None:
    """Write campaign.json. Models and seeds are added to those that are there already. Raises `RunError` if the
    directory is another campaign's.
    """
    store.make(place)
    with store.alone(place):
        there = None if overwrite else store.read_json(place / CAMPAIGN)
        known: dict[str, Any] = {"models": [], "seeds": 0} if there is None else there
        different = [] if there is None else store.differences(statement, there.get("statement", {}))
        if different:
            raise RunError(
                f"{place} contains another campaign ({'; '.join(different)}); give another --out, or --overwrite to "
                "discard it"
            )
        store.write_json(
            place / CAMPAIGN,
            {
                "statement": statement,
                "models": list(dict.fromkeys([*known["models"], *models])),
                "seeds": max(known["seeds"], plan.seeds),
                "start": start,
            },
        )
