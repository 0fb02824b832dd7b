"""What every queue promises, as tests: who implements one inherits them, for each way to open it.

They want two fixtures: ``open_queue`` opens the queue (``OpenQueue`` of ``doing.py``), the same one
each time in a test; ``keeps`` says whether anything is left of it when it was closed.
"""

from tests.actors.jobs.promises_crashing import Crashing
from tests.actors.jobs.promises_keeping import Keeping
from tests.actors.jobs.promises_lasting import Lasting, Noticing
from tests.actors.jobs.promises_leaving import Leaving
from tests.actors.jobs.promises_telling import Telling
from tests.actors.jobs.promises_working import Working


class Promises(Keeping, Telling, Working, Crashing, Lasting, Noticing, Leaving):
    """All of them."""
