"""
Passwords: which are taken, what is kept of them, and whether one is right.

    scrypt$15$8$3$<salt>$<hash>      2^15 blocks of 8 × 128 bytes, three times over: 32 MiB for each guess (RFC 7914)

scrypt is in the standard library: one program less that must be there in a wheel for every machine. Each hash carries
its own parameters, so that they can grow; what is kept with others than today's is made anew at the next login.
"""

import base64
import hashlib
import hmac
import secrets
import unicodedata
from typing import NamedTuple

LEAST, MOST = 10, 256  # characters
_LOG_N, _R, _P = 15, 8, 3
_SALT_BYTES, _HASH_BYTES = 16, 32
_MOST_MEMORY = 512 << 20
_MOST_LOG_N, _MOST_R, _MOST_P = 18, 16, 16


class _Kept(NamedTuple):
    log_n: int
    r: int
    p: int
    salt: bytes
    hash: bytes


def flaw_of(password: str, name: str = "") -> str:
    """Say why a password is not taken, nothing when it is. Length is what counts, not kinds of characters."""
    if len(password) < LEAST:
        return f"a password needs at least {LEAST} characters"
    if len(password) > MOST:
        return f"a password has at most {MOST} characters"
    if any(unicodedata.category(letter) == "Cc" for letter in password):
        return "a password has no control characters"
    if len(set(password)) < 4:
        return "a password needs at least 4 different characters"
    if name and name.casefold() in password.casefold() and len(password) < len(name) + LEAST // 2:
        return "a password is not the name of whoever it belongs to"
    return ""


def hashed(password: str) -> str:
    """Return what is kept of a password."""
    salt = secrets.token_bytes(_SALT_BYTES)
    made = _Kept(_LOG_N, _R, _P, salt, b"")
    return "$".join(("scrypt", str(_LOG_N), str(_R), str(_P), _text(salt), _text(_scrypt(password, made))))


def is_right(password: str, kept: str) -> bool:
    """Tell whether a password is the one of which this is kept; of nothing kept it takes as long, and is no."""
    try:
        known = _parse(kept or _NOBODY)
    except ValueError:
        known = _parse(_NOBODY)
    # What is longer than any password is not even hashed to its end: nobody has it.
    is_same = hmac.compare_digest(_scrypt(password[: MOST + 1], known), known.hash)
    return is_same and bool(kept)


def is_of_today(kept: str) -> bool:
    """Tell whether what is kept was made with today's parameters."""
    return kept.startswith(f"scrypt${_LOG_N}${_R}${_P}$")


def is_kept_form(kept: str) -> bool:
    """Tell whether a text is what is kept of a password."""
    try:
        _parse(kept)
    except ValueError:
        return False
    return True


def _scrypt(password: str, kept: _Kept) -> bytes:
    typed = unicodedata.normalize("NFKC", password).encode(errors="replace")  # as it is typed, whatever the keyboard
    return hashlib.scrypt(
        typed, salt=kept.salt, n=1 << kept.log_n, r=kept.r, p=kept.p, maxmem=_MOST_MEMORY, dklen=_HASH_BYTES
    )


def _parse(kept: str) -> _Kept:
    kind, log_n, r, p, salt, digest = kept.split("$")
    found = _Kept(int(log_n), int(r), int(p), _bytes(salt), _bytes(digest))
    bounds = ((found.log_n, 10, _MOST_LOG_N), (found.r, 1, _MOST_R), (found.p, 1, _MOST_P))
    if kind != "scrypt" or any(not least <= one <= most for one, least, most in bounds):
        raise ValueError("is not scrypt within bounds")
    if len(found.salt) < _SALT_BYTES or len(found.hash) != _HASH_BYTES:
        raise ValueError("is too short")
    return found


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


# Of a name that nobody has, as much work is done as of one that somebody has.
_NOBODY = "$".join(("scrypt", str(_LOG_N), str(_R), str(_P), _text(bytes(_SALT_BYTES)), _text(bytes(_HASH_BYTES))))
