"""Which files there are to transcribe: those that were named, and in folders what holds sound."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from asr.pipeline.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# What people and programs call files of the containers that are read: see pipeline/audio.py. A
# folder's files are told by this alone, as every other one would cost a process to look at, and
# there are containers that ffmpeg sees in any noise. A file that is named is always tried.
NAMED = (
    ".3g2 .3gp .aac .ac3 .adts .aif .aifc .aiff .amr .ape .asf .au .avi .awb .caf .dts .eac3 .ec3 "
    ".f4v .flac .flv .gsm .ivf .m2a .m2ts .m4a .m4b .m4r .m4v .mj2 .mk3d .mka .mkv .mov .mp2 .mp3 "
    ".mp4 .mpa .mpeg .mpg .mpga .mts .nut .oga .ogg .ogv .opus .qt .ra .rm .rmvb .spx .tak .ts "
    ".tta .vob .voc .w64 .wav .wave .weba .webm .wma .wmv .wv .xwm"
)
SUFFIXES = frozenset(NAMED.split())

FILES_MAX = 100_000  # found in folders: past that, somebody has named the wrong one
NAMES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Source:
    """A file to transcribe, and its place: where its text belongs below a folder for texts."""

    path: Path
    place: Path


@dataclass(frozen=True, slots=True)
class Found:
    """What there is to transcribe, in order, and lines about what was left out."""

    sources: tuple[Source, ...]
    remarks: tuple[str, ...] = ()


def find(named: Iterable[Path]) -> Found:
    """Files as they were named; of folders, all that is in them, in the order of their names.

    Hidden files are left out, links to other folders are not followed. Raises InvalidRequest.
    """
    sources: list[Source] = []
    remarks: list[str] = []
    for path in named:
        if not path.is_dir():
            sources.append(Source(path, Path(path.name)))
            continue
        others: list[Path] = []
        before = len(sources)
        for file in _files(path, remarks):
            if file.suffix.lower() in SUFFIXES:
                sources.append(Source(file, file.relative_to(path)))
            else:
                others.append(file)
            if len(sources) + len(others) > FILES_MAX:
                raise InvalidRequest(f"{path} holds more than {FILES_MAX} files")
        if len(sources) == before:
            remarks.append(f"{path}: no audio or video is in it")
        if others:
            remarks.append(_left_out(path, others))
    return Found(tuple(sources), tuple(remarks))


def _files(folder: Path, remarks: list[str]) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        remarks.append(f"{error.filename}: {error.strerror}")

    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(names) if not name.startswith("."))


def _left_out(folder: Path, others: list[Path]) -> str:
    shown = ", ".join(str(file.relative_to(folder)) for file in others[:NAMES_SHOWN])
    more = len(others) - NAMES_SHOWN
    listed = f"{shown} and {more} more" if more > 0 else shown
    return f"{folder}: left out, as their names are not those of audio or video: {listed}"
