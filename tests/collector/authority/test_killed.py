"""kill -9 in the middle of anything, over and over."""

import random
import subprocess
import sys
import time
from pathlib import Path

from cryptography import x509

from collector.authority import certify, work
from collector.authority.files import read_secret

ROUNDS = 25
WRITER = """
import sys
from pathlib import Path
from collector.authority import certify, identity, work
folder, first = Path(sys.argv[1]), int(sys.argv[2])
print("begins", flush=True)
work.init(folder)
for number in range(first, first + 10000):
    name = f"441802-1.c{number}"
    done = work.issue(folder, identity.client(name), certify.new_key().public_key())
    print("issued", done.entry.serial, flush=True)
    if number % 2:
        work.revoke(folder, name, "stolen")
        print("revoked", done.entry.serial, flush=True)
"""


def test_nothing_is_half_written_and_nothing_that_was_said_is_lost(tmp_path: Path) -> None:
    """The same root throughout; what was said to be issued or revoked is; the list is right after the next command."""
    folder, chance = tmp_path / "authority", random.Random(4418)
    issued: set[str] = set()
    revoked: set[str] = set()
    roots: set[str] = set()
    for number in range(ROUNDS):
        line = [sys.executable, "-c", WRITER, str(folder), str(number * 10_000)]
        with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "begins\n"
            # After so many that it has said, and at any instant of the next one: however slow the machine is.
            first = [writer.stdout.readline() for _ in range(chance.randrange(5))]
            time.sleep(chance.uniform(0, 0.02))
            writer.kill()
            said = [row.split() for row in [*first, *writer.stdout.read().splitlines()]]
        issued |= {row[1] for row in said if row[0] == "issued" and len(row[1:]) == 1}
        revoked |= {row[1] for row in said if row[0] == "revoked" and len(row[1:]) == 1}
        work.init(folder)
        roots.add(work.authority_pem(folder))
        every = {one.serial: one for one in work.entries(folder, current=False)}
        assert issued <= every.keys()
        assert all(every[serial].revoked for serial in revoked)
        listed = x509.load_pem_x509_crl(work.crl_pem(folder).encode())
        assert {f"{one.serial_number:x}" for one in listed} == {serial for serial, one in every.items() if one.revoked}
        certify.read_key(read_secret(folder / "ca.key"), "ca.key")
    assert len(roots) == 1, "once there is a root, it stays"
    assert len(issued) > ROUNDS and revoked
