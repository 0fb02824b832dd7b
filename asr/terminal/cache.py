"""Whether CACHE_DIR can be used, asked once at the start: later each request would fail over it."""

import tempfile
from pathlib import Path


def find_problem(cache: Path) -> str | None:
    """Why nothing can be kept in this folder, in a line for the operator; None if it can.

    Makes the folder if need be.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cache) as file:
            file.write(b"something")
            file.flush()
    except OSError as error:
        return f"CACHE_DIR cannot be {str(cache)!r}: {error.strerror}"
    return None
