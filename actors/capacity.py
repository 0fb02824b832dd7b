"""How many rows may be in the batch, and how many join at once. Pure: numbers only."""

# Prompts of rows that join have to be run, and every row in the batch waits for that: the more of
# them there are, the more others come along. Between two such stops a batch takes a step for each
# eight of its rows: of 64 rows with some 100 tokens, five end meanwhile.
ROWS_A_STEP = 8

# How often a bound that memory has set has to be filled and emptied before it grows by a row.
RECOVER_AFTER = 10

# Languages that are detected together. More fill a GPU no better, and the batch waits meanwhile.
DETECT_MAX = 16


class Capacity:
    """The bound of the batch: what the engine may ever hold, or less while memory is short."""

    def __init__(self, rows_max: int) -> None:
        self._rows_max = rows_max
        self._bound = rows_max
        self._full = False  # memory had no room for more rows, and none has left since
        self._tight = False  # memory has run out: languages take places as rows do
        self._steps = 0  # of the batch since rows last joined
        self._done = 0  # rows that ended within the bound, since it last changed

    def free(self, *, running: int) -> int:
        """Places beside the rows that run now."""
        return 0 if self._full else max(0, self._bound - running)

    def step(self) -> None:
        """The batch takes a step."""
        self._steps += 1

    def joining(self, waiting: int, *, running: int) -> int:
        """How many of those that wait join those that run now."""
        due = self._steps >= running // ROWS_A_STEP
        count = min(waiting, self.free(running=running)) if due else 0
        if count:
            self._steps = 0
        return count

    def detecting(self, *, running: int) -> int:
        """How many languages may be detected together beside the rows that run."""
        if (
            self._steps + 1 < running // ROWS_A_STEP
        ):  # rows that join are asked after this turn's step
            return 0
        return min(DETECT_MAX, self._bound - running if self._tight else self._bound)

    def fill(self) -> None:
        """Memory has no room for more rows than run now."""
        self._full = True

    def left(self) -> None:
        """Rows have left the batch, and with them what they took of the memory.

        When many have, one more than the bound may be tried: what was short of memory may be gone.
        """
        self._full = False
        self._done += 1
        if self._done >= RECOVER_AFTER * self._bound:
            self._bound, self._done = min(self._rows_max, self._bound + 1), 0

    def halve(self, at_work: int) -> None:
        """So many at once were too much for the memory."""
        self._bound = max(1, at_work // 2)
        self._tight, self._done = True, 0

    def restore(self) -> None:
        """Nobody is there any more: who comes now may be smaller."""
        self._bound, self._tight = self._rows_max, False
