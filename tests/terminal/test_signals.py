"""Real processes and real signals: what ends a process cannot be seen from inside."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

PRELUDE = """
import threading, trio
from asr.terminal.signals import interruptible, watch_signals

async def polite(first, patience_s):
    async with trio.open_nursery() as nursery:
        stop = trio.Event()
        def told(number):
            print("told", number, flush=True)
            first(stop)
        from functools import partial
        await nursery.start(partial(watch_signals, told, patience_s=patience_s))
        print("ready", flush=True)
        await stop.wait()
        nursery.cancel_scope.cancel()
"""


@contextmanager
def process(code: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has said it is ready; killed if it is still there at the end."""
    command = [sys.executable, "-c", PRELUDE + code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout
            assert child.stdout.readline() == "ready\n"
            yield child
        finally:
            child.kill()


def told(child: subprocess.Popen[str], number: signal.Signals) -> None:
    """Send the signal, and wait until the process says that it heard."""
    child.send_signal(number)
    assert child.stdout
    assert child.stdout.readline() == f"told {number.value}\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_process_ends_by_itself(number: signal.Signals) -> None:
    with process("trio.run(polite, lambda stop: stop.set(), 3600)") as child:
        told(child, number)
        assert child.wait(10) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_ends_the_process_at_once(number: signal.Signals) -> None:
    with process("trio.run(polite, lambda stop: None, 3600)") as child:
        told(child, signal.SIGTERM)
        child.send_signal(number)
        assert child.wait(10) == 128 + number


def test_a_shutdown_that_hangs_is_ended_from_outside() -> None:
    with process("trio.run(polite, lambda stop: threading.Event().wait(), 0.1)") as child:
        told(child, signal.SIGTERM)
        assert child.wait(10) == 70


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_is_interrupted_cleans_up_and_tells_by_which_signal(
    number: signal.Signals,
) -> None:
    work = """
async def work():
    try:
        print("ready", flush=True)
        await trio.sleep_forever()
    finally:
        print("cleaned", flush=True)
raise SystemExit(trio.run(interruptible, work))
"""
    with process(work) as child:
        child.send_signal(number)
        assert child.stdout
        assert child.stdout.readline() == "cleaned\n"
        assert child.wait(10) == 128 + number


def test_a_command_that_is_done_has_its_own_code() -> None:
    work = """
async def work():
    print("ready", flush=True)
    return 1
raise SystemExit(trio.run(interruptible, work))
"""
    with process(work) as child:
        assert child.wait(10) == 1
