"""File descriptors: connections, uploads, children and models need some, and fail without.

Systems start a process with few, 256 on macOS. They are raised to what is needed, and where that is
not allowed, fewer connections are: whoever was let in is served.
"""

import logging
import resource
from bisect import bisect_right
from dataclasses import dataclass

log = logging.getLogger(__name__)

# The standard streams, the event loop, sockets that are listened on, weights that are read, models
# that are fetched, files whose language is told, and the connections that hear of the bound. About
# 40 were seen.
ALWAYS = 96

AN_UPLOAD = 2  # its file, and a connection to what its url names
A_TRANSCRIPTION = 4  # ffmpeg's pipes, and the samples


@dataclass(frozen=True, slots=True)
class Need:
    """What a server may do at once."""

    connections: int
    uploads: int
    running: int

    def descriptors(self, connections: int) -> int:
        """How many that takes at most, with so many connections: one for each thing they do."""
        return (
            ALWAYS
            + connections
            + AN_UPLOAD * min(self.uploads, connections)
            + A_TRANSCRIPTION * min(self.running, connections)
        )


def connections_allowed(need: Need) -> int:
    """How many connections there may be; says so in the log if they are fewer than wanted."""
    have = raise_limit(need.descriptors(need.connections))
    allowed = fitting(need, have)
    if allowed < need.connections:
        log.warning(
            "%d connections at most instead of ASR_CONNECTIONS_MAX=%d: this process may have only"
            " %d file descriptors (ulimit -n), and needs %d",
            *(allowed, need.connections, have, need.descriptors(need.connections)),
        )
    return allowed


def running_allowed(running: int) -> int:
    """How many files there may be at work where nobody connects; told if fewer than wanted."""
    each = AN_UPLOAD + A_TRANSCRIPTION
    have = raise_limit(ALWAYS + each * running)
    allowed = min(running, max(1, (have - ALWAYS) // each))
    if allowed < running:
        log.warning(
            "%d files at once instead of %d: this process may have only %d file descriptors"
            " (ulimit -n), and needs %d",
            *(allowed, running, have, ALWAYS + each * running),
        )
    return allowed


def fitting(need: Need, have: int) -> int:
    """The most connections that so many descriptors are enough for, at least one."""
    counts = range(1, need.connections + 1)
    return max(1, bisect_right(counts, have, key=need.descriptors))


def raise_limit(wanted: int) -> int:
    """Have this process allowed so many descriptors, as far as it may; how many it may have now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _enough(soft, wanted):
        return wanted
    within = wanted if _enough(hard, wanted) else hard
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (within, hard))
    except (OSError, ValueError):  # macOS says that it has no bound, and then has one
        return soft
    return within


def _enough(limit: int, wanted: int) -> bool:
    return limit == resource.RLIM_INFINITY or limit >= wanted
