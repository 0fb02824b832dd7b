"""Whisper in Hugging Face transformers: windows a second at each batch size, as in bench.engine.

    python -m bench.transformers_whisper [--models large-v3,turbo,base] [--rows 1,8,32,64,128]
        [--tokens 100]

It is what a user with a GPU would pick: torch with scaled_dot_product_attention, float16 on CUDA
(float32 on a CPU), ``generate`` as it comes, greedy, without timestamps. Weights and features are
random and of the real models' shapes, so that nothing has to be downloaded, and every row says
exactly as many tokens, in a language that is given. The figure is seconds of audio (30 a window)
for a second of encoding and decoding, the best of three. Only torch and transformers are needed.
"""

import argparse
import time
from importlib import import_module
from typing import Any

import torch

from bench.machine import describe
from bench.markdown import print_head, print_row
from bench.shapes import SHAPES, Shape

WINDOW_S = 30.0
WINDOW_FRAMES = 3000
TIMES = 3
MULTILINGUAL = 51865  # tokens; large-v3 and turbo have one more, a language
END, START, ENGLISH = 50257, 50258, 50259

# Not imported by name: what it says of its types is not what it takes.
transformers: Any = import_module("transformers")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", default="base")
    parser.add_argument("--rows", default="1,8,32,64,128")
    parser.add_argument("--tokens", type=int, default=100)
    given = parser.parse_args()
    transformers.logging.set_verbosity_error()  # else each call warns that its lengths are ours
    device, dtype = pick_device()
    machine = describe("torch", "transformers")
    print(f"{machine}; {device} in {dtype}, sdpa; {given.tokens} tokens a window\n")
    print_head("model", "windows", "x realtime", "seconds", "peak GiB")
    for name in given.models.split(","):
        model = random_model(SHAPES[name], given.tokens).to(device, dtype)
        for rows in map(int, given.rows.split(",")):
            print_row(name, str(rows), *speed(model, rows))


def pick_device() -> tuple[torch.device, torch.dtype]:
    """The GPU in half precision, if there is one."""
    if torch.cuda.is_available():
        return torch.device("cuda"), torch.float16
    return torch.device("cpu"), torch.float32


def random_model(shape: Shape, tokens: int) -> Any:
    """A model of the right shape, which says so many tokens, whatever it hears."""
    config = transformers.WhisperConfig(
        vocab_size=shape.vocabulary,
        num_mel_bins=shape.mels,
        d_model=shape.state,
        encoder_layers=shape.encoder_layers,
        encoder_attention_heads=shape.heads,
        encoder_ffn_dim=4 * shape.state,
        decoder_layers=shape.decoder_layers,
        decoder_attention_heads=shape.heads,
        decoder_ffn_dim=4 * shape.state,
        decoder_start_token_id=START,
        bos_token_id=END,
        eos_token_id=END,
        pad_token_id=END,
        attn_implementation="sdpa",
    )
    torch.manual_seed(0)
    model = transformers.WhisperForConditionalGeneration(config).eval()
    model.generation_config = generation(shape, tokens)
    return model


def generation(shape: Shape, tokens: int) -> Any:
    """How the published models generate, but for the number of tokens."""
    added = shape.vocabulary - MULTILINGUAL
    return transformers.GenerationConfig(
        min_new_tokens=tokens,
        max_new_tokens=tokens,
        decoder_start_token_id=START,
        bos_token_id=END,
        eos_token_id=END,
        pad_token_id=END,
        is_multilingual=True,
        lang_to_id={"<|en|>": ENGLISH},
        task_to_id={"translate": 50358 + added, "transcribe": 50359 + added},
        no_timestamps_token_id=50363 + added,
        return_timestamps=False,
    )


def speed(model: Any, rows: int) -> tuple[str, str, str]:
    """Times realtime, seconds, and the GPU's peak memory, as cells of the table."""
    try:
        seconds = min(timed(model, rows) for _ in range(TIMES))
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()
        return "", "out of memory", ""
    peak = f"{torch.cuda.max_memory_allocated() / 2**30:.1f}" if model.device.type == "cuda" else ""
    return f"{rows * WINDOW_S / seconds:.0f}", f"{seconds:.2f}", peak


def timed(model: Any, rows: int) -> float:
    """Seconds to encode ``rows`` windows and to say all their tokens."""
    size = (rows, model.config.num_mel_bins, WINDOW_FRAMES)
    mel = torch.randn(size, device=model.device, dtype=model.dtype)
    settle(model.device)
    if model.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    began = time.perf_counter()
    said = model.generate(mel, language="en", task="transcribe")
    settle(model.device)
    taken = time.perf_counter() - began
    tokens = model.generation_config.max_new_tokens
    assert said.shape[1] >= tokens, f"it said {said.shape[1]} tokens instead of {tokens}"
    return taken


def settle(device: torch.device) -> None:
    """Wait until the GPU has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
