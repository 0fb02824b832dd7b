"""senko as it is, in an environment of its own: nothing of this project is imported here.

    python senko_apart.py FILE.pcm ...

prints a line of JSON for each file (16 kHz mono s16le): its turns, and the CPU seconds it took.
"""

import json
import sys
import time
from importlib import import_module

import numpy as np


def main() -> None:
    import torch

    diarizer = import_module("senko").Diarizer(device="cpu", warmup=True, quiet=True)
    torch.set_num_threads(1)
    for file in sys.argv[1:]:
        samples = np.fromfile(file, "<i2").astype(np.float32) / np.float32(32768)
        start = time.process_time()
        found = diarizer.diarize_samples(samples)
        cpu_s = time.process_time() - start
        turns = [
            (turn["start"], turn["end"], turn["speaker"])
            for turn in (found["merged_segments"] if found else [])
        ]
        print(json.dumps({"file": file, "cpu_s": cpu_s, "turns": turns}), flush=True)


if __name__ == "__main__":
    main()
