"""What has been computed is kept here, so that it is not computed again.

An entry is the result of one stage under a key that says all that it depends on
(``pipeline/identity.py``): it is never wrong, only there or not. Entries belong to the jobs that
have read or written them; while one of those is not over, an entry stays, so that a job that begins
again goes on where it was. All others may go at any time, those first that were not used for the
longest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Keep(Protocol):
    """Where entries are kept. Nothing here raises: what cannot be read is not there, what cannot
    be kept is computed again.
    """

    def wants(self, job: str) -> bool:
        """Whether anything is kept for this job, or, if that is empty, for who has none."""
        ...

    async def get(self, keys: Sequence[str], *, job: str = "") -> Mapping[str, bytes]:
        """The entries that there are; they belong to the job from now on, if it is given."""
        ...

    def put(self, key: str, value: bytes, *, job: str = "") -> None:
        """Keep an entry, which belongs to the job, if it is given; soon, in the background."""
        ...

    async def flush(self) -> None:
        """Return when what was put is kept; after a loss of power, too."""
        ...

    def begin(self, job: str) -> None:
        """A job is worked on: it may have the id of one that was over."""
        ...

    async def release(self, job: str, *, for_good: bool = False) -> None:
        """A job is over: its entries may go when there is no room.

        ``for_good``: nobody will ever drop it, so what was its need not be known any more.
        """
        ...

    async def drop_job(self, job: str) -> None:
        """Delete the entries of a job, but for those that belong to another one as well."""
        ...


class NoKeep:
    """Keeps nothing."""

    def wants(self, job: str) -> bool:
        """Nothing."""
        return False

    async def get(self, keys: Sequence[str], *, job: str = "") -> Mapping[str, bytes]:
        """Nothing is there."""
        return {}

    def put(self, key: str, value: bytes, *, job: str = "") -> None:
        """It is not kept."""

    async def flush(self) -> None:
        """There is nothing to wait for."""

    def begin(self, job: str) -> None:
        """It will have nothing."""

    async def release(self, job: str, *, for_good: bool = False) -> None:
        """It had nothing."""

    async def drop_job(self, job: str) -> None:
        """It had nothing."""


NO_KEEP = NoKeep()
