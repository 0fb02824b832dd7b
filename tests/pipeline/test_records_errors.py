"""Errors that are raised elsewhere are what they were."""

import json

import pytest

from asr.pipeline import records
from asr.pipeline.errors import (
    AsrError,
    Busy,
    DeadlineExceeded,
    EngineRestarted,
    InvalidRequest,
    Poisoned,
    ShuttingDown,
    StorageFull,
    TooLarge,
    UnknownModel,
    UnreadableAudio,
)


@pytest.mark.parametrize(
    "error",
    [
        AsrError("so"),
        InvalidRequest("wrong", param="file", code="bad"),
        InvalidRequest("wrong"),
        UnreadableAudio("it is junk"),
        UnknownModel("huge", ("tiny", "base")),
        TooLarge.file(5, param="file"),
        Busy("full", retry_after_s=2.5),
        ShuttingDown(),
        EngineRestarted(),
        Poisoned(),
        StorageFull(),
        DeadlineExceeded(60),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_is_raised_elsewhere_as_it_was_here(error: AsrError) -> None:
    read = records.load_error(json.loads(json.dumps(records.dump_error(error))))
    assert type(read) is type(error)
    assert (str(read), vars(read)) == (str(error), vars(error))


def test_an_error_of_an_unknown_class_is_the_nearest_that_is_known() -> None:
    written = records.dump_error(Busy("full", retry_after_s=3.0))
    read = records.load_error(written | {"kinds": ["Later", *written["kinds"]]})
    assert (type(read), vars(read)) == (Busy, {"message": "full", "retry_after_s": 3.0})
    unknown = records.load_error(written | {"kinds": ["Later"]})
    assert (type(unknown), unknown.message) == (AsrError, "full")


@pytest.mark.parametrize(
    "change",
    [{"version": 2}, {"kinds": 5}, {"kinds": [[]]}, {"message": None}, {"retry_after_s": "soon"}],
    ids=str,
)
def test_an_error_that_is_none_is_a_value_error(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="error"):
        records.load_error(records.dump_error(Busy("full", retry_after_s=1.0)) | change)
