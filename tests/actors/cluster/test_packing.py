"""A share on its way says what it holds, and to whom it means something."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from asr.actors.cluster.packing import (
    Share,
    dump_share,
    load_share,
    pack_samples,
    unpack_samples,
)
from asr.pipeline.audio import Audio
from asr.pipeline.types import Decoding, Window

if TYPE_CHECKING:
    from pathlib import Path


def test_samples_are_where_the_windows_look_for_them(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    whole.write_bytes(bytes(range(250)) * 6400)  # 50 s
    audio = Audio(whole, 800_000)
    windows = [Window(audio, 0.3, 10.0001), Window(audio, 20.00003, 31.5), Window(audio, 49, 50.2)]
    pack_samples(windows, tmp_path / "packed")
    assert (tmp_path / "packed").stat().st_size < 0.5 * whole.stat().st_size
    spans = tuple((window.start_s, window.end_s) for window in windows)
    share = Share("base", Decoding("de", prompt="a"), audio.samples, spans, "request")
    assert load_share(dump_share(share)) == share
    again = load_share(dump_share(share)).of(tmp_path / "again")
    unpack_samples(tmp_path / "packed", again)
    for one, other in zip(windows, again, strict=True):
        heard = one.audio.read(one.start_s, one.end_s)
        assert (heard == other.audio.read(other.start_s, other.end_s)).all()


@pytest.mark.parametrize("work", ['{"version": 2}', "{}", "[]", "3"])
def test_a_share_of_another_version_is_not_understood(work: str) -> None:
    with pytest.raises(ValueError, match="version"):
        load_share(work)
