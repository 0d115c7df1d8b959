"""Several processes, killed processes, full disks, signals: with real processes."""

from __future__ import annotations

import signal
import time

import pytest

from iiszoo import assets


def test_two_processes_at_once_fetch_once(server, content, make_card, place, spawn):
    card = make_card(server.serve("/w", content, seconds_per_64k=0.06))
    processes = [spawn(card), spawn(card)]
    answers = [process.communicate(timeout=20) for process in processes]
    assert [out.strip() for out, _ in answers] == [str(place)] * 2, answers
    assert len(server.asked) == 1
    assert server.sent == len(content)
    assert "waiting for another process" in "".join(err for _, err in answers)


def test_two_processes_at_once_fetch_what_nobody_states_the_hash_of_once(server, content, make_card, spawn):
    card = make_card(server.serve("/w", content, seconds_per_64k=0.02), sha256=None)
    processes = [spawn(card), spawn(card)]
    assert [process.wait(20) for process in processes] == [0, 0]
    assert len(server.asked) == 1
    assert assets.status(card).sha256_from == "file"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["killed", "Ctrl-C"])
def test_what_a_stopped_process_fetched_is_kept(server, content, make_card, place, spawn, how):
    card = make_card(server.serve("/w", content, etag='"v1"', seconds_per_64k=0.05))
    process = spawn(card)
    deadline = time.monotonic() + 20
    while assets.status(card).present_bytes < 200_000 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(how)
    process.wait(20)
    kept = assets.status(card).present_bytes
    assert assets.status(card).state == "partial"
    assert kept >= 200_000
    server.files["/w"].seconds_per_64k = 0
    assert assets.fetch(card).read_bytes() == content
    assert server.asked[1].range == f"bytes={kept}-"


FULL_DISK = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))"


def test_a_full_disk_is_one_sentence_and_costs_nothing(server, content, make_card, place, spawn):
    pytest.importorskip("resource")
    card = make_card(server.serve("/w", content), server.url("/never-asked"))
    process = spawn(card, before=FULL_DISK.format(400_000))
    _, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "WeightsError: weights file tiny.pth of toy/net cannot be written to" in err
    assert "File too large (the 400000 bytes fetched so far are kept); free some space" in err
    assert "Traceback" not in err
    assert [asked.path for asked in server.asked] == ["/w"]  # another url would not help
    assert assets.fetch(card).read_bytes() == content
    assert server.asked[1].range == "bytes=400000-"


def test_a_full_disk_keeps_the_good_file(server, content, make_card, place, spawn):
    pytest.importorskip("resource")
    old = make_card(server.serve("/w", content))
    assets.fetch(old)
    new = make_card(server.serve("/v2", content * 2), sha256="0" * 64)
    process = spawn(new, before=FULL_DISK.format(400_000))
    process.wait(20)
    assert place.read_bytes() == content
    assert assets.verify(old).state == "present"
