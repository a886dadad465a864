"""
What an authority does: be made, issue, renew, revoke, list who must not be let in.

    index (SQLite, one transaction a change) ──▶ list of revoked certificates (crl.pem), written anew from it
                                            └──▶ certificates as files, for whoever asked

The index is the truth. Whatever ends between a change of it and the files that follow from it, the next command writes
them: the list by every one that changes something and by `crl`, certificates by the same command once more.
"""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from collector.authority import certify, signing
from collector.authority.certify import Revoked, Root, utc_now
from collector.authority.files import (
    CRL,
    ROOT,
    ROOT_KEY,
    AuthorityError,
    alone,
    make,
    read_secret,
    write_secret,
)
from collector.authority.identity import Identity
from collector.authority.index import Entry, Index, opened
from collector.durable import write_whole

DAYS = 730
RENEW_WITHIN_DAYS = 60
STOLEN, REPLACED = "stolen", "replaced"
# Why somebody is not let in any more, and what X.509 calls it.
REASONS = {
    STOLEN: x509.ReasonFlags.key_compromise,
    "retired": x509.ReasonFlags.cessation_of_operation,
    REPLACED: x509.ReasonFlags.superseded,
}


class Issued(NamedTuple):
    """The certificate that holds for somebody now, and whether it was just made."""

    entry: Entry
    changed: bool


def init(folder: Path) -> bool:
    """Make an authority, or what is missing of one that was not made to its end; tell whether anything was made."""
    make(folder)
    with alone(folder):
        changed = _make_root(folder)
        with opened(folder, create=True) as index:
            changed = _write_crl(folder, index) or changed
        return signing.create(folder) or changed


def issue(
    folder: Path, who: Identity, key: ec.EllipticCurvePublicKey, *, days: int = DAYS, replace: bool = False
) -> Issued:
    """
    Return the certificate that holds for somebody with this key: the one that is there, else a new one.

    One that expires within RENEW_WITHIN_DAYS is renewed, and one that is not valid yet. AuthorityError: the key is
    another's or was revoked, or theirs is another one and it is not to be replaced.
    """
    print_of_key, now = _print(key), utc_now()
    with alone(folder), opened(folder) as index:
        root = _root(folder)
        _check_clock(root, now)
        _check_key(index, print_of_key, who.name)
        held = [one for one in index.of(who.name) if one.revoked is None]
        if held and held[-1].key != print_of_key and not replace:
            raise AuthorityError(
                f"{who.name}: its certificate is for another key (serial {held[-1].serial}, valid to "
                f"{held[-1].end:%Y-%m-%d}). If you know that it has new hardware or a new card: --replace, or "
                f"`santong ca revoke {who.name} --reason replaced` and run the playbook again; else somebody else "
                "may be asking in its name"
            )
        replaced = [one for one in held if one.key != print_of_key]
        if held and not replaced and held[-1].who == who and not _is_due(held[-1], now, RENEW_WITHIN_DAYS):
            _write_crl(folder, index)
            return Issued(held[-1], changed=False)
        made = _made(root, who, key, now, days)
        index.change([made], replaced, now, REPLACED)
        _write_crl(folder, index)
    return Issued(made, changed=True)


def renew(
    folder: Path, names: Sequence[str] = (), *, within_days: int = RENEW_WITHIN_DAYS, days: int = DAYS
) -> list[Entry]:
    """
    Renew the certificates of `names`, else all that expire within so many days or have expired: for the same keys.

    What was revoked is not renewed. AuthorityError for a name that has none; then nothing is renewed.
    """
    now = utc_now()
    with alone(folder), opened(folder) as index:
        root = _root(folder)
        _check_clock(root, now)
        current = {one.who.name: one for one in index.current()}
        for name in names:
            if name not in current:
                raise AuthorityError(_no_certificate(index, name))
        old = [current[name] for name in names] or [one for one in current.values() if _is_due(one, now, within_days)]
        made = [_made(root, one.who, _key_of(one), now, days) for one in old]
        if made:
            index.change(made, [], now, "")
        _write_crl(folder, index)
    return made


def revoke(folder: Path, name: str, reason: str) -> list[Entry]:
    """
    Revoke every certificate of somebody, and write the list; return those that were not revoked before.

    All, since the one before a renewal is for the same key. What was replaced or retired, and turns out to be stolen,
    is stolen from then on. AuthorityError where there never was one.
    """
    with alone(folder), opened(folder) as index:
        found = index.of(name)
        if not found:
            raise AuthorityError(_no_certificate(index, name))
        held = [one for one in found if one.revoked is None]
        if held:
            index.change([], held, utc_now(), reason)
        milder = [one for one in found if one.revoked is not None and one.reason != reason] if reason == STOLEN else []
        index.blame(milder, reason)
        _write_crl(folder, index)
    return [*milder, *held]


def refresh(folder: Path) -> bool:
    """Write the list of revoked certificates anew where it is not that of the index; tell whether it was."""
    with alone(folder), opened(folder) as index:
        return _write_crl(folder, index)


def refused_over_websocket(folder: Path) -> list[str]:
    """
    Return the names that a broker must not serve over WebSocket, where mosquitto 2.0 looks at no list.

    Whoever has a revoked certificate that has not expired, and either no other one, or lost the key to somebody.
    """
    now = utc_now()
    with opened(folder) as index:
        valid = {one.who.name for one in index.current() if one.end > now}
        revoked = [one for one in index.revoked() if one.end > now]
    return sorted({one.who.name for one in revoked if one.who.name not in valid or one.reason != REPLACED})


