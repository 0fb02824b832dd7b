"""What uploads may claim: the arithmetic alone; the receiver's tests have the rest."""

from contextlib import nullcontext

import pytest

from asr.actors.budget import Budget
from asr.pipeline.errors import Busy


def test_one_client_has_a_share_of_the_uploads_and_the_others_have_theirs() -> None:
    budget = Budget(each_max=100, all_max=150, uploads_max=3, client_max=1)
    budget.open("hers", 10, client="ada")
    budget.open("his", 20, client="ben")
    with pytest.raises(Busy, match="too many uploads under way"):
        budget.open("her second", 10, client="ada")
    assert (budget.uploads, budget.bytes) == (2, 30)
    budget.close("hers")
    budget.open("her second", 10, client="ada")
    assert (budget.uploads, budget.bytes) == (2, 30)


def test_what_belongs_to_no_client_takes_nobodys_share() -> None:
    budget = Budget(each_max=100, all_max=150, uploads_max=3, client_max=1)
    for name in ("one clip", "another"):
        budget.open(name, 10, client=None)
    budget.open("hers", 10, client="")
    with pytest.raises(Busy, match="Too many uploads"):
        budget.open("a third clip", 10, client=None)
    budget.close("one clip")
    assert (budget.uploads, budget.bytes) == (2, 20)


@pytest.mark.parametrize(("bytes_each", "fits"), [(50, True), (51, False)])
def test_without_a_share_one_client_may_have_all_of_it(bytes_each: int, fits: bool) -> None:
    budget = Budget(each_max=100, all_max=150, uploads_max=3)
    budget.open("first", bytes_each, client="ada")
    budget.open("second", bytes_each, client="ada")
    with nullcontext() if fits else pytest.raises(Busy):
        budget.open("third", bytes_each, client="ada")
