from pathlib import Path

import pytest
from mlx_whisper.tokenizer import get_tokenizer

from asr.pipeline.audio import Audio
from asr.pipeline.engine import Row
from asr.pipeline.types import Decoding, Window
from asr.pipeline.vocabulary import Vocabulary

MULTILINGUAL = Vocabulary(get_tokenizer(True, num_languages=99), True, 99, 448)


@pytest.mark.parametrize("prompt", ["<|endoftext|>", "<|startoftranscript|> so", "a <|0.00|> b"])
def test_what_looks_like_a_special_token_in_a_prompt_is_text(prompt: str) -> None:
    tokens = MULTILINGUAL.prompt(Decoding("en", prompt=prompt))
    tokenizer = MULTILINGUAL.tokenizer
    assert tokens[0] == tokenizer.sot_prev
    assert tokenizer.decode([*tokens[1:-3]]) == f" {prompt}"
    assert all(token < MULTILINGUAL.eot for token in tokens[1:-3])
    assert MULTILINGUAL.sot_from_end(tokens) == 3


def test_without_timestamps_the_prompt_says_so() -> None:
    timed, untimed = (MULTILINGUAL.prompt(Decoding("de", timestamps=t)) for t in (True, False))
    assert untimed == (*timed, MULTILINGUAL.tokenizer.no_timestamps)
    assert (MULTILINGUAL.sot_from_end(timed), MULTILINGUAL.sot_from_end(untimed)) == (3, 4)


def test_text_that_ends_in_the_middle_of_a_character_ends_before_it() -> None:
    tokens = MULTILINGUAL.tokenizer.encode(" Grüß 🙂")
    assert MULTILINGUAL.text(tokens) == " Grüß 🙂"
    assert [MULTILINGUAL.text(tokens[:-n]) for n in (1, 2)] == [" Grüß ", " Grüß "]


@pytest.mark.parametrize(
    ("said", "text", "closed"),
    [
        ("", "", []),
        ("<|0.00|> One", " One", []),
        ("<|0.00|> One two.<|1.50|>", " One two.", []),  # it may be the start of the next
        ("<|0.00|> One two.<|1.50|><|2.00|> Three", " One two. Three", [(60.0, 61.5, " One two.")]),
        (
            "<|0.00|> One<|1.00|><|1.00|> two.<|1.50|><|2.00|>",
            " One two.",
            [(60.0, 61.0, " One"), (61.0, 61.5, " two.")],
        ),
    ],
)
def test_what_a_row_has_said_so_far_is_closed_where_timestamps_meet(
    said: str, text: str, closed: list[tuple[float, float, str]]
) -> None:
    row = Row(Window(Audio(Path("a"), 16_000 * 90), 60.0, 90.0), Decoding("en"), 0.0)
    tokens = MULTILINGUAL.tokenizer.encode(said, allowed_special="all")
    open_from = len(tokens) if not closed else tokens.index(MULTILINGUAL.stamp_first + 100)
    logprobs = [-0.5] * open_from + [-9.0] * (len(tokens) - open_from)
    so_far = MULTILINGUAL.so_far(row, tokens, logprobs=logprobs, no_speech_prob=0.1)
    pieces = so_far.closed.pieces
    assert so_far.text == text
    assert [(piece.start_s, piece.end_s, piece.text) for piece in pieces] == closed
    assert so_far.closed.avg_logprob >= -0.5  # what goes on behind them does not count


@pytest.mark.parametrize(
    ("prompt", "cut"),
    [
        (None, False),
        ("", False),
        ("word " * 223, False),
        ("word " * 224, True),
        ("word " * 20_000, True),
        ("好" * 100, False),
        ("\udcff" * 9, False),
        ("x" * 60_000, True),
    ],
)
def test_of_a_long_prompt_only_the_end_is_seen_and_that_is_told(
    prompt: str | None, cut: bool
) -> None:
    decoding = Decoding("en", prompt=prompt)
    tokens = MULTILINGUAL.prompt(decoding)[:-3]  # language and task follow
    whole = MULTILINGUAL.tokenizer.encode(" " + (prompt or "").strip(), disallowed_special=())
    assert [*tokens[1:]] == (whole[-223:] if prompt else [])
    row = Row(Window(Audio(Path("silence"), 16_000), 0.0, 1.0), decoding, 0.0)
    said = MULTILINGUAL.hypothesis(row, [], logprobs=[-0.1], no_speech_prob=0.1)
    assert said.prompt_cut == cut
