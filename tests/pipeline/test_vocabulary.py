import pytest
from mlx_whisper.tokenizer import get_tokenizer

from asr.pipeline.types import Decoding
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
