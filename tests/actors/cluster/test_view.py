from dataclasses import replace

from asr.actors.cluster.view import View
from asr.actors.jobs.queue import Stats
from asr.actors.jobs.redis.roster import WorkerProcess

ANNA = WorkerProcess("anna", "metal", compute_type="float16")
BERT = WorkerProcess("bert", "metal", ("base",), compute_type="float16", slots=4)


def view(*workers: WorkerProcess) -> View:
    return View(Stats(0, 0, 1), workers)


def test_a_model_is_served_by_who_has_it_or_may_come_yet() -> None:
    assert view().serves("large-v3")
    assert not view(BERT).serves("large-v3")
    assert view(ANNA, BERT).serves("large-v3")


def test_who_helps_has_nothing_else_to_do_and_computes_alike() -> None:
    assert view(ANNA, BERT).idle("base", but="anna") == 1
    assert view(ANNA, BERT).idle("large-v3", but="anna") == 0, "another model's"
    assert view(ANNA, replace(BERT, busy=1)).idle("base", but="anna") == 0
    assert view(ANNA, replace(BERT, device="cpu")).idle("base", but="anna") == 0
    assert view(ANNA, replace(BERT, compute_type="float32")).idle("base", but="anna") == 0
    assert view(BERT).idle("base", but="anna") == 0, "it is not known yet how this one computes"
    away = View(Stats(0, 0, 1), (ANNA, BERT), reachable=False)
    assert away.idle("base", but="anna") == 0, "nobody could be asked"


def test_the_whole_is_the_sum_of_all() -> None:
    both = view(replace(ANNA, busy=1), BERT)
    assert (both.slots, both.busy, both.device, both.accelerated) == (5, 1, "metal", True)
    assert view(ANNA, replace(BERT, device="cpu")).device == "cpu+metal"
    assert (view().device, view().accelerated) == ("none", False)
