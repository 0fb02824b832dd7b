from dataclasses import dataclass

from hypothesis import assume, given
from hypothesis import strategies as st

from asr.actors.jobs.local.line import Line
from asr.actors.turns import Priority, Turns


@dataclass(eq=False, slots=True)
class Ticket:
    """Somebody who waits."""

    client: str
    priority: Priority
    lane: str = ""
    gone: bool = False


tickets = st.lists(
    st.builds(
        Ticket, st.sampled_from("abc"), st.sampled_from(Priority), st.sampled_from(["", "x", "y"])
    ),
    max_size=30,
)


def anybody(_: Ticket) -> bool:
    return True


def line_of(waiting: list[Ticket]) -> Line[Ticket]:
    line = Line[Ticket]()
    for ticket in waiting:
        line.add(ticket)
    return line


def taken(line: Line[Ticket]) -> list[Ticket]:
    return list(iter(lambda: line.take(anybody), None))


@given(tickets)
def test_jobs_go_in_the_order_in_which_requests_do(waiting: list[Ticket]) -> None:
    turns = Turns[Ticket](100)
    for ticket in waiting:
        turns.add(ticket)
    assert taken(line_of(waiting)) == turns.admit()


@given(tickets)
def test_the_order_that_is_shown_is_the_one_that_is_kept(waiting: list[Ticket]) -> None:
    line = line_of(waiting)
    for ahead in range(len(waiting)):
        order = line.order()
        assert len(order) == len(waiting) - ahead
        assert line.take(anybody) is order[0]
    assert line.order() == ()


@given(tickets, st.data())
def test_who_is_put_back_is_the_next(waiting: list[Ticket], data: st.DataObject) -> None:
    line = line_of([ticket for ticket in waiting if ticket.priority == Priority.BATCH])
    for _ in range(data.draw(st.integers(0, len(line.order())))):
        if ticket := line.take(anybody):
            before = line.order()
            line.put_back(ticket)
            assert line.order()[0] is ticket
            assert set(line.order()) == {ticket, *before}
            assert line.take(anybody) is ticket


@given(tickets, st.data())
def test_who_leaves_changes_no_clients_order(waiting: list[Ticket], data: st.DataObject) -> None:
    assume(waiting)
    line = line_of(waiting)
    gone = data.draw(st.sampled_from(waiting))
    line.leave(gone)
    others = [ticket for ticket in waiting if ticket is not gone]
    assert set(line.order()) == set(others)
    for client in "abc":
        for priority in Priority:
            of = [t for t in others if (t.client, t.priority) == (client, priority)]
            assert [t for t in line.order() if (t.client, t.priority) == (client, priority)] == of


@given(tickets)
def test_a_worker_of_some_lanes_leaves_the_others_alone(waiting: list[Ticket]) -> None:
    line = line_of(waiting)
    own = list(iter(lambda: line.take(lambda ticket: ticket.lane != "y"), None))
    assert set(own) == {ticket for ticket in waiting if ticket.lane != "y"}
    assert set(taken(line)) == {ticket for ticket in waiting if ticket.lane == "y"}
