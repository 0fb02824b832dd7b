"""What can go wrong, as far as a caller can do something about it.

    AsrError
     x InvalidRequest       the caller must change something (``param`` names the field)
       - UnreadableAudio    the file holds no sound that can be decoded
       - UnknownModel       no model of that name is allowed or known
       - TooLarge           more bytes or seconds than the operator allows
     x Busy                 nothing was started; come back in ``retry_after_s``
       - ShuttingDown       the server ends; it, or the next one, will be there again
     x EngineRestarted      the engine crashed under this request; safe to send again
     x Poisoned             the engine crashed twice over this very audio; not worth sending again
     x NotEnoughMemory      the machine cannot hold what this request needs, even by itself
     x ModelUnavailable     a known model whose weights cannot be had at the moment
     x SpeakersUnavailable  nobody here can tell speakers apart at the moment
     x AlignmentUnavailable no network here can tell when words of that language are spoken
     x StorageFull          the spool disk has no room left
     x DeadlineExceeded     the request's time was up

Anything else is a bug of ours. The message of every class here is written for the client: it never
holds a path, a traceback or the words of a library.
"""

from typing import Self


class AsrError(Exception):
    """The root: an error whose message may be shown to a client."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidRequest(AsrError):
    """The caller must change something; ``param`` is the request's field, if one is to blame."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.code = code


class UnreadableAudio(InvalidRequest):
    """The upload is empty, junk, cut off beyond use, or holds no audio stream."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"failed to decode audio: {reason}", param="file", code="invalid_audio")


class UnknownModel(InvalidRequest):
    """No model of that name is known or allowed here."""

    def __init__(self, name: str, known: tuple[str, ...] = ()) -> None:
        hint = f"; known models: {', '.join(known)}" if known else ""
        super().__init__(
            f"The model {name!r} does not exist{hint}", param="model", code="model_not_found"
        )


class TooLarge(InvalidRequest):
    """More bytes, parts or seconds than the operator allows."""

    @classmethod
    def file(cls, bytes_max: int, *, param: str) -> Self:
        """The error for a file past the limit, in the words that clients of /asr look for."""
        limit = f"Maximum content size limit is {bytes_max:,} bytes"
        return cls(f"File too large. {limit}", param=param, code="file_too_large")


class Busy(AsrError):
    """Every place is taken; nothing was started."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ShuttingDown(Busy):
    """The server ends: nothing new is begun, and what could not be finished in time is not."""

    def __init__(self) -> None:
        message = "The server is shutting down; try again later"
        super().__init__(message, retry_after_s=10.0)  # about what a restart takes


class EngineRestarted(AsrError):
    """The engine crashed while this request was in it; it is safe to send the request again."""

    def __init__(self) -> None:
        super().__init__("The engine was restarted while it worked on this request; send it again")


class Poisoned(AsrError):
    """The engine crashed twice while it worked on this audio, the second time on nothing else."""

    def __init__(self) -> None:
        super().__init__("This audio crashed the engine twice; it was not tried again")


class NotEnoughMemory(AsrError):
    """The arrays do not fit into the machine's memory, not even with the batch to themselves."""

    def __init__(self) -> None:
        super().__init__(
            "The machine's memory has no room for this request; a smaller model may fit"
        )


class ModelUnavailable(AsrError):
    """A known model whose weights cannot be had: offline, hub down, or a damaged file."""


class SpeakersUnavailable(AsrError):
    """The networks that tell speakers apart cannot be had: the message says why."""


class AlignmentUnavailable(AsrError):
    """The network that finds the words of a language cannot be had: the message says why."""


class StorageFull(AsrError):
    """The disk that holds uploads has no room left."""

    def __init__(self) -> None:
        super().__init__("The server has no disk space left for this upload; try again later")


class DeadlineExceeded(AsrError):
    """The request was not done within the time that the operator allows."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The request was not done within {seconds:.0f} s")
