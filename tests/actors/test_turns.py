from collections.abc import Iterable
from dataclasses import dataclass
from itertools import cycle, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.actors.turns import OVERTAKEN_MAX, Priority, ServiceTime, Turns

BATCH, INTERACTIVE = Priority.BATCH, Priority.INTERACTIVE


@dataclass(eq=False)
class Ticket:
    """A request that leaves when the test says so."""

    client: str
    priority: Priority = INTERACTIVE
    number: int = 0
    gone: bool = False

    def __repr__(self) -> str:
        return f"{self.client}{self.number}"


def served(turns: Turns[Ticket], tickets: Iterable[Ticket]) -> str:
    """The order in which tickets that came at once are let in, one at a time."""
    for ticket in tickets:
        turns.add(ticket)
    order = []
    while admitted := turns.admit():
        order += admitted
        for ticket in admitted:
            ticket.gone = True
    return " ".join(map(repr, order))


def line(client: str, count: int, priority: Priority = INTERACTIVE) -> list[Ticket]:
    return [Ticket(client, priority, number) for number in range(1, count + 1)]


@pytest.mark.parametrize(
    ("tickets", "order"),
    [
        (line("a", 3), "a1 a2 a3"),
        ([*line("a", 3), *line("b", 2), *line("c", 1)], "a1 b1 c1 a2 b2 a3"),
        ([*line("z", 2, BATCH), *line("a", 2)], "a1 a2 z1 z2"),
        ([*line("z", 2, BATCH), *line("a", 6)], "a1 a2 a3 a4 z1 a5 a6 z2"),
        ([*line("y", 2, BATCH), *line("z", 1, BATCH)], "y1 z1 y2"),
    ],
    ids=["as they came", "round robin", "interactive first", "batch not starved", "batch in turn"],
)
def test_order(tickets: list[Ticket], order: str) -> None:
    assert served(Turns(1), tickets) == order


def test_a_ticket_that_is_gone_is_not_let_in() -> None:
    first, second, third = line("a", 3)
    second.gone = True
    assert served(Turns(1), [first, second, third]) == "a1 a3"


def test_a_client_that_holds_its_share_may_not_add_until_one_of_its_tickets_is_gone() -> None:
    turns: Turns[Ticket] = Turns(1, client_max=2)
    a1, a2, a3 = line("a", 3)
    assert [turns.add(ticket) for ticket in (a1, a2, a3, Ticket("b"))] == [True, True, False, True]
    turns.admit()
    a1.gone = True
    assert turns.add(a3)


clients = st.sampled_from("abcd")
priorities = st.sampled_from(Priority)
# Somebody comes, somebody who runs or waits leaves, or the actor looks.
deeds = st.one_of(st.builds(Ticket, clients, priorities), st.integers(0, 30), st.just("look"))


@given(st.integers(1, 4), st.lists(deeds, max_size=60))
def test_never_more_run_than_may_and_nobody_waits_beside_a_free_place(
    running_max: int, deeds: list[Ticket | int | str]
) -> None:
    turns: Turns[Ticket] = Turns(running_max)
    everybody: list[Ticket] = []
    let_in: list[Ticket] = []
    for deed in deeds:
        if isinstance(deed, Ticket):
            everybody.append(deed)
            turns.add(deed)
        elif isinstance(deed, int) and everybody:
            everybody[deed % len(everybody)].gone = True
        else:
            here = [ticket for ticket in everybody if not ticket.gone]
            let_in += turns.admit()
            running = [ticket for ticket in let_in if not ticket.gone]
            assert len(running) == min(running_max, len(here))
            assert set(turns.tickets()) == set(here)
    assert len(let_in) == len(set(let_in))


@given(st.lists(st.builds(Ticket, clients, priorities), max_size=30), st.integers(1, 3))
def test_everybody_who_stays_is_let_in_and_each_clients_own_order_is_kept(
    tickets: list[Ticket], running_max: int
) -> None:
    turns: Turns[Ticket] = Turns(running_max)
    for number, ticket in enumerate(tickets):
        ticket.number = number
        turns.add(ticket)
    order: list[Ticket] = []
    while admitted := turns.admit():
        order += admitted
        for ticket in admitted:
            ticket.gone = True
    assert sorted(ticket.number for ticket in order) == list(range(len(tickets)))
    for client in "abcd":
        for priority in Priority:
            own = [t.number for t in order if (t.client, t.priority) == (client, priority)]
            assert own == sorted(own)


@given(st.lists(st.builds(Ticket, clients, priorities), max_size=30), st.integers(1, 3))
def test_the_line_is_the_order_in_which_those_who_wait_are_let_in(
    tickets: list[Ticket], running_max: int
) -> None:
    turns: Turns[Ticket] = Turns(running_max)
    for ticket in tickets:
        turns.add(ticket)
    running = turns.admit()
    told = turns.line()
    assert set(told) == set(turns.waiting()) == set(tickets) - set(running)
    order: list[Ticket] = []
    while running:
        running.pop(0).gone = True
        assert turns.line() == told[len(order) :]
        admitted = turns.admit()
        order += admitted
        running += admitted
    assert order == told


@given(st.integers(1, 5), st.integers(1, 8), priorities, st.lists(priorities, min_size=1))
def test_nobody_starves_among_strangers_who_never_stop_coming(
    own: int, crowd: int, priority: Priority, strangers: list[Priority]
) -> None:
    turns: Turns[Ticket] = Turns(1)
    patient = line("patient", own, priority)
    for ticket in (*patient, *(Ticket(f"crowd{n}", priority) for n in range(crowd))):
        turns.add(ticket)
    # Each round of the ring lets every client that waits in once, the patient one among them; in
    # between, batch may be overtaken so often a turn.
    turns_max = own * (own + crowd) * (1 + OVERTAKEN_MAX)
    coming = (Ticket(f"stranger{n}", p) for n, p in enumerate(cycle(strangers)))
    for stranger in islice(coming, turns_max):
        (ticket,) = turns.admit()
        ticket.gone = True
        turns.add(stranger)
    assert all(ticket.gone for ticket in patient)


def test_retry_after_follows_what_was_measured_within_a_second_and_a_minute() -> None:
    service_time = ServiceTime(first_guess_s=30)
    assert service_time.retry_after_s(backlog=4, running_max=8) == 15  # 30 s · 4 / 8
    service_time.record(2)  # the first measure replaces the guess
    assert service_time.retry_after_s(backlog=12, running_max=8) == 3  # 2 s · 12 / 8
    service_time.record(12)  # 2 + 0.2 · (12 - 2) = 4
    assert service_time.retry_after_s(backlog=12, running_max=8) == pytest.approx(6)
    assert service_time.retry_after_s(backlog=1, running_max=8) == 1
    assert service_time.retry_after_s(backlog=1000, running_max=8) == 60
