"""A row in the batch shows what it has said so far."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from asr.pipeline.types import Decoding
from tests.real.rows import Bench

if TYPE_CHECKING:
    from asr.pipeline.shelf import Shelved
    from tests.real.ears import Ears

pytestmark = pytest.mark.real


def test_text_grows_and_pieces_stay_once_they_are_closed(shelved_tiny: Shelved, ears: Ears) -> None:
    bench = Bench(shelved_tiny)
    bench.join([ears.ask(shelved_tiny, "dashwood", Decoding("en"))])
    shown = []
    while "dashwood" not in bench.said:
        shown.append(bench.growing("dashwood"))
        bench.advance(1)
    whole = bench.said["dashwood"].hypothesis
    assert all(late.text.startswith(early.text) for early, late in pairwise(shown))
    assert (shown[0].text, shown[0].closed.pieces) == ("", ())
    assert "".join(piece.text for piece in whole.pieces).startswith(shown[-1].text)
    known = {len(so_far.closed.pieces): so_far.closed for so_far in shown}
    assert len(known) >= 2
    for count, closed in known.items():
        assert closed.pieces == whole.pieces[:count]
        assert replace(closed, pieces=(), avg_logprob=0, compression_ratio=0, heard_until_s=0) == (
            replace(whole, pieces=(), avg_logprob=0, compression_ratio=0, heard_until_s=0)
        )