def entries(folder: Path, *, current: bool = True) -> list[Entry]:
    """Return of each name the newest certificate, revoked ones where there is no other; else everything."""
    with opened(folder) as index:
        every = index.every()
    if not current:
        return every
    newest = {one.who.name: one for one in every}
    newest.update({one.who.name: one for one in every if one.revoked is None})
    return sorted(newest.values(), key=lambda one: one.who)


def held(folder: Path, name: str) -> Entry | None:
    """Return the newest certificate of a name that was not revoked, whether it has expired or not; None without."""
    with opened(folder) as index:
        return next((one for one in reversed(index.of(name)) if one.revoked is None), None)


def authority_pem(folder: Path) -> str:
    """Return the authority's own certificate; AuthorityError."""
    return certify.pem(_root_certificate(folder))


def crl_pem(folder: Path) -> str:
    """Return the list of revoked certificates; OSError."""
    return (folder / CRL).read_text(encoding="ascii")


# ---- inside


def _make_root(folder: Path) -> bool:
    key_file, file = folder / ROOT_KEY, folder / ROOT
    if file.exists():
        _root(folder)
        return False
    if not key_file.exists():
        write_secret(key_file, certify.key_pem(certify.new_key()))
    key = certify.read_key(read_secret(key_file), str(key_file))
    # With a name of its own: an agent that trusts two cities' authorities can tell them apart.
    made = certify.root(key, f"Santong authority {secrets.token_hex(4)}", utc_now())
    write_whole(file, certify.pem(made).encode())
    return True


def _root(folder: Path) -> Root:
    certificate = _root_certificate(folder)
    file = folder / ROOT_KEY
    if not file.exists():
        raise AuthorityError(f"{file}: the authority's key is missing: restore it from a backup")
    key = certify.read_key(read_secret(file), str(file))
    if key.public_key() != certificate.public_key():
        raise AuthorityError(f"{file}: is not the key of {folder / ROOT}: restore both from one backup")
    return Root(key, certificate)


def _root_certificate(folder: Path) -> x509.Certificate:
    file = folder / ROOT
    try:
        return x509.load_pem_x509_certificate(file.read_bytes())
    except FileNotFoundError:
        raise AuthorityError(f"{folder}: there is no authority: make one with `santong ca init`") from None
    except certify.UNREADABLE:
        raise AuthorityError(f"{file}: is no certificate in PEM: restore it from a backup") from None


def _made(root: Root, who: Identity, key: ec.EllipticCurvePublicKey, now: datetime, days: int) -> Entry:
    made = certify.certificate(root, who, key, now, days)
    begin, end = made.not_valid_before_utc, made.not_valid_after_utc
    return Entry(f"{made.serial_number:x}", who, _print(key), now, begin, end, certify.pem(made))


def _check_key(index: Index, print_of_key: str, name: str) -> None:
    """One key is one identity: a copied card is not another device, and a stolen one never comes back."""
    for one in index.with_key(print_of_key):
        if one.who.name != name:
            raise AuthorityError(
                f"{name}: its key is that of {one.who.name}: every device makes its own, delete the copy"
            )
        if one.revoked is not None:
            raise AuthorityError(
                f"{name}: its key was revoked on {one.revoked:%Y-%m-%d} ({one.reason}): make a new one"
            )


def _is_due(entry: Entry, now: datetime, within_days: int) -> bool:
    """Tell one that ends soon, or that was issued when the clock was ahead, and lets nobody in yet."""
    return entry.end <= now + timedelta(days=within_days) or entry.begin > now


def _check_clock(root: Root, now: datetime) -> None:
    begin, end = root.certificate.not_valid_before_utc, root.certificate.not_valid_after_utc
    if not begin <= now < end:
        raise AuthorityError(
            f"this machine's clock says {now:%Y-%m-%d %H:%M} UTC, and the authority is valid from {begin:%Y-%m-%d} "
            f"to {end:%Y-%m-%d}: set the clock"
        )


def _key_of(entry: Entry) -> ec.EllipticCurvePublicKey:
    key = x509.load_pem_x509_certificate(entry.certificate.encode()).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey), "no other key is ever certified"  # noqa: S101
    return key


def _print(key: ec.EllipticCurvePublicKey) -> str:
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def _no_certificate(index: Index, name: str) -> str:
    revoked = [one for one in index.of(name) if one.revoked is not None]
    if revoked:
        return f"{name}: was revoked ({revoked[-1].reason}): issue a certificate for a new key"
    return f"{name}: has no certificate"


def _write_crl(folder: Path, index: Index) -> bool:
    root, revoked = _root(folder), index.revoked()
    file = folder / CRL
    before = certify.read_revocations(file.read_bytes(), root) if file.exists() else None
    listed = [Revoked(int(one.serial, 16), one.revoked, REASONS[one.reason]) for one in revoked if one.revoked]
    is_same = before is not None and certify.reasons(before) == {one.serial: one.reason for one in listed}
    # One of the future, by a clock that was ahead, lets nobody in.
    if before is not None and is_same and before.last_update_utc <= utc_now():
        return False
    write_whole(file, certify.revocations(root, listed, utc_now(), before))
    return True
