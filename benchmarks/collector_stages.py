"""
Where the collector's processor time goes, stage by stage, in microseconds a batch.

Receiving and answering are measured on the network thread's own clock, against a real mosquitto, with nothing done in
between; the other stages by calling them on the same batches. What `benchmarks.ingest` counts beyond their sum is HTTP
to the store, and three threads that wait for one interpreter.

    python -m benchmarks.collector_stages [--rounds-a-batch 6 20]
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.ingest import DEVICES, LINES_A_ROUND
from benchmarks.load import EPOCH, Publisher, Sent, make_batches
from collector.check import check, delivery_line
from collector.receive import Receiver
from collector.wire import Arrival
from contract import batch, topics
from contract.broker import BrokerSettings, BrokerUrl
from tests.services import Mosquitto

BATCHES_EACH = 8


def receive_and_answer(folder: Path, batches: list[Sent]) -> float:
    """Return the network thread's seconds for receiving the batches and answering each."""
    broker = Mosquitto(folder / "mosquitto", ("max_inflight_messages 1000", "max_queued_messages 0"), log_type="error")
    broker.start()
    clocks: list[int] = []

    def deliver(arrivals: list[Arrival]) -> None:
        if not clocks:
            clocks.append(time.pthread_getcpuclockid(threading.get_ident()))
        ack = topics.Ack(((EPOCH, 1, 1),), (), 0)
        receiver.answer([(topics.parse_batch(arrival.topic)[0], ack) for arrival in arrivals])

    receiver = Receiver(BrokerSettings(BrokerUrl(broker.url)), deliver)
    receiver.start()
    while not receiver.is_connected:
        time.sleep(0.01)
    for some in (batches[:100], batches):  # the first ones warm up
        publisher = Publisher(broker.port, some, window=1000)
        before = time.clock_gettime(clocks[0]) if clocks else 0.0
        publisher.run(timeout_s=120)
        publisher.close()
    used = time.clock_gettime(clocks[0]) - before
    receiver.stop()
    broker.stop()
    return used


def seconds(stage: Callable[[], object]) -> float:
    """Return the best of five runs of a stage, in this thread's processor time."""
    best = float("inf")
    for _ in range(5):
        began = time.thread_time()
        stage()
        best = min(best, time.thread_time() - began)
    return best


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds-a-batch", type=int, nargs="+", default=[6, 20])
    for rounds in parser.parse_args().rounds_a_batch:
        now_ns = time.time_ns()
        batches = make_batches(DEVICES, BATCHES_EACH, rounds, now_ns, compress=True)
        opened = [(sent.agent, batch.decode(sent.payload)) for sent in batches]
        checked = [check(agent, agent, content, now_ns) for agent, content in opened]
        acks = [topics.Ack(((EPOCH, n, n),), (), 0) for n in range(len(batches))]
        with tempfile.TemporaryDirectory() as name:
            network = receive_and_answer(Path(name), batches)
        stages = {
            "receive and answer (network thread)": network,
            "unpack and read the header": seconds(lambda: [batch.decode(sent.payload) for sent in batches]),  # noqa: B023
            "check and tag": seconds(lambda: [check(a, a, content, now_ns) for a, content in opened]),  # noqa: B023
            "delivery point": seconds(lambda: [delivery_line(c, now_ns) for c in checked]),  # noqa: B023
            "JSON of the answer": seconds(lambda: [topics.encode_ack(ack) for ack in acks]),  # noqa: B023
        }
        print(f"\ncollector, microseconds a batch of {rounds * LINES_A_ROUND} lines")
        for stage, took in [*stages.items(), ("together", sum(stages.values()))]:
            print(f"  {stage:<44} {took / len(batches) * 1e6:8.1f}")


if __name__ == "__main__":
    main()
