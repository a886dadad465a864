"""What takes long is found out once for all, and nobody waits for it but the first."""

import threading

import pytest

from collector.fresh import Fresh


class Slow:
    """Counts how often it was asked, and answers when it may."""

    def __init__(self) -> None:
        self.now, self.asked = 0.0, 0
        self.may, self.done = threading.Event(), threading.Event()
        self.may.set()
        self.fails = False
        self.fresh = Fresh(self.make, 10.0, lambda: self.now)

    def make(self) -> int:
        """Answer."""
        self.may.wait(30)
        self.asked += 1
        self.done.set()
        if self.fails:
            raise ValueError("it fails")
        return self.asked


def test_it_is_found_out_once_for_everybody() -> None:
    """Eight who ask at the same time, and all who ask within its time, get one answer."""
    slow, found = Slow(), []
    slow.may.clear()
    threads = [threading.Thread(target=lambda: found.append(slow.fresh.get())) for _ in range(8)]
    for thread in threads:
        thread.start()
    slow.may.set()
    for thread in threads:
        thread.join(30)
    slow.now = 9.0
    assert [*found, slow.fresh.get()] == [1] * 9


def test_nobody_waits_while_it_is_found_out_anew() -> None:
    """After its time the old answer is given at once, and the new one when it is there."""
    slow = Slow()
    assert slow.fresh.get() == 1
    slow.now = 11.0
    slow.may.clear()
    slow.done.clear()
    assert [slow.fresh.get(), slow.fresh.get()] == [1, 1]
    slow.may.set()
    assert slow.done.wait(30)
    while slow.fresh.get() != 2:
        pass
    assert slow.asked == 2


def test_nothing_old_is_told() -> None:
    """After five times its time one waits, and what fails is said instead of told from memory."""
    slow = Slow()
    slow.fresh.get()
    slow.now = 51.0
    assert slow.fresh.get() == 2
    slow.now, slow.fails = 102.0, True
    with pytest.raises(ValueError, match="it fails"):
        slow.fresh.get()
    slow.fails = False
    assert slow.fresh.get() == 4
