"""Libraries that take seconds to import, and are imported by whichever thread needs them first."""

import logging
import sys
import warnings
from threading import Lock

# Their modules import each other in circles: two threads that enter one from different ends would
# wait for each other, which Python ends by an error in one of them.
IMPORTING = Lock()


def import_pyannote(threads: int) -> None:
    """Have torch and pyannote.audio imported once this returns; torch has so many threads then."""
    with IMPORTING:
        if "pyannote.audio" not in sys.modules:
            _hush()
            from pyannote.audio.telemetry import metrics

            metrics.set_telemetry_metrics(False)
            metrics.provider.shutdown()  # ends the thread that would send them
        import torch

        torch.set_num_threads(threads)


def _hush() -> None:
    """Silence two notes that are true and mean nothing here.

    Filters stay in place: taking them back would race with the other threads' own.
    """
    # Its audio files are never opened by pyannote: samples come from our own decoder.
    warnings.filterwarnings("ignore", r"\s*torchcodec is not installed correctly", UserWarning)
    # "Lightning automatically upgraded your loaded checkpoint": in memory, at each load.
    logging.getLogger("lightning.pytorch.utilities.migration.utils").setLevel(logging.WARNING)
