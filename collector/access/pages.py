"""The login page: it needs no script and loads nothing."""

import html
from urllib.parse import urlsplit

from collector.words import Language, word

_PAGE = """<!doctype html>
<html lang="{lang}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>
:root {{ color-scheme: light dark }}
body {{ font: 16px/1.5 system-ui, "Noto Sans CJK SC", sans-serif; margin: 0; background: #f4f5f7; color: #1c1f23 }}
main {{ max-width: 20rem; margin: 12vh auto 0; padding: 1.5rem; background: #fff; border: 1px solid #d5d9de }}
h1 {{ font-size: 1.25rem; margin: 0 0 1rem }}
label {{ display: block; margin: .75rem 0 .25rem }}
input {{ width: 100%; box-sizing: border-box; font: inherit; padding: .5rem; border: 1px solid #8a929b }}
button {{ font: inherit; margin-top: 1rem; padding: .5rem 1rem; background: #0b5394; color: #fff; border: 0;
width: 100% }}
p {{ margin: 1rem 0 0 }} .wrong {{ color: #a30000 }}
@media (prefers-color-scheme: dark) {{
body {{ background: #16181b; color: #e8eaed }} main {{ background: #202327; border-color: #3a3f45 }}
.wrong {{ color: #ff9a9a }} a {{ color: #8ab4f8 }} }}
</style></head><body><main>
<h1>{title}</h1>
<form method="post" action="login">
<input type="hidden" name="next" value="{next}"><input type="hidden" name="lang" value="{lang}">
<label for="name">{name}</label>
<input id="name" name="name" autocomplete="username" required maxlength="64" value="{given}"{first}>
<label for="password">{password}</label>
<input id="password" name="password" type="password" autocomplete="current-password" required maxlength="256"{then}>
<button>{button}</button>{said}
</form><p><a href="?{other}" hreflang="{other_lang}" lang="{other_lang}">{other_name}</a></p>
</main></body></html>
"""
_OTHER: dict[Language, tuple[Language, str]] = {"zh": ("en", "English"), "en": ("zh", "中文")}


def login_page(language: Language, target: str, said: str = "", given: str = "") -> bytes:
    """Return the page; `target` is where it leads, `said` what came of the last try, by whoever was `given`."""
    other, other_name = _OTHER[language]
    quoted = html.escape(target)
    return _PAGE.format(
        lang=language,
        title=html.escape(word("login_title", language)),
        next=quoted,
        name=html.escape(word("user", language)),
        password=html.escape(word("password", language)),
        given=html.escape(given),
        first="" if given else " autofocus",
        then=" autofocus" if given else "",
        button=html.escape(word("log_in", language)),
        said=f'\n<p class="wrong" role="alert">{html.escape(said)}</p>' if said else "",
        other=f"lang={other}&amp;next={quoted}",
        other_lang=other,
        other_name=other_name,
    ).encode()


def wrong(language: Language) -> str:
    """Return what is said of a wrong name or password: not which."""
    return word("login_wrong", language)


def wait(language: Language, seconds: float) -> str:
    """Return what is said when there were too many wrong guesses."""
    return word("login_wait", language).format(seconds=max(1, round(seconds)))


def preferred(header: str) -> Language:
    """Return the language that a browser would rather have, of those that there are."""
    first = header.split(",", maxsplit=1)[0].strip().lower()
    return "en" if first.startswith("en") else "zh"


def own_path(text: str) -> str:
    """Return a path of our own pages, the front page for anything else: a login must not lead elsewhere."""
    parts = urlsplit(text)
    is_own = text.startswith("/") and not text.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return text if is_own and text.isprintable() and "\\" not in text and len(text) < 2000 else "/"
