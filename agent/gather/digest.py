"""HTTP Digest (RFC 7616, with MD5 also RFC 2617), which many devices ask for: the answer to a challenge."""

import hashlib
import re
import secrets
from collections.abc import Iterable
from typing import NamedTuple
from urllib.request import parse_http_list

_HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}


class Challenge(NamedTuple):
    """What a server asks to be proven; `algorithm` (MD5 when it says none) and `opaque` are sent back as they came."""

    realm: str
    nonce: str
    algorithm: str = ""
    has_qop: bool = False
    opaque: str | None = None

    @property
    def is_session(self) -> bool:
        """Whether the proof is bound to nonce and cnonce."""
        return self.algorithm.upper().endswith("-SESS")

    @property
    def hash(self) -> str:
        """The hash in hashlib's words, empty for one that is not known."""
        return _HASHES.get((self.algorithm or "MD5").upper().removesuffix("-SESS"), "")


def chosen(headers: Iterable[str]) -> Challenge | None:
    """Return the first challenge of the headers WWW-Authenticate that can be answered, None when there is none."""
    for header in headers:
        for part in re.split(r"(?i)(?:^|,)\s*digest\s+", header)[1:]:
            if (challenge := _parsed(part)) is not None:
                return challenge
    return None


def _parsed(text: str) -> Challenge | None:
    pairs = (item.partition("=") for item in parse_http_list(" ".join(text.split())))
    given = {name.strip().lower(): value.strip().strip('"') for name, equals, value in pairs if equals}
    qop = {word.strip().lower() for word in given.get("qop", "").split(",")} - {""}
    if "nonce" not in given or (qop and "auth" not in qop):
        return None
    algorithm, opaque = given.get("algorithm", ""), given.get("opaque")
    challenge = Challenge(given.get("realm", ""), given["nonce"], algorithm, bool(qop), opaque)
    return challenge if challenge.hash in hashlib.algorithms_available else None


def authorization(
    challenge: Challenge, login: tuple[str, str], method: str, target: str, count: int = 1, cnonce: str = ""
) -> str:
    """Return the header Authorization for `login` (user name, password); `count` is how often the nonce was used."""
    cnonce = cnonce or secrets.token_hex(16)
    username, password = login
    first = _hash(challenge, f"{username}:{challenge.realm}:{password}")
    if challenge.is_session:
        first = _hash(challenge, f"{first}:{challenge.nonce}:{cnonce}")
    used = f"{count:08x}:{cnonce}:auth:" if challenge.has_qop else ""
    response = _hash(challenge, f"{first}:{challenge.nonce}:{used}{_hash(challenge, f'{method}:{target}')}")
    said = [
        f"username={_quoted(username)}",
        f"realm={_quoted(challenge.realm)}",
        f"nonce={_quoted(challenge.nonce)}",
        f"uri={_quoted(target)}",
        f"response={_quoted(response)}",
    ]
    if challenge.algorithm:
        said.append(f"algorithm={challenge.algorithm}")
    if challenge.opaque is not None:
        said.append(f"opaque={_quoted(challenge.opaque)}")
    if challenge.has_qop:
        said += ["qop=auth", f"nc={count:08x}"]
    if challenge.has_qop or challenge.is_session:
        said.append(f"cnonce={_quoted(cnonce)}")
    return "Digest " + ", ".join(said)


def _hash(challenge: Challenge, text: str) -> str:
    return hashlib.new(challenge.hash, text.encode(), usedforsecurity=False).hexdigest()


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
