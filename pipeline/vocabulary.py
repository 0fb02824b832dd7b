"""The tokens of one model: from a prompt to token ids, and from token ids to a hypothesis."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from asr.pipeline.engine import SoFar
from asr.pipeline.errors import InvalidRequest
from asr.pipeline.types import Decoding, Hypothesis, Piece
from asr.pipeline.words import Spelled, spell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlx_whisper.tokenizer import Tokenizer
    from mlx_whisper.whisper import Whisper

    from asr.pipeline.engine import Row

STAMP_S = 0.02  # one timestamp token is 20 ms

# Of a prompt only its end is made into tokens, for each row anew: much more than there is room for.
PROMPT_CHARACTERS_MAX = 8_000


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The ids that the rules need, and the tokenizer of mlx_whisper behind them."""

    tokenizer: Tokenizer
    multilingual: bool
    languages: int
    context: int  # the decoder's positions: prompt and text together

    @classmethod
    def of(cls, model: Whisper) -> Vocabulary:
        from mlx_whisper.tokenizer import get_tokenizer

        tokenizer = get_tokenizer(model.is_multilingual, num_languages=model.num_languages)
        return cls(tokenizer, model.is_multilingual, model.num_languages, model.dims.n_text_ctx)

    @property
    def eot(self) -> int:
        return self.tokenizer.eot

    @property
    def stamp_first(self) -> int:
        return self.tokenizer.timestamp_begin

    @property
    def text_max(self) -> int:
        """The most tokens a window may have: half of the context, as in the reference."""
        return self.context // 2

    @property
    def prompt_max(self) -> int:
        """The most tokens that a prompt may have, as in the reference: half of the context less
        one, which says that it was said before.
        """
        return self.context // 2 - 1

    @property
    def suppressed(self) -> tuple[int, ...]:
        """Never said: symbols that are not spoken, and the special tokens of the prompt."""
        tokenizer = self.tokenizer
        special = (
            tokenizer.transcribe,
            tokenizer.translate,
            tokenizer.sot,
            tokenizer.sot_prev,
            tokenizer.sot_lm,
            tokenizer.no_speech,
            tokenizer.no_timestamps,
        )
        return tuple(sorted({*tokenizer.non_speech_tokens, *special}))

    @property
    def blank(self) -> tuple[int, ...]:
        """No transcript without timestamps begins with one of these: a space, and the end."""
        return (*self.tokenizer.encode(" "), self.eot)

    def prompt(self, decoding: Decoding) -> tuple[int, ...]:
        """The tokens before the first one said.

        Raises InvalidRequest for what this model cannot do: an English-only model knows neither
        other languages nor translation.
        """
        return (*self._previous_text(decoding.prompt), *self._start(decoding))

    def sot_from_end(self, prompt: Sequence[int]) -> int:
        """How far from a prompt's end the transcript starts."""
        return len(prompt) - prompt.index(self.tokenizer.sot)

    def _start(self, decoding: Decoding) -> tuple[int, ...]:
        tokenizer = self.tokenizer
        if not self.multilingual:
            if decoding.language != "en" or decoding.task != "transcribe":
                param = "task" if decoding.language == "en" else "language"
                raise InvalidRequest(
                    f"{param}: this model only transcribes English; choose one without .en in its"
                    " name",
                    param=param,
                )
            start: tuple[int, ...] = (tokenizer.sot,)
        else:
            task = tokenizer.translate if decoding.task == "translate" else tokenizer.transcribe
            start = (tokenizer.sot, self.language_token(decoding.language), task)
        return start if decoding.timestamps else (*start, tokenizer.no_timestamps)

    def language_token(self, language: str) -> int:
        """The token of a Whisper language code; InvalidRequest if this model has none."""
        token: int | None = self.tokenizer.special_tokens.get(f"<|{language}|>")
        if token is None:
            raise InvalidRequest(
                f"language: this model does not know {language!r}", param="language"
            )
        return token

    def _previous_text(self, prompt: str | None) -> tuple[int, ...]:
        """The end of the prompt, as if it had been said before."""
        if prompt is None or not prompt.strip():
            return ()
        return (self.tokenizer.sot_prev, *self._tokens_of(prompt)[-self.prompt_max :])

    def _cuts(self, prompt: str | None) -> bool:
        """Whether a prompt is longer than what there is room for."""
        # A token is a byte at least; a terminal's arguments may hold what is no UTF-8.
        if prompt is None or len(prompt.encode(errors="replace")) < self.prompt_max:
            return False
        return len(prompt) > PROMPT_CHARACTERS_MAX or len(self._tokens_of(prompt)) > self.prompt_max

    def _tokens_of(self, prompt: str) -> list[int]:
        text = prompt.strip()
        if len(text) > PROMPT_CHARACTERS_MAX:
            end = text[-PROMPT_CHARACTERS_MAX:]
            text = end.partition(" ")[2] or end  # from a word on, or its tokens would be others
        # What looks like a special token is text like any other: clients write what they like.
        tokens: list[int] = self.tokenizer.encode(" " + text, disallowed_special=())
        return tokens

    def hypothesis(
        self,
        row: Row,
        tokens: Sequence[int],
        *,
        logprobs: Sequence[float],
        no_speech_prob: float,
    ) -> Hypothesis:
        """What a row said, given its tokens up to (without) the end-of-text token.

        ``logprobs`` are those of the tokens, and of the end if the row came to it.
        """
        text = self._text(tokens).strip()
        pieces, heard_s = self._pieces(tokens, row.window.duration_s)
        start_s = row.window.start_s
        return Hypothesis(
            window=row.window,
            pieces=tuple(
                Piece(
                    start_s + begin,
                    start_s + end,
                    self._text(tokens[a:b]),
                    tuple(tokens[a:b]),
                    logprobs=tuple(logprobs[a:b]),
                    spelled=self._bytes(tokens[a:b]) if row.decoding.spelled else (),
                )
                for begin, end, a, b in pieces
            ),
            heard_until_s=start_s + heard_s,
            temperature=row.temperature,
            avg_logprob=sum(logprobs) / (len(tokens) + 1),
            no_speech_prob=0.0 if math.isnan(no_speech_prob) else no_speech_prob,
            compression_ratio=compression_ratio(text),
            prompt_cut=self._cuts(row.decoding.prompt),
        )

    def so_far(
        self,
        row: Row,
        tokens: Sequence[int],
        *,
        logprobs: Sequence[float],
        no_speech_prob: float,
    ) -> SoFar:
        """What a row has said that is not at its end: pieces are closed where timestamps meet."""
        stamped = [token >= self.stamp_first for token in tokens]
        cuts = (i for i in range(len(tokens) - 1, 0, -1) if stamped[i - 1] and stamped[i])
        cut = next(cuts, 0)
        closed = self.hypothesis(
            row, tokens[:cut], logprobs=logprobs[:cut], no_speech_prob=no_speech_prob
        )
        return SoFar(self.text(tokens), closed)

    def text(self, tokens: Sequence[int]) -> str:
        """The text of tokens, which may end in the middle of a character: that is left out."""
        return self._text(tokens).rstrip("\N{REPLACEMENT CHARACTER}")

    def _text(self, tokens: Sequence[int]) -> str:
        return self.tokenizer.decode([token for token in tokens if token < self.eot])

    def _bytes(self, tokens: Sequence[int]) -> tuple[bytes, ...]:
        """Each token's share of the text; timestamps have none."""
        bytes_of = self.tokenizer.encoding.decode_single_token_bytes
        return tuple(bytes_of(token) if token < self.eot else b"" for token in tokens)

    def spell(self, tokens: Sequence[int], decoding: Decoding) -> tuple[Spelled, ...]:
        """The words of text tokens; they join to their text. A translation is in English."""
        encoding = self.tokenizer.encoding
        language = "en" if decoding.task == "translate" else decoding.language
        return spell([encoding.decode_single_token_bytes(token) for token in tokens], language)

    def _pieces(
        self, tokens: Sequence[int], duration_s: float
    ) -> tuple[list[tuple[float, float, int, int]], float]:
        """(start, end, first token, token after the last) of each piece, and until when the window
        was heard.

        As OpenAI's ``transcribe()``: pieces end where two timestamps meet; text after the last
        such place belongs to the next look at the audio; a single timestamp at the end says that
        nothing is spoken after it.
        """
        stamped = [token >= self.stamp_first for token in tokens]
        cuts = [i for i in range(1, len(tokens)) if stamped[i - 1] and stamped[i]]
        closed = stamped[-2:] == [False, True]
        if not cuts:
            stamps = [self._seconds(token) for token in tokens if token >= self.stamp_first]
            start_s = stamps[0] if stamps else 0.0
            end_s = stamps[-1] if stamps and stamps[-1] > start_s else duration_s
            return [(start_s, end_s, 0, len(tokens))] if tokens else [], duration_s
        if closed:
            cuts.append(len(tokens))
        pieces = [
            (self._seconds(tokens[a]), self._seconds(tokens[b - 1]), a, b)
            for a, b in pairwise([0, *cuts])
        ]
        heard_s = duration_s if closed else self._seconds(tokens[cuts[-1] - 1])
        return pieces, min(heard_s, duration_s)

    def _seconds(self, stamp: int) -> float:
        return (stamp - self.stamp_first) * STAMP_S


def compression_ratio(text: str) -> float:
    """How well zlib packs a text: repetition packs well. Empty text is 0."""
    data = text.encode()
    return len(data) / len(zlib.compress(data))
