"""The asker's end of a command, at a real broker: whom it shares its name with, and where it finds the broker."""

import threading
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from collector.asking import Asker, AskError, Heard, turn
from collector.broker import LocalBroker, url_in
from collector.commands.ask_words import as_json, as_text
from contract.asking import Found, Reply, Request
from contract.broker import BrokerSettings, BrokerUrl
from tests.collector.commands import run
from tests.services import HOST, Mosquitto, free_port

AGENT = "441802-3144001234.c0703"


def diagnose(expires_ms: int) -> Request:
    """Return the request that is made for a time."""
    return Request("diagnose", expires_ms, "li.na")


def settings(url: str) -> BrokerSettings:
    """Return settings of a broker."""
    return BrokerSettings(BrokerUrl(url))


def test_somebody_who_asks_by_the_same_name_again_and_again(tmp_path: Path) -> None:
    """Two that throw each other out of the broker end with a word that says so, not with a silence."""
    broker = Mosquitto(tmp_path / "mosquitto", ("use_username_as_clientid true",))
    broker.start()
    asker = Asker(settings(f"mqtt://us@{HOST}:{broker.port}"), AGENT, diagnose, 14)
    clients = [mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5) for _ in range(2)]
    names = ("us", "agent")  # the second one is asked, and says nothing
    is_listening = threading.Event()
    heard: list[Heard] = []
    try:
        for client, name in zip(clients, names, strict=True):
            client.username_pw_set(name)
            client.reconnect_delay_set(1, 1)
            client.on_subscribe = lambda *_: is_listening.set()
            client.connect(HOST, broker.port)
            client.loop_start()
        clients[1].subscribe("santong/v1/+/command", qos=1)
        assert is_listening.wait(20)
        asking = threading.Thread(target=lambda: heard.append(asker.ask()))
        asking.start()
        asking.join(60)
    finally:
        for client in clients:
            client.disconnect()
            client.loop_stop()
        broker.stop()
    (end,) = heard
    assert end.reply is None
    assert not end.nobody
    assert "does somebody else ask by our name?" in end.trouble


def test_a_broker_that_says_that_our_place_was_taken() -> None:
    """Some brokers say why they end a connection: then there is nothing to wait for."""
    asker = Asker(settings(f"mqtt://{HOST}:{free_port()}"), AGENT, diagnose, 60)
    reason = ReasonCode(PacketTypes.DISCONNECT, identifier=0x8E)
    asker._on_disconnect(mqtt.Client(CallbackAPIVersion.VERSION2), None, None, reason, None)
    with pytest.raises(AskError, match="somebody else asks by our name"):
        asker.ask()


def test_the_turn_of_whoever_has_the_same_certificate(tmp_path: Path) -> None:
    """One at a time uses a certificate; who waits too long is told so, and without a certificate nobody waits."""
    certificate = tmp_path / "ask.crt"
    certificate.write_text("PEM")
    ours = settings(f"mqtts://{HOST}")._replace(certificate=certificate)
    told: list[str] = []
    with turn(ours, 1, lambda: told.append("first")):
        with pytest.raises(AskError, match="another santong ask is still using it"):  # noqa: SIM117
            with turn(ours, 0.3, lambda: told.append("second")):
                pass
        with turn(settings(f"mqtt://{HOST}"), 0.3, lambda: told.append("third")):
            pass
    with turn(ours, 0.3, lambda: told.append("fourth")):
        pass
    assert told == ["second"]


@pytest.mark.parametrize("kind", ["mosquitto", "embedded"])
def test_where_the_broker_of_a_data_folder_listens(tmp_path: Path, kind: str) -> None:
    """What `santong up` started is found by its folder."""
    assert url_in(tmp_path / "broker") == ""
    port = free_port()
    with LocalBroker.choose(tmp_path / "broker", port, kind) as broker:  # type: ignore[arg-type]
        assert url_in(tmp_path / "broker") == broker.url == f"mqtt://{HOST}:{port}"


def test_nothing_that_a_device_says_moves_a_terminal() -> None:
    """Escapes, line ends and changes of direction in an answer are shown, and not obeyed."""
    wild = "\x1b[2Jgone\r\n\u202egnp.exe\x9b"
    reply = Reply("1", found=Found(False, "connect", 5, wild, {wild: wild}, ((wild, {"a": wild}, {"b": wild}),)))
    for text in (as_text(AGENT, reply, "en"), as_text(AGENT, Reply("1", diagnosis={wild: [wild, {"a": wild}]}), "zh")):
        assert all(char.isprintable() or char == "\n" for char in text)
    shown = str(as_json(AGENT, reply)) + str(as_json(AGENT, Reply("1", refused="busy", reason=wild)))
    assert shown.isprintable()


@pytest.mark.parametrize(
    "words",
    [
        ["throughput", "http://li:geheim@192.0.2.7/"],
        ["probe", "portal", "http://geheim@192.0.2.7/"],
        ["probe", "portal", "http://192.0.2.7/", "--set", "api=https://li:geheim@192.0.2.7/"],
    ],
)
def test_a_password_in_an_address_gets_into_no_log(tmp_path: Path, words: list[str]) -> None:
    """It is refused before anything is recorded or sent, and is not said again."""
    said = run("ask", AGENT, *words, "--broker", f"mqtt://{HOST}:{free_port()}", "--data", tmp_path, code=2)
    assert said == ("", "an address has a user in it, which everybody would see who reads the log: leave it out\n")
    assert not list(tmp_path.iterdir())
