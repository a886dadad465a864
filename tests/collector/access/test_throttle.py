"""Guesses become slow, for whoever guesses; nobody is locked out for long by others."""

import pytest

from collector.access.throttle import FREE, Throttle, keys_of


def guesses_in(seconds: float, address: str, name: str) -> int:
    """Return how many guesses somebody has in so many seconds who tries ten times a second."""
    throttle, done = Throttle(), 0
    for step in range(int(seconds * 10)):
        done += throttle.begin(keys_of(address, name), step / 10) == 0
    return done


def test_a_guesser_is_held_up() -> None:
    """Of ten guesses a second for an hour fewer than twenty are looked at."""
    assert FREE < guesses_in(3600, "192.0.2.7", "li") < 20


def test_the_wait_is_said_and_ends() -> None:
    """Five wrong guesses are free; then one has to wait longer each time, and after the wait may try again."""
    throttle, keys = Throttle(), keys_of("192.0.2.7", "li")
    assert [throttle.begin(keys, 0.0) for _ in range(FREE)] == [0.0] * FREE
    wait = throttle.begin(keys, 0.1)
    assert 0 < wait <= 1
    assert throttle.begin(keys, 0.1 + wait) == 0
    assert throttle.begin(keys, 0.2 + wait) > 1


def test_whoever_is_right_starts_anew() -> None:
    """After a right password mistakes are free again."""
    throttle, keys = Throttle(), keys_of("192.0.2.7", "li")
    for _ in range(FREE):
        throttle.begin(keys, 0.0)
    throttle.right(keys)
    assert throttle.begin(keys, 0.1) == 0


def test_an_account_of_one_s_own_buys_no_guesses_at_others() -> None:
    """A right password forgives at its own name; at its address what was guessed at other names still counts."""
    throttle, address, now, guesses = Throttle(), "192.0.2.7", 0.0, 0
    while now < 600:
        for number in range(4):
            guesses += throttle.begin(keys_of(address, f"other {guesses} {number}"), now) == 0
        if throttle.begin(own := keys_of(address, "li"), now) == 0:
            throttle.right(own)
        now += 1
    assert guesses < 20


def test_others_cannot_lock_somebody_out() -> None:
    """A name that was guessed at from a thousand addresses is open to its owner within half a minute."""
    throttle = Throttle()
    for number in range(1000):
        throttle.begin(keys_of(f"198.51.{number // 250}.{number % 250}", "li"), 0.0)
    assert throttle.begin(keys_of("192.0.2.7", "li"), 31.0) == 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff", True),  # one network of 64 bits is one guesser
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.7", "192.0.2.8", False),
        ("", "", True),
    ],
)
def test_what_one_guesser_is(one: str, other: str, same: bool) -> None:
    """Addresses of IPv4 are each one, of IPv6 a network: whoever has one has 2^64 of them."""
    assert (keys_of(one, "a")[0] == keys_of(other, "b")[0]) is same


def test_memory_is_bounded() -> None:
    """A hundred thousand addresses do not fill the memory."""
    throttle = Throttle()
    for number in range(100_000):
        throttle.begin((f"address:{number}",), float(number))
    assert len(throttle._tries) <= 10_000
