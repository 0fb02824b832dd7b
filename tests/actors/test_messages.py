import trio

from asr.actors.messages import Reply
from asr.pipeline.errors import AsrError


def test_a_reply_knows_whether_somebody_listens_and_has_taken_all_that_was_sent() -> None:
    tell, hear = trio.open_memory_channel[str | AsrError](1)
    reply: Reply[str] = Reply(tell)
    assert (reply.read, reply.abandoned) == (True, False)
    reply.send("so")
    assert (reply.read, reply.abandoned) == (False, False)
    hear.receive_nowait()
    assert (reply.read, reply.abandoned) == (True, False)
    hear.close()
    assert (reply.read, reply.abandoned) == (True, True)
    reply.send("never mind")
