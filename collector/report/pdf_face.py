"""
What a PDF shows, part by part, so that two can be compared: not its text alone.

Objects are followed from each page and from the catalogue and written as text; of a stream its unpacked content counts.
Numbers of objects and the six letters that name a font are drawn by lot when a PDF is made: fonts are named by what is
in them instead. Of what is attached the names alone count: the report within is compared by itself.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

_FONT_USED = re.compile(rb"/([A-Z]{6})(?= [\d.]+ Tf)")
_SUBSET = re.compile(r"/[A-Z]{6}\+")
_NOT_SHOWN = {"/Parent", "/P", "/Length", "/Filter", "/DecodeParms", "/StructParents", "/StructTreeRoot"}
_LOTTERY = {"/FontName", "/BaseFont"}  # the names of parts of fonts, which begin with six letters by lot


def parts_of(reader: Any) -> Iterator[tuple[str, str]]:
    """Yield each part of a PDF, an opened one of pypdf, with what it is: a short text, or a hash of a longer one."""
    teller = _Teller(reader)
    for number, page in enumerate(reader.pages, 1):
        place = f"page {number}"
        for key in sorted(page.keys() - _NOT_SHOWN - {"/Annots", "/Contents", "/Resources"}):
            yield f"{place} {key}", _short(teller.tell(page[key]))
        resources = _plain(page.get("/Resources"))
        yield f"{place} drawing", _short(teller.drawn(_content(page), resources))
        yield f"{place} resources", _short(teller.tell(resources))
        for at, note in enumerate(_plain(page.get("/Annots")) or (), 1):
            yield f"{place} annotation {at}", _short(teller.tell(note))
    root = reader.trailer["/Root"]
    for key in sorted(root.keys() - {"/Pages", "/Names", "/Type"}):
        yield f"document {key}", _short(teller.tell(root[key]))
    names = _plain(root.get("/Names")) or {}
    for key in sorted(names.keys() - {"/EmbeddedFiles"}):
        yield f"document {key}", _short(teller.tell(names[key]))
    yield "document attached", " ".join(sorted(reader.attachments))
    yield "document title", str((reader.metadata or {}).get("/Title", ""))


class _Teller:
    """Writes objects as text; each indirect one once."""

    def __init__(self, reader: Any) -> None:
        self._known: dict[int, str] = {
            page.indirect_reference.idnum: f"<page {number}>" for number, page in enumerate(reader.pages, 1)
        }

    def tell(self, value: Any, resources: Any = None) -> str:
        """Return an object as text; `resources` are those of the page around it, where it has none itself."""
        number = getattr(value, "idnum", None)
        if number is None:
            return self._tell(value, resources)
        if number not in self._known:
            self._known[number] = "<above>"
            self._known[number] = _short(self._tell(value.get_object(), resources))
        return self._known[number]

    def drawn(self, content: bytes, resources: Any) -> str:
        """Return a content stream, its fonts named by what is in them."""
        fonts = _plain((resources or {}).get("/Font")) or {}

        def named(match: re.Match[bytes]) -> bytes:
            name = f"/{match[1].decode()}"
            return self._font(fonts[name]).encode() if name in fonts else match[0]

        return _FONT_USED.sub(named, content).decode("latin-1")

    def _font(self, font: Any) -> str:
        return hashlib.sha256(self.tell(font).encode("utf-8", "surrogateescape")).hexdigest()[:16]

    def _tell(self, value: Any, resources: Any) -> str:
        if isinstance(value, Mapping):
            return self._told(value, resources)
        if isinstance(value, list):
            return "[" + " ".join(self.tell(one, resources) for one in list.__iter__(value)) + "]"
        return repr(value)

    def _told(self, value: Mapping[str, Any], resources: Any) -> str:
        own = _plain(value.get("/Resources")) or resources
        found = []
        for key in sorted(value.keys() - _NOT_SHOWN):
            raw = value.raw_get(key) if hasattr(value, "raw_get") else value[key]
            if key == "/Font" and isinstance(_plain(raw), Mapping):
                fonts = _plain(raw)
                found.append("/Font " + " ".join(sorted(self._font(fonts.raw_get(one)) for one in fonts)))
            elif key in _LOTTERY:
                found.append(f"{key} {_SUBSET.sub('/', str(raw))}")
            else:
                found.append(f"{key} {self.tell(raw, own)}")
        if hasattr(value, "get_data"):
            found.append("stream " + _short(self.drawn(value.get_data(), own)))
        return "<<" + " ".join(found) + ">>"


def _content(page: Any) -> bytes:
    content = page.get_contents()
    return content.get_data() if content is not None else b""


def _plain(value: Any) -> Any:
    return value.get_object() if value is not None else None


def _short(text: str) -> str:
    if len(text) <= 200:
        return text
    return "SHA-256 " + hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
