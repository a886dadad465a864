"""The agent's settings: what would break the agent later is refused at the start."""

import pytest

from agent.config import Reference, Settings
from contract.errors import ConfigError
from contract.settings import load

MINIMAL = {"agent": "441802-3144001234.c0703", "broker.url": "mqtt://192.0.2.1"}


@pytest.mark.parametrize(
    "text",
    ["tcp://192.0.2.1:53", "tcp://dns.example:443", "tcp://[2001:db8::1]:53", "icmp://192.0.2.1", "icmp://dns.example"],
)
def test_a_reference_target(text: str) -> None:
    """A reference target is a TCP port or a host that answers ping."""
    assert Reference.parse(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "192.0.2.1",
        "tcp://192.0.2.1",
        "tcp://:53",
        "tcp://192.0.2.1:",
        "tcp://192.0.2.1:dns",
        "tcp://192.0.2.1:53/",
        "tcp://192.0.2.1:53\n",
        "tcp://192.0.2.1:70000",
        "tcp://192.0.2.1:0",
        "icmp://192.0.2.1:53",
        "http://192.0.2.1:80",
        "udp://192.0.2.1:53",
    ],
)
def test_what_is_no_reference_target(text: str) -> None:
    """A target that could never answer is refused at the start, not counted as an outage every minute."""
    with pytest.raises(ValueError, match="is not a reference target such as"):
        Reference.parse(text)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("round.every", "0s"),
        ("publish.window", 0),
        ("publish.window", -1),
        ("publish.replay_per_second", 0.0),
        ("publish.replay_per_second", -2.0),
        ("publish.replay_per_second", float("nan")),
    ],
)
def test_a_value_with_which_no_agent_can_run_is_refused(path: str, value: object) -> None:
    """A round of no length, a window of nothing, a pace of zero: one line at the start, not a traceback later."""
    with pytest.raises(ConfigError) as caught:
        load(Settings, None, {}, {**MINIMAL, path: value})
    assert [problem.path for problem in caught.value.problems] == [path]
