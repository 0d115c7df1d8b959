"""Checks of where a dataset is read: in threads, as the harness reads ahead, and in another process."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLong
from functools import partial

from iiszoo.testing._checks.dataset_samples import compare
from iiszoo.testing.check import Broken, check
from iiszoo.testing.dataset_subject import DatasetSubject, digests_of, read_anew
from iiszoo.testing.new_process import in_new_process


@check(
    "two threads that read samples at the same time get the pixels that one gets alone",
    catches="a file, archive or database handle that all samples share: one reads from where the other was",
    look="what samples share; open it in the function that reads",
    after=("repeatable",),
    of=("dataset",),
)
def threads(subject: DatasetSubject) -> None:
    forth = [*zip(subject.samples, subject.digests, strict=True)]
    # one from each end at a time: neighbours are often of one image, and then have the same pixels
    order = [read for both in zip(forth, reversed(forth), strict=True) for read in both]
    readers = ThreadPoolExecutor(2, "check")
    try:
        beside = readers.map(digests_of, [sample for sample, _ in order], timeout=subject.timeout)
        for (sample, before), seen in zip(order, beside, strict=True):
            compare(sample, before, seen, "read beside another thread")
    except TooLong as error:
        raise Broken(f"no answer within {subject.timeout:g} s") from error
    finally:
        readers.shutdown(wait=False, cancel_futures=True)


@check(
    "a dataset loaded in the same way in a new process has the same samples and pixels",
    catches="ids or an order that come from hash(), a set or a clock; noise whose seed differs",
    look="what the loader leaves to chance, and the globals that it needs",
    after=("repeatable",),
    of=("dataset",),
)
def spawned_process(subject: DatasetSubject) -> None:
    ids, digests = in_new_process(partial(read_anew, subject.what, subject.root), subject.timeout)
    if ids != [sample.id for sample in subject.dataset]:
        raise Broken("it has other ids there, or another order")
    for sample, here, there in zip(subject.samples, subject.digests, digests, strict=True):
        compare(sample, here, there, "read in the new process")
