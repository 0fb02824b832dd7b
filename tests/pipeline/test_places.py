from ipaddress import ip_address

import pytest

from asr.pipeline.errors import InvalidRequest
from asr.pipeline.places import Place, is_public, place_of


@pytest.mark.parametrize(
    ("url", "place", "authority", "name"),
    [
        (
            "http://example.com",
            Place("http://example.com", False, "example.com", 80, "/"),
            "example.com",
            "example.com",
        ),
        (
            "HTTPS://Example.COM:8443/a/talk%20one.mp3?key=a%2Fb&x=1#t=5",
            Place(
                "HTTPS://Example.COM:8443/a/talk%20one.mp3?key=a%2Fb&x=1#t=5",
                True,
                "example.com",
                8443,
                "/a/talk%20one.mp3?key=a%2Fb&x=1",
            ),
            "example.com:8443",
            "talk one.mp3",
        ),
        (
            "http://bücher.example/über uns.ogg?q=ä b",
            Place(
                "http://bücher.example/über uns.ogg?q=ä b",
                False,
                "xn--bcher-kva.example",
                80,
                "/%C3%BCber%20uns.ogg?q=%C3%A4%20b",
            ),
            "xn--bcher-kva.example",
            "über uns.ogg",
        ),
        (
            "http://[2606:4700::1]:81/x/",
            Place("http://[2606:4700::1]:81/x/", False, "2606:4700::1", 81, "/x/"),
            "[2606:4700::1]:81",
            "2606:4700::1",
        ),
    ],
)
def test_a_url_says_where_to_go_and_what_to_ask_for(
    url: str, place: Place, authority: str, name: str
) -> None:
    found = place_of(url)
    assert (found, found.authority, found.name) == (place, authority, name)


def test_a_name_is_short_and_can_be_shown() -> None:
    assert place_of(f"http://example.com/{'a' * 200}").name == "a" * 100
    assert place_of("http://example.com/a%00%0Ab%2Fc.mp3").name == "ab/c.mp3"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "must begin with http"),
        ("talk.mp3", "must begin with http"),
        ("ftp://example.com/a", "must begin with http"),
        ("file:///etc/passwd", "must begin with http"),
        ("data:audio/wav;base64,AAAA", "must begin with http"),
        ("http:///a", "names no host"),
        ("http://user:pass@example.com/a", "must not hold a user name"),
        ("http://user@example.com/a", "must not hold a user name"),
        ("http://example.com\\@10.0.0.1/a", "must not hold a user name"),
        ("http://example.com:99999/a", "is not a url"),
        ("http://example.com:http/a", "is not a url"),
        ("http://[::1/a", "is not a url"),
        ("http://a‥b/", "is not a url"),
        ("http://example.com/\r\nHost: inside", "unprintable"),
        ("http://exam\tple.com/", "unprintable"),
        (f"http://example.com/{'a' * 4096}", "longer than 4096"),
    ],
)
def test_what_is_no_plain_url_is_refused(url: str, why: str) -> None:
    with pytest.raises(InvalidRequest, match=f"^The url .*{why}") as refusal:
        place_of(url)
    assert refusal.value.param == "url"


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/b?c", "https://example.com/b?c"),
        ("b.mp3", "https://example.com/a/b.mp3"),
        ("//other.example/b", "https://other.example/b"),
        ("http://other.example", "http://other.example"),
    ],
)
def test_a_redirect_is_read_from_where_it_came(location: str, url: str) -> None:
    assert place_of("https://example.com/a/x.mp3").moved(location) == place_of(url)


@pytest.mark.parametrize("location", ["file:///etc/passwd", "//[", "http://u@example.com/"])
def test_a_redirect_may_lead_to_no_more_than_a_url_does(location: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^The url ") as refusal:
        place_of("https://example.com/").moved(location)
    assert refusal.value.param == "url"


@pytest.mark.parametrize(
    "address",
    [
        *("1.1.1.1", "8.8.8.8", "100.63.255.255", "172.32.0.1", "192.167.1.1", "223.255.255.255"),
        *("2606:4700::1111", "2a00:1450:4001:81b::200e", "2001:4860:4860::8888"),
        "::ffff:8.8.8.8",  # a mapped IPv4 address
        "64:ff9b::8.8.8.8",  # what a network without IPv4 is told instead of 8.8.8.8
    ],
)
def test_hosts_of_the_internet_are_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.255.255", "172.16.0.1"),
        *("172.31.255.255", "192.168.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1"),
        *("198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1"),
        "255.255.255.255",
        *("169.254.169.254", "100.100.100.200", "168.63.129.16", "fd00:ec2::254"),  # metadata
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd12::1", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "::8.8.8.8"),
        *("64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b:1::1"),
        *("2002:0a00:0001::1", "2002:0808:0808::1", "2001::1", "2001:db8::1", "3fff::1"),
        *("100::1", "5f00::1", "4000::1"),
    ],
)
def test_addresses_inside_are_not_public(address: str) -> None:
    assert not is_public(ip_address(address))
