import errno
import socket
import subprocess
import sys

import pytest
import trio

from asr.actors.jobs.queue import QueueUnavailable
from asr.actors.jobs.redis.client import QueueRefused
from asr.actors.thread import Hung
from asr.pipeline.errors import ModelUnavailable, UnknownModel
from asr.settings import SettingsError
from asr.terminal.exits import exit_code


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, ""),
        (UnknownModel("x"), 2, "asr-service: The model 'x' does not exist\n"),
        (ModelUnavailable("offline"), 69, "asr-service: offline\n"),
        (Hung("gpu"), 71, "asr-service: the gpu thread hangs\n"),
        (SettingsError(("one", "two")), 2, "asr-service: one\nasr-service: two\n"),
        (QueueRefused("not you"), 2, "asr-service: not you\n"),
        (
            QueueUnavailable(),
            75,
            "asr-service: The queue of jobs cannot be reached; try again later\n",
        ),
        (
            OSError(errno.EADDRNOTAVAIL, "no such address"),
            69,
            "asr-service: cannot listen on the address in HOST and PORT: no such address\n",
        ),
        (
            socket.gaierror(-2, "no such name"),
            69,
            "asr-service: cannot listen on the address in HOST and PORT: no such name\n",
        ),
    ],
)
def test_what_an_operator_can_mend_is_said_in_one_line(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    group = BaseExceptionGroup("actors", [BaseExceptionGroup("front", [error])])
    assert (exit_code(group), capsys.readouterr().err) == (code, said)


@pytest.mark.parametrize(
    "error", [RuntimeError("bug"), PermissionError(errno.EACCES, "denied", "/a/file")]
)
def test_anything_else_is_ours_and_is_logged_with_its_traceback(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    assert exit_code(error) == 70
    assert [record.exc_info and record.exc_info[1] for record in caplog.records] == [error]


async def test_a_port_that_is_taken_is_recognised() -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    async with listener:
        with pytest.raises(OSError, match=str(errno.EADDRINUSE)) as caught:
            await trio.open_tcp_listeners(port, host="127.0.0.1")
    assert exit_code(caught.value) == 69


@pytest.mark.parametrize(
    ("seconds", "printed"), [("None", "flushed\n"), ("0.1", "flushed\nthread\nat exit\n")]
)
def test_a_thread_is_waited_for_unless_it_hangs(seconds: str, printed: str) -> None:
    code = f"""
import atexit, threading
from asr.terminal.exits import leave

def work():
    threading.Event().wait({seconds})
    print("thread")

atexit.register(print, "at exit")
threading.Thread(target=work).start()
print("flushed")
raise SystemExit(leave(3))
"""
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stdout) == (3, printed)
