"""What is kept of passwords."""

import time

import pytest

from collector.access import passwords

RIGHT = "correct horse battery"


def test_a_password_is_right_and_another_is_not() -> None:
    """Of one password two different texts are kept, neither of which has it in it."""
    one, other = passwords.hashed(RIGHT), passwords.hashed(RIGHT)
    assert one != other
    assert RIGHT not in one
    assert passwords.is_right(RIGHT, one)
    assert passwords.is_right(RIGHT, other)
    assert not passwords.is_right(RIGHT + " ", one)
    assert not passwords.is_right("", one)
    assert passwords.is_of_today(one)


def test_the_same_letters_in_another_width_are_the_same_password() -> None:
    """Chinese keyboards type full-width letters; both are the same password (NFKC)."""
    assert passwords.is_right("ｃorrect horse battery", passwords.hashed(RIGHT))


@pytest.mark.parametrize(
    "kept", ["", "plain", "scrypt$15$8$3$x$y", "scrypt$99$8$3$AAAAAAAAAAAAAAAAAAAAAA==$AAAA", "scrypt$1$1$1$$"]
)
def test_what_is_not_as_it_is_kept_fits_nothing(kept: str) -> None:
    """A broken or missing hash is no empty password, and asks for no memory that nobody has."""
    assert not passwords.is_right("", kept)
    assert not passwords.is_right(RIGHT, kept)
    assert not passwords.is_kept_form(kept)


def test_a_name_that_nobody_has_takes_as_long() -> None:
    """Time does not tell which names there are: of no user as much work is done as of one."""
    kept = passwords.hashed(RIGHT)

    def seconds(one: str) -> float:
        began = time.process_time()
        passwords.is_right("wrong horse battery", one)
        return time.process_time() - began

    somebody, nobody = min(seconds(kept) for _ in range(2)), min(seconds("") for _ in range(2))
    assert 0.5 < nobody / somebody < 2


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("short", "at least 10 characters"),
        ("x" * 257, "at most 256"),
        ("aaaaaaaaaaaa", "different"),
        ("correct\x00horse", "control"),
        ("li.na.qingyuan", "name"),
    ],
)
def test_passwords_that_are_not_taken(password: str, said: str) -> None:
    """Too short, too long, of one letter, with what nobody can type, or the name itself: refused with the reason."""
    assert said in passwords.flaw_of(password, "li.na.qingyuan")


def test_a_long_sentence_is_taken() -> None:
    """Length counts, not kinds of characters."""
    assert passwords.flaw_of("清远市的教室都在线吗我想知道", "li") == ""
