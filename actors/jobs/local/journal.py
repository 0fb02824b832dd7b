"""The journal: one SQLite file that this process alone has open, and transactions in it.

A transaction that has returned is on the disk, also after a loss of power.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import sqlite3
import sys
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

import trio

from asr.actors.thread import lent_thread
from asr.pipeline.durable import make_durable
from asr.pipeline.errors import AsrError, StorageFull

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from asr.actors.thread import InThread

log = logging.getLogger(__name__)

T = TypeVar("T")

FILE = "jobs.sqlite3"
DAMAGED = "jobs.damaged.sqlite3"  # the latest; an older one is overwritten
BESIDE = ("", "-wal", "-shm")  # what SQLite keeps of one database

VERSION = 1  # of what is in the file; one of a higher number is not opened

# The log of changes is written back into the file when it has so many pages (4 KiB), and cut to so
# many bytes then: a burst does not keep its room for ever.
WAL_PAGES = 1000
WAL_BYTES_MAX = 16 << 20

# Whoever looks into the file with a tool of SQLite's may hold us up for so long.
LOCKED_MS = 5000

DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

# What is the world's fault and not ours: the disk, or another program at the file.
TROUBLE = DAMAGE | {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOLFS,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
}


class JournalInUse(AsrError):
    """Another process works with this folder."""

    def __init__(self) -> None:
        super().__init__("Another server works with this folder of jobs: give each its own")


class JournalFailed(AsrError):
    """The file cannot be read or written now, or at all: the log says why."""

    def __init__(self) -> None:
        super().__init__("What is kept of jobs cannot be read or written at the moment")


class JournalTooNew(AsrError):
    """The file is of a later version of this server: it is left as it is."""

    def __init__(self) -> None:
        super().__init__("The folder of jobs was written by a later version of this server")


# A disk that refuses: the same may work later.
UNWRITTEN = (StorageFull, JournalFailed)


class Journal:
    """Transactions, one after the other. Made by ``open_journal`` and ``memory_journal``."""

    def __init__(self, connection: sqlite3.Connection, in_thread: InThread) -> None:
        self._connection = connection
        self._in_thread = in_thread
        self._schemas: list[str] = []

    def add_schema(self, script: str) -> None:
        """Statements that are run before the next transaction: tables, where there are none yet."""
        self._schemas.append(script)

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What ``work`` returns, all of it on the disk; or what it raises, and nothing is changed.

        ``work`` runs in a thread. Cancelled, nothing was done; what has begun is waited for. Raises
        StorageFull, or JournalFailed.
        """
        return await self._in_thread(self._transact, work)

    def _transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._connection
        with translated():
            while self._schemas:
                connection.executescript(self._schemas[0])
                del self._schemas[0]
            connection.execute("BEGIN")
            try:
                value = work(connection)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # not where SQLite has undone it by itself
                    connection.execute("ROLLBACK")
                raise
        return value


@contextmanager
def translated() -> Iterator[None]:
    """Raise what SQLite says of the disk in our words; what it says of our statements as it is."""
    try:
        yield
    except sqlite3.Error as error:
        kind = getattr(error, "sqlite_errorcode", 0) & 0xFF  # less what it says in detail
        if kind == sqlite3.SQLITE_FULL:
            raise StorageFull from error
        if kind in TROUBLE:
            log.warning("the journal of jobs: %s (%s)", error, error.sqlite_errorname)
            raise JournalFailed from error
        raise


@contextmanager
def memory_journal() -> Iterator[Journal]:
    """A journal that is gone with its context. Its transactions take microseconds: no thread."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        yield Journal(connection, _at_once)


async def _at_once(fn: Callable[..., T], /, *args: object) -> T:
    await trio.lowlevel.checkpoint()
    return fn(*args)


@asynccontextmanager
async def open_journal(folder: Path) -> AsyncIterator[Journal]:
    """The journal of a folder (0700), made if need be; a damaged one is set aside first.

    Raises JournalInUse, JournalTooNew, StorageFull, or JournalFailed.
    """
    in_thread = lent_thread()
    lock = await in_thread(_locked, folder)
    try:
        connection = await in_thread(_opened, folder)
        try:
            yield Journal(connection, in_thread)
        finally:
            with trio.CancelScope(shield=True):
                await in_thread(connection.close)
    finally:
        os.close(lock)


def _locked(folder: Path) -> int:
    """A descriptor of the folder that no other process has locked; closed, it unlocks it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise _explained(error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        if isinstance(error, BlockingIOError):
            raise JournalInUse from None
        raise _explained(error) from error  # not every disk in the network has locks
    return lock


def _opened(folder: Path) -> sqlite3.Connection:
    """A connection to the folder's file, whole and ready."""
    try:
        with translated():
            return _whole(folder / FILE)
    except JournalFailed as error:
        cause = error.__cause__
        if not isinstance(cause, sqlite3.Error) or cause.sqlite_errorcode & 0xFF not in DAMAGE:
            raise
    except OSError as error:
        raise _explained(error) from error
    log.error("the journal of jobs is damaged: set aside as %s, jobs in it are lost", DAMAGED)
    for end in BESIDE:
        with suppress(FileNotFoundError):
            (folder / f"{FILE}{end}").replace(folder / f"{DAMAGED}{end}")
    with translated():
        return _whole(folder / FILE)


def _whole(path: Path) -> sqlite3.Connection:
    """A connection to a file that was looked through, or is new."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    make_durable(path.parent)
    make_durable(path.parent.parent)
    # The thread changes from call to call, but two never call at a time.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        _configure(connection)
        ((found,),) = connection.execute("PRAGMA quick_check(1)")
        if found != "ok":
            raise _damaged(found)
    except BaseException:
        connection.close()
        raise
    return connection


def _configure(connection: sqlite3.Connection) -> None:
    """What SQLite has to know; some of it is kept in the file."""
    say = connection.execute
    say(f"PRAGMA busy_timeout = {LOCKED_MS}")
    ((version,),) = say("PRAGMA user_version")
    if version > VERSION:
        raise JournalTooNew
    say("PRAGMA journal_mode = WAL")
    say("PRAGMA synchronous = FULL")
    if sys.platform == "darwin":
        say("PRAGMA fullfsync = ON")  # there, fsync alone leaves the disk its cache
    say(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
    say(f"PRAGMA journal_size_limit = {WAL_BYTES_MAX}")
    say("PRAGMA secure_delete = ON")  # what was deleted cannot be read in the file
    if version != VERSION:
        say(f"PRAGMA user_version = {VERSION}")


def _damaged(found: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(found)
    error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_CORRUPT, "SQLITE_CORRUPT"
    return error


def _explained(error: OSError) -> AsrError:
    log.warning("the folder of jobs: %s", error)
    return StorageFull() if error.errno in {errno.ENOSPC, errno.EDQUOT} else JournalFailed()
