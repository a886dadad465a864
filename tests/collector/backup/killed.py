"""
`santong` that kills itself with -9 at a certain point: run by the tests, with the point as its first argument.

    N                before it renames its Nth file or folder, of all that it renames
    N read           when it has read N members of a backup
"""

import os
import signal
import sys
import tarfile
from pathlib import Path
from typing import Any

from collector.cli import main


def dying(original: Any, count: int) -> Any:
    """Return a function that is the end of this process at its call of that number."""
    left = iter(range(count - 1))

    def run(*words: Any, **options: Any) -> Any:
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*words, **options)

    return run


if __name__ == "__main__":
    number, _, what = sys.argv.pop(1).partition(" ")
    if what:
        tarfile.TarFile.next = dying(tarfile.TarFile.next, int(number))  # type: ignore[method-assign]
    else:
        Path.rename = dying(Path.rename, int(number))  # type: ignore[method-assign]
    main()
