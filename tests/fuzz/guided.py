"""
Coverage-guided fuzzing of the centre with atheris: inputs that reach new branches of the product are kept and mutated.

    pip install --group fuzz
    python -m tests.fuzz.guided --seconds 60 [--corpus FOLDER]

Begins with messages of the grammar and its mutations. At the first finding it ends with an error, and the input stands
in a file `crash-…`. With `--corpus` what reached new branches is kept for the next run.
"""

import argparse
import sys
import tempfile
from multiprocessing import get_context
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["contract", "collector"]):
    from tests.fuzz.centre import Centre
    from tests.fuzz.maker import BLOCK, TOPICS, Maker

NOW_NS = 1_764_000_000_123_456_789  # so that the inputs of a corpus stay good
_SEED_BLOCKS = 3
_LARGEST = 16_384


def sow(corpus: Path) -> None:
    """Write messages of the grammar and its mutations as inputs: the number of a topic, then the payload."""
    corpus.mkdir(parents=True, exist_ok=True)
    maker = Maker(1, NOW_NS)
    for number in range(_SEED_BLOCKS):
        for n, (_, topic, payload) in enumerate(maker.block(number)[1]):
            if topic in TOPICS and len(payload) < _LARGEST:
                (corpus / f"seed-{number}-{n:03}").write_bytes(bytes([TOPICS.index(topic)]) + payload)


def fuzz(folder: Path, corpus: Path, seconds: int) -> None:
    """Fuzz until the time is over or something is found; ends the process."""
    sow(corpus)
    centre = Centre(folder, NOW_NS)
    count = 0

    def one(content: bytes) -> None:
        nonlocal count
        count += 1
        if content:
            centre.take(TOPICS[content[0] % len(TOPICS)], content[1:])
        if count % BLOCK == 0:
            centre.answer()

    atheris.Setup([sys.argv[0], str(corpus), f"-max_total_time={seconds}", f"-max_len={_LARGEST}"], one)
    atheris.Fuzz()


def main() -> int:
    """Fuzz in a child: libFuzzer ends its process without leaving anything time to tidy up."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz.guided", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", type=Path, help="a folder of inputs, kept from run to run")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="santong-fuzz-") as name:
        folder = Path(name)
        child = get_context("spawn").Process(
            target=fuzz, args=(folder / "centre", options.corpus or folder / "corpus", options.seconds)
        )
        child.start()
        child.join()
    return child.exitcode or 0


if __name__ == "__main__":
    sys.exit(main())
