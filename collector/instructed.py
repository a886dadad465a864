"""
What watch was told to do: DATA/watch.toml and the addresses of messages, taken up again when a file has changed.

What cannot be used is said in `trouble`, and what was good before goes on: a spoilt file silences nobody.
"""

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from collector.channels.addresses import FILE as ADDRESSES_FILE
from collector.channels.service import Address
from collector.watch.routes import FILE, Routing, WatchSettings
from contract.errors import ConfigError, Problem
from contract.settings import load

log = logging.getLogger("santong.watch")
_WRITTEN_NS = 1_000_000_000  # what was changed within so long may be half written

Mark = tuple[int, ...]


def settings_in(data: Path) -> WatchSettings:
    """Return the settings of a data folder; ConfigError lists every mistake, and secrets that others can read."""
    file = data / FILE
    found = load(WatchSettings, file if file.is_file() else None, {})
    url = found.heartbeat.url
    problems = []
    if url and not url.startswith(("http://", "https://")):
        problems.append(Problem("heartbeat.url", "does not begin with https:// or http://"))
    if url and file.stat().st_mode & 0o077:
        problems.append(Problem("heartbeat.url", f"others can read it: chmod 600 {file}"))
    if problems:
        raise ConfigError(str(file), problems)
    return found


class Instructions:
    """
    Settings, addresses, and the routes over both. ConfigError where they are wrong at the start; later on never.

    `addresses` reads them, from wherever they are written; ConfigError lists what is wrong there.
    """

    def __init__(self, data: Path, addresses: Callable[[], Sequence[Address]]) -> None:
        self._data, self._read_addresses = data, addresses
        self._files = (data / FILE, data / ADDRESSES_FILE)
        self._taken = self._before = self._marks()
        self.trouble = ""
        self.settings = settings_in(data)
        self.addresses = {address.name: address for address in addresses()}
        self.routing = self._routing(self.settings, self.addresses)

    def refresh(self) -> bool:
        """Take up what has changed; tell whether it did. A file that is being written is left for the next time."""
        marks, before = self._marks(), self._before
        self._before = marks
        if marks == self._taken or (marks != before and not all(map(_is_written, marks))):
            return False
        self._taken = marks
        try:
            settings = settings_in(self._data)
            addresses = {address.name: address for address in self._read_addresses()}
            if self.addresses and not addresses:
                raise ConfigError(str(self._files[1]), [Problem("", "has no address any more")])
            routing = self._routing(settings, addresses)
        except (ConfigError, OSError) as error:
            self.trouble = f"{'; '.join(str(error).splitlines())}: what was read before goes on"
            log.error("%s", self.trouble)  # noqa: TRY400  one line is enough
            return False
        self.settings, self.addresses, self.routing, self.trouble = settings, addresses, routing, ""
        log.info("settings and addresses were read again")
        return True

    def _routing(self, settings: WatchSettings, addresses: dict[str, Address]) -> Routing:
        return Routing(settings, list(addresses), str(self._files[0]))

    def _marks(self) -> tuple[Mark, ...]:
        return tuple(map(_mark, self._files))


def _mark(file: Path) -> Mark:
    """Return what tells one version of a file from another: also of its mode, which may be what is wrong."""
    try:
        found = file.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode


def _is_written(mark: Mark) -> bool:
    """Tell whether a file was left alone for a while; what is not there may be on its way."""
    return bool(mark) and not 0 <= time.time_ns() - mark[0] < _WRITTEN_NS
