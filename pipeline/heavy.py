"""Libraries that take seconds to import, and are imported by whichever thread needs them first."""

from __future__ import annotations

import logging
import sys
import warnings
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pathlib import Path

# Their modules import each other in circles: two threads that enter one from different ends would
# wait for each other, which Python ends by an error in one of them.
IMPORTING = Lock()

# Where pyannote.audio keeps the networks that are known here.
ARCHITECTURES = {"PyanNet": "segmentation", "WeSpeakerResNet34": "embedding"}


def import_torch() -> None:
    """Have torch imported once this returns, with one thread for the whole process.

    Beside other busy threads on 2 cores a step of the voice activity network took 17 ms with one,
    and 30 to 180 ms with two, because they wait for each other.
    """
    with IMPORTING:
        import torch

        torch.set_num_threads(1)


def import_pyannote() -> None:
    """Have torch and pyannote.audio imported once this returns.

    pyannote.audio reports each use to its makers, unless it is told not to: it is told here, before
    it has anything to report.
    """
    with IMPORTING:
        if "pyannote.audio" not in sys.modules:
            _hush()
            from pyannote.audio.telemetry import metrics

            metrics.set_telemetry_metrics(False)
            metrics.provider.shutdown()  # ends the thread that would send them
    import_torch()


def read_network(file: Path, architecture: Literal["PyanNet", "WeSpeakerResNet34"]) -> Any:
    """pyannote's network of this architecture out of its checkpoint; ``import_pyannote`` first.

    pyannote's own ``Model.from_pretrained`` unpickles whatever the file holds, and imports the
    class that it names: such a file is a program. This reads numbers and plain values only.
    Raises ValueError for a file that holds more, and whatever the libraries do for a damaged one.
    """
    import importlib
    import pickle

    with IMPORTING:
        models = importlib.import_module(f"pyannote.audio.models.{ARCHITECTURES[architecture]}")
        _allow_plain_values()
    network: Any = getattr(models, architecture)
    try:
        return network.load_from_checkpoint(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(f"{file.name} is damaged, or holds more than numbers: not read") from error


def _allow_plain_values() -> None:
    """Name to torch the classes of plain values that pyannote's checkpoints hold.

    None of them does anything when it is made: enumerations, records, lists of settings.
    """
    import collections
    import typing

    import torch
    from omegaconf.base import ContainerMetadata, Metadata
    from omegaconf.listconfig import ListConfig
    from omegaconf.nodes import AnyNode
    from pyannote.audio.core.model import Introspection
    from pyannote.audio.core.task import Problem, Resolution, Specifications
    from torch.torch_version import TorchVersion

    ours: list[Any] = [Introspection, Problem, Resolution, Specifications]
    theirs: list[Any] = [AnyNode, ContainerMetadata, ListConfig, Metadata]
    plain: list[Any] = [collections.defaultdict, dict, int, list, typing.Any]
    torch.serialization.add_safe_globals([*ours, *theirs, *plain, TorchVersion])


def _hush() -> None:
    """Silence two notes that are true and mean nothing here.

    Filters stay in place: taking them back would race with the other threads' own.
    """
    # Its audio files are never opened by pyannote: samples come from our own decoder.
    warnings.filterwarnings("ignore", r"\s*torchcodec is not installed correctly", UserWarning)
    # "Lightning automatically upgraded your loaded checkpoint": in memory, at each load.
    logging.getLogger("lightning.pytorch.utilities.migration.utils").setLevel(logging.WARNING)
