"""A worker: owns one tool, which is a network or several, and the thread that it runs on.

It works on what it was asked in turns, a step of each, so that a long task never starves a short
one, and one whose asker has left costs no more than the step it is at.
"""

from typing import Protocol, TypeVar

Q_contra = TypeVar("Q_contra", contravariant=True)
A_co = TypeVar("A_co", covariant=True)


class Task(Protocol[A_co]):
    """A question on its way through a tool: ``while not task.done: task.advance()``."""

    @property
    def done(self) -> bool: ...

    def advance(self) -> A_co:
        """Work one step more: what is news with it. Raises AsrError, which ends the task."""
        ...


class Tool(Protocol[Q_contra, A_co]):
    """A network: cheap to make, heavy to load, freed by letting go of it."""

    def load(self) -> None:
        """Have it in memory: seconds, in the thread that will use it. Raises AsrError."""
        ...

    def begin(self, question: Q_contra, /) -> Task[A_co]:
        """Take a question in; what is heavy is done by the task's steps. Raises AsrError."""
        ...
