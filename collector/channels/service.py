"""
One address, and how a message gets there: the only door to apprise.

A message counts as taken when the other side said so. Two of the services answer 200 to everything, and say inside the
answer whether they took it; apprise does not look there, so it is done here.
"""

import hashlib
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from contract.errors import SantongError
from contract.meant import did_you_mean

if TYPE_CHECKING:
    from apprise import NotifyBase

Urgency = Literal["info", "warning", "critical"]
TAKEN, UNREACHABLE, TIMEOUT, FAILED, HTTP, REFUSED = "taken", "unreachable", "timeout", "failed", "http", "refused"

_TYPES = {"info": "info", "warning": "warning", "critical": "failure"}
# These answer 200 with an `errcode` that is 0 where the message was taken: 93000 a wrong key, 45009 too many messages.
_SAY_INSIDE = ("wecombot", "dingtalk")
# What people write, and what they mean: wecom:// is a relay of somebody else, and not 企业微信.
_MEANT = {"wecom": "wecombot", "http": "json", "https": "jsons", "smtp": "mailto", "smtps": "mailtos", "lark": "feishu"}
# Of a URL's query, what tells one receiver from another. All else is how it is sent, or a password.
_WHO = ("to", "cc", "bcc", "key", "token", "user", "smtp")
_IN_ALL_S = 30.0
_MOST_CODE = 10**9  # some are negative: -1 where 企业微信 is busy


class Unknown(SantongError):
    """A URL that names no address; the message has its kind at most."""


class Message(NamedTuple):
    """What is said; `text` is plain, its lines end with a line feed."""

    title: str
    text: str
    urgency: Urgency = "info"


class Address:
    """Somebody who gets messages. `name` is the kind, the host where that is no secret, and a mark of the rest."""

    def __init__(self, service: "NotifyBase", name: str) -> None:
        self._service = service
        self.name = name

    def room(self, title: str) -> int:
        """Return how many bytes of text one message with this title may have, in UTF-8."""
        # Where there is no title of its own, it stands above the text.
        above = len(title.encode()) + 2 if self._service.title_maxlen <= 0 else 0
        return int(self._service.body_maxlen) - above

    def send(self, message: Message) -> str:
        """Send a message; return `taken`, or why not: unreachable, timeout, http_404, refused_93000, failed."""
        apprise = _library()
        courier = apprise.Apprise(self._service, asset=self._service.asset)
        with _answers() as answers:
            result = courier.notify(
                message.text.rstrip("\n"),
                title=message.title,
                notify_type=_TYPES[message.urgency],
                body_format=apprise.NotifyFormat.TEXT,
                timeout=_IN_ALL_S,
            )
        # Not the result's own word: with `?optional=yes` in a URL that is yes, whatever happened.
        attempts = [attempt for one in result for attempt in one.attempts]
        if not attempts:
            return FAILED
        if not attempts[-1]:
            return _reason(attempts[-1])
        return _inside(answers) if self._service.schema in _SAY_INSIDE else TAKEN


def address_of(url: str) -> Address:
    """Return the address of a URL; Unknown when apprise does not know it."""
    apprise = _library()
    kind, found, _ = url.partition("://")
    kind = kind.lower()
    if not found or not re.fullmatch(r"[a-z0-9_-]{1,30}", kind):
        raise Unknown("does not begin with a kind, such as wecombot:// or mailtos://")
    if _place(url).count("@") > 1:  # what is behind the first would be taken for the host, and shown
        raise Unknown(f"has two @ before the host of {kind}://: write %40 for one in a user or a password")
    service = None if kind in _MEANT and not kind.startswith("http") else _service_of(url)
    if service is None:
        raise Unknown(_flaw(kind))
    if "mailto" in service.schema:
        service.notify_format = apprise.NotifyFormat.TEXT  # lines that can be copied out, instead of HTML
    return Address(service, _name(service, url))


def _service_of(url: str) -> "NotifyBase | None":
    apprise = _library()
    # Where a message is sent on to another place, a GET follows that nobody reads, and is answered 200.
    asset = apprise.AppriseAsset(
        app_id="Santong", app_desc="Santong", app_url="", async_mode=False, http_redirects=False
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the first one loads imghdr, for what is not used here
        made: NotifyBase | None = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    return made


def _flaw(kind: str) -> str:
    from apprise.manager_plugins import NotificationManager  # noqa: PLC0415

    if kind in _MEANT:
        return f"{kind}:// is not what messages go to, did you mean {_MEANT[kind]}://"
    kinds = NotificationManager()
    if kind not in kinds:
        return f"{kind}:// is unknown{did_you_mean(kind, kinds.schemas())}"
    needed = str(kinds[kind].templates[0]).replace("{schema}", kind)
    return f"is not a whole {kind}:// address: it has the form {needed}"


def _place(url: str) -> str:
    """Return what stands between kind and path: user, password, host, port."""
    try:
        return urlsplit(url).netloc
    except ValueError:
        raise Unknown("has brackets that are not those of an IPv6 address") from None


def _name(service: "NotifyBase", url: str) -> str:
    """Return what is shown of an address: where a host is a key, as with bots, no host."""
    is_public = "host" in service.template_tokens
    host = re.sub(r"[^\w.-]", "?", str(service.host or "")) if is_public else ""
    mark = hashlib.sha256(_who(url).encode()).hexdigest()[:8]
    return f"{service.schema}{'://' if host else ''}{host}#{mark}"


def _who(url: str) -> str:
    """Return the URL without its password: from a mark of it nobody can guess one."""
    parts = urlsplit(url)
    user, at, place = parts.netloc.rpartition("@")
    query = sorted((key, value) for key, value in parse_qsl(parts.query) if key in _WHO)
    return f"{parts.scheme.lower()}://{user.partition(':')[0]}{at}{place}{parts.path.rstrip('/')}?{query}"


def _library() -> ModuleType:
    """Return apprise, which says nothing on its own: what it logs has URLs in it."""
    import apprise  # noqa: PLC0415  half a second, and 40 MB that few commands need

    logging.getLogger("apprise").propagate = False
    return apprise


@contextmanager
def _answers() -> Iterator[list[Any]]:
    """Keep what is answered to requests; apprise looks at the status alone, and hands nothing on."""
    import requests  # noqa: PLC0415  comes with apprise

    heard: list[Any] = []
    original = requests.post

    def post(*words: Any, **options: Any) -> Any:
        answer = original(*words, **options)
        heard.append(answer)
        return answer

    requests.post = post
    try:
        yield heard
    finally:
        requests.post = original


def _inside(answers: list[Any]) -> str:
    for answer in answers:
        try:
            code = answer.json().get("errcode")
        except (ValueError, AttributeError):
            return FAILED
        if code != 0:
            return f"{REFUSED}_{int(code)}" if isinstance(code, int) and abs(code) < _MOST_CODE else FAILED
    return TAKEN if answers else FAILED


def _reason(attempt: Any) -> str:
    """Return why an attempt failed, of what apprise logged no more than a number: the rest may have secrets in it."""
    logged = " ".join(entry.message for entry in attempt.logs)
    if match := re.search(r"\berror=(\d{3})\b", logged):
        return f"{HTTP}_{match[1]}"
    if match := re.search(r"\bcode=(\d{1,9})\b", logged):
        return f"{REFUSED}_{match[1]}"
    if attempt.status.name == "TIMEOUT":
        return TIMEOUT
    return UNREACHABLE if "onnection error" in logged else FAILED
