"""How many rows may be in the batch, and how many join at once. Pure: numbers only."""

# Rows join a batch that is nearly full in groups of this share of it: each time that rows join,
# their prompts have to be run, and every other row waits for that. An eighth keeps a batch at more
# than nine tenths full on average, for one such stop where there would be rows_max / 8.
REFILL_SHARE = 8

# Languages that are detected together. More fill a GPU no better, and the batch waits meanwhile.
DETECT_MAX = 16


class Capacity:
    """The bound of the batch: what the engine may ever hold, or less while memory is short."""

    def __init__(self, rows_max: int) -> None:
        self._rows_max = rows_max
        self._bound = rows_max
        self._full = False  # memory had no room for more rows, and none has left since
        self._tight = False  # memory has run out: languages take places as rows do

    def free(self, *, running: int) -> int:
        """Places beside the rows that run now."""
        return 0 if self._full else max(0, self._bound - running)

    def joining(self, waiting: int, *, running: int) -> int:
        """How many of those that wait are to join those that run now."""
        free = self.free(running=running)
        group = max(1, self._bound // REFILL_SHARE)
        worthwhile = not running or waiting <= free or free >= group
        return min(waiting, free) if worthwhile else 0

    def detecting(self, *, running: int) -> int:
        """How many languages may be detected together beside the rows that run."""
        return min(DETECT_MAX, self._bound - running if self._tight else self._bound)

    def fill(self) -> None:
        """Memory has no room for more rows than run now."""
        self._full = True

    def left(self) -> None:
        """Rows have left the batch, and with them what they took of the memory."""
        self._full = False

    def halve(self, at_work: int) -> None:
        """So many at once were too much for the memory."""
        self._bound = max(1, at_work // 2)
        self._tight = True

    def restore(self) -> None:
        """Nobody is there any more: who comes now may be smaller."""
        self._bound, self._tight = self._rows_max, False
