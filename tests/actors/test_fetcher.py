"""What a fetcher fetches, and where it goes: the far side is in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from asr.actors.dialer import Dialer
from asr.actors.fetcher import Fetcher, UrlSettings
from asr.pipeline.errors import InvalidRequest
from tests.actors.internet import FILE, HERE, Errand, answer, head, moved

if TYPE_CHECKING:
    from trio.testing import MockClock


@pytest.fixture
def errand(nursery: trio.Nursery) -> Errand:
    return Errand(nursery)


async def test_a_file_is_written_as_it_comes(errand: Errand) -> None:
    errand.internet.says["/talk%20one.mp3?k=1"] = answer(FILE)
    name = await errand.fetch("http://example.com:8080/talk one.mp3?k=1#t=3")
    assert (name, b"".join(errand.written)) == ("talk one.mp3", FILE)
    assert max(map(len, errand.written)) <= 65_536
    assert errand.internet.dialled == [(HERE, 8080)]


async def test_nothing_of_ours_goes_along(errand: Errand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://10.0.0.1:3128")
    errand.internet.says["/"] = answer(FILE, "Set-Cookie: a=b")
    await errand.fetch("http://example.com")
    await errand.fetch("http://example.com")
    request = (
        "GET / HTTP/1.1\r\nHost: example.com\r\nUser-Agent: asr-service\r\nAccept: */*\r\n"
        "Accept-Encoding: identity\r\nConnection: close\r\n\r\n"
    )
    assert errand.internet.asked == [request, request]


async def test_it_is_off_unless_the_operator_allows_it(nursery: trio.Nursery) -> None:
    errand = Errand(nursery)
    dialer = Dialer(resolve=errand.internet.resolve, connect=errand.internet.connect)
    fetcher = Fetcher(UrlSettings(), dialer)
    with pytest.raises(InvalidRequest, match="fetches no urls") as refusal:
        await fetcher.fetch("http://example.com/", errand.write, bytes_max=10)
    assert (refusal.value.param, errand.internet.dialled) == ("url", [])


async def test_bodies_come_in_every_framing(errand: Errand) -> None:
    chunks = b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
    errand.internet.says = {
        "/chunked": head("Transfer-Encoding: chunked") + chunks,
        "/until-closed": b"HTTP/1.0 200 OK\r\n\r\nabcde",
        "/news-first": head(status="103 Early Hints") + answer(b"abcde"),
        "/identity": answer(b"abcde", "Content-Encoding: Identity"),
        "/empty": answer(b""),
    }
    heard = []
    for path in errand.internet.says:
        errand.written.clear()
        await errand.fetch(f"http://example.com{path}")
        heard.append(b"".join(errand.written))
    assert heard == [b"abcde"] * 4 + [b""]


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["169.254.169.254"], ["::1"], ["::ffff:10.0.0.1"], ["fe80::1", "10.0.0.1"], []],
)
async def test_names_of_hosts_inside_are_not_connected_to(
    errand: Errand, addresses: list[str]
) -> None:
    errand.internet.names["inside.example"] = addresses
    for host in ("inside.example", "unknown.example"):  # nor is it told which of them exist
        await errand.refused("its host has no public address", f"http://{host}/")
    assert errand.internet.dialled == []


async def test_of_all_addresses_only_public_ones_are_tried_and_the_next_if_one_fails(
    errand: Errand, autojump_clock: MockClock
) -> None:
    errand.internet.names["example.com"] = [
        "10.0.0.1",
        "1.1.1.1",
        "::1",
        "1.1.1.2",
        HERE,
        "1.1.1.3",
    ]
    errand.internet.closed, errand.internet.deaf = {"1.1.1.1"}, {"1.1.1.2"}
    errand.internet.says["/a.mp3"] = answer(FILE)
    assert await errand.fetch() == "a.mp3"
    assert errand.internet.dialled == [("1.1.1.1", 80), ("1.1.1.2", 80), (HERE, 80)]
    assert trio.current_time() == 5.0


async def test_a_host_that_takes_no_connection_fails(
    errand: Errand, autojump_clock: MockClock
) -> None:
    addresses = [f"1.1.1.{host}" for host in range(9)]
    errand.internet.names["example.com"], errand.internet.deaf = addresses, set(addresses)
    await errand.refused("no connection could be made")
    assert len(errand.internet.dialled) == 4


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 Other", "307 T", "308 P"])
async def test_redirects_are_followed_and_the_name_stays(errand: Errand, status: str) -> None:
    errand.internet.names["other.example"] = ["1.1.1.1"]
    errand.internet.says = {
        "/a.mp3": moved("/b", status),
        "/b": moved("http://other.example:81/c", status),
        "/c": answer(FILE),
    }
    assert await errand.fetch() == "a.mp3"
    assert b"".join(errand.written) == FILE
    assert errand.internet.dialled == [(HERE, 80), (HERE, 80), ("1.1.1.1", 81)]


@pytest.mark.parametrize("location", ["http://inside.example/", "http://127.0.0.1/", "//[::1]/"])
async def test_a_redirect_to_the_inside_is_not_followed(errand: Errand, location: str) -> None:
    names = {"inside.example": ["10.0.0.1"], "127.0.0.1": ["127.0.0.1"], "::1": ["::1"]}
    errand.internet.names |= names
    errand.internet.says["/a.mp3"] = moved(location)
    await errand.refused("its host has no public address")
    assert (errand.internet.dialled, errand.written) == ([(HERE, 80)], [])


async def test_a_name_that_turns_inside_between_redirects_is_not_followed(errand: Errand) -> None:
    async def rebind(stream: trio.abc.Stream) -> None:
        errand.internet.names["example.com"] = ["10.0.0.1"]
        await stream.send_all(moved("/again"))

    errand.internet.says["/a.mp3"] = rebind
    await errand.refused("its host has no public address")
    assert errand.internet.dialled == [(HERE, 80)]


async def test_redirects_come_to_an_end(errand: Errand) -> None:
    errand.internet.says["/a.mp3"] = moved("/a.mp3")
    await errand.refused("it was redirected more than 5 times")
    assert len(errand.internet.dialled) == 6


async def test_a_redirect_to_another_scheme_is_refused(errand: Errand) -> None:
    errand.internet.says["/a.mp3"] = moved("file:///etc/passwd")
    with pytest.raises(InvalidRequest, match="must begin with http"):
        await errand.fetch()
