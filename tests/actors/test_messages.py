from asr.actors.messages import Reply


async def test_a_reply_knows_whether_somebody_listens_and_has_taken_all_that_was_sent() -> None:
    reply = Reply[str](1)
    with reply.listening() as hear:
        assert (reply.read, reply.abandoned) == (True, False)
        reply.send("so")
        assert (reply.read, reply.abandoned) == (False, False)
        assert await hear.receive() == "so"
        assert (reply.read, reply.abandoned) == (True, False)
    assert reply.abandoned
    reply.send("never mind")
