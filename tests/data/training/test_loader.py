"""The order of the samples."""

from __future__ import annotations

from iiszoo.data.training.loader import Numbers


def test_numbers_are_shuffled_in_blocks_and_go_on_where_they_are_asked_to() -> None:
    whole = list(Numbers(0, 30, block=10, seed=1))
    assert [sorted(whole[k : k + 10]) for k in (0, 10, 20)] == [list(range(k, k + 10)) for k in (0, 10, 20)]
    assert [n % 10 for n in whole[:10]] != [n % 10 for n in whole[10:20]]
    assert list(Numbers(13, 30, block=10, seed=1)) == whole[13:]
    assert list(Numbers(0, 30, block=10, seed=2)) != whole
    assert list(Numbers(3, 6)) == [3, 4, 5]
