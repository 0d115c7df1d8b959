"""Write every table that is made from data: run `python docs/write_tables.py` after the data have changed.

- `iiszoo/known_plugins/NAME.json`, from the plugins in `plugins/`, which must be installed;
- `benchmarks/measured.csv`, from the complete runs of the zoo's models in `benchmarks/results`;
- the tables between `<!-- NAME -->` and `<!-- end of NAME -->` in README.md (models) and docs/models.md, from both
  and from `benchmarks/published.csv`, and in docs/results.md, from the results repository `benchmarks/results/zoo`.

`tests/core/test_generated_tables.py` compares them with what is there.
"""

from __future__ import annotations

import csv
import io
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from iiszoo import cards, catalogue, figures, units
from iiszoo.cli import model_table
from iiszoo.engine.campaign import results as campaigns
from iiszoo.engine.evaluation_protocol import PRESETS
from iiszoo.engine.runs import summary
from iiszoo.engine.site.gathering import gather
from iiszoo.figures import Measured
from iiszoo.registry import registry

ROOT = Path(__file__).parents[1]


def known_plugins() -> Iterator[tuple[Path, str]]:
    """The file of each family in `plugins/`, and its content; a distribution may have several, an entry point each."""
    models = registry().models
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    for project in sorted(ROOT.glob("plugins/*/pyproject.toml")):
        stated = tomllib.loads(project.read_text("utf-8"))["project"]
        for name in stated["entry-points"]["iiszoo"]:
            own = [card for card in models.cards() if models.plugin(card).name == name]
            extra = name if name in extras else next(e for e, needed in extras.items() if stated["name"] in needed)
            entry = {
                "name": name,
                "distribution": stated["name"],
                "requirement": f"iiszoo[{extra}]",
                "summary": stated["description"],
                "homepage": stated.get("urls", {}).get("Homepage", ""),
                "default": models.resolve(name).id,
                "models": [cards.as_json(card) for card in own],
            }
            text = json.dumps(entry, indent=1, ensure_ascii=False)
            yield ROOT / "iiszoo" / "known_plugins" / f"{name}.json", f"{text}\n"


def measured() -> Iterator[tuple[Path, str]]:
    """`benchmarks/measured.csv`: the complete runs of the zoo's models under the evaluation protocol `standard`."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(Measured.__annotations__)
    results = ROOT / "benchmarks" / "results"
    runs, _ = summary.read_all([results], campaigns.find([results]))
    for run, _ in sorted(runs, key=lambda run: (run[0]["model"], run[0]["dataset"])):
        rules, environment = run["protocol"], run["provenance"]["environment"]
        standard = rules["hash"] == PRESETS["standard"].resolved(rules["threshold"]).hash
        known = run["model"].partition("?")[0] in registry().models.names()
        if standard and known and run["complete"] and "threads" in environment:  # a time without threads says nothing
            table.writerow(_measured(run, results))
    yield ROOT / "benchmarks" / "measured.csv", text.getvalue()


def _measured(run: dict, results: Path) -> list[object]:
    metrics, times, environment = run["metrics"], run["times"], run["provenance"]["environment"]
    return [
        run["model"],
        run["dataset"],
        run["n_done"],
        *(f"{metrics[name]:.2f}" for name in ("noc85", "noc90")),
        metrics["nof90"],
        *(f"{metrics['iou'][k]:.3f}" for k in (1, 5)),
        *(f"{float(f'{times[name]:.3g}'):g}" for name in ("init_ms_median", "model_ms_median")),
        environment["device"],
        environment["threads"],
        Path(run["directory"]).relative_to(results).as_posix(),
    ]


def pages() -> Iterator[tuple[Path, str]]:
    """README.md, docs/models.md and docs/results.md, with those tables put in for which they have marks."""
    for page in (ROOT / "README.md", ROOT / "docs" / "models.md", ROOT / "docs" / "results.md"):
        text = page.read_text("utf-8")
        for name, lines in (("models", _models()), ("numbers", _numbers()), ("robots", _robots())):
            body = "\n".join(lines)
            marks = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
            text = re.sub(f"({marks[0]}).*?({marks[1]})", rf"\g<1>{body}\n\g<2>", text, flags=re.DOTALL)
        yield page, text


def _models() -> list[str]:
    entries = catalogue.entries()
    columns = model_table.FIGURES
    titles = ["model", "parameters", "weights", *(f"NoC@{m[3:]} {d}" for m, d in columns), "encode", "click", "licence"]
    rows, star = [], "\\*"
    for entry in entries:
        id, _, _, *nocs, encode, click, _ = model_table.row(entry, columns)
        licence = entry.card.weights_licence or entry.card.licence
        size = "none" if not entry.card.weights else units.size(entry.size)
        id = f"`{entry.card.id}`{star if entry.is_default else ''}"
        named = re.split("[:,]| by ", licence)[0]
        rows.append([id, units.count(entry.card.n_parameters), size, *nocs, encode, click, named])
    return _table(titles, rows)


def _numbers() -> list[str]:
    titles = ["model", "dataset", "n", "NoC@85", "NoC@90", "NoF@90", "IoU@1", "IoU@5", "encode", "click"]
    rows = []
    for run in figures.measured():
        iou = (f"{100 * run.iou1:.1f}", f"{100 * run.iou5:.1f}")
        encode = units.time(run.init_ms / 1e3) if run.init_ms >= model_table.LEAST_ENCODING else ""
        nocs = (f"{run.noc85:.2f}", f"{run.noc90:.2f}", str(run.nof90))
        rows.append([f"`{run.model}`", run.dataset, str(run.n), *nocs, *iou, encode, units.time(run.click_ms / 1e3)])
    return _table(titles, rows)


def _robots() -> list[str]:
    """The results repository: models by robots."""
    signs = {"replayed": "●", "submitted": "○"}
    entries, _ = gather(ROOT / "benchmarks" / "results" / "zoo")
    found = {}
    for entry in entries:
        run = entry.result[0]
        place = entry.model, run["protocol"]["robot"], run["dataset"]
        found[place] = f"{run['metrics']['noc90']:.2f} {signs[entry.tier]}"
    robots = ("ritm", "center-largest", "noisy-ritm", "boundary")
    rows = []
    for model in sorted({entry.model for entry in entries}):
        cells = [[found.get((model, robot, data), "–") for data in ("grabcut", "berkeley")] for robot in robots]
        rows.append([f"`{model}`", *(", ".join(cell) for cell in cells)])
    return _table(["model", *(f"`{robot}`" for robot in robots)], rows)


def _table(titles: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (titles, ["---"] * len(titles), *rows)]


def main() -> None:
    for step in (known_plugins, measured, pages):
        for path, text in step():
            path.write_text(text, "utf-8")
            print(path)


if __name__ == "__main__":
    main()
