"""Takes away what is written for the eye: Markdown, HTML, code, reasoning, addresses."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from voicemesh_tts.text.traced import Part, Rewrite, TracedText

_OPENING = re.compile(
    r"(?P<reasoning><(?P<tag>think|thinking|thought|reasoning)\b[^>]*>)|(?P<fence>```|~~~)",
    re.IGNORECASE,
)
_STRAY_CLOSING = re.compile(
    r".*</(?:think|thinking|thought|reasoning)\s*>", re.IGNORECASE | re.DOTALL
)

_MARKS = ".!?:;,。！？：；，、"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})\.)+[A-Za-z]{2,24}"
_PATH = r"[^\s<>\"'，。！？；：、（）《》「」]*"
# Endings that make a bare name an address; others may be file names.
_TOP_LEVEL = "com|org|net|edu|gov|io|ai|dev|app|cn|de|uk|eu|jp|fr|info|me|tv|co"

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_SPECIAL_TOKEN = re.compile(r"<\|[^|>\n]{0,40}\|?>")
_BREAK = re.compile(r"<(?:br|/p|/li|/h[1-6]|/div|/tr|break)\b[^>]*>", re.IGNORECASE)
_AUTOLINK = re.compile(r"<((?:https?://|mailto:)[^>\s]+)>")
_TAG = re.compile(r"</?[A-Za-z][\w:-]*(?:\s[^<>]*)?/?>")
_ENTITY = re.compile(r"&(?:[A-Za-z]{2,8}|#\d{1,6}|#x[0-9A-Fa-f]{1,5});")
_IMAGE_OR_LINK = re.compile(r"!?\[([^\[\]]*)\](?:\([^()\s]*(?:\s+\"[^\"]*\")?\)|\[[^\[\]]*\])")
_FOOTNOTE = re.compile(r"\[\^[^\]\s]+\]:?|\[\d{1,3}\](?!\w)")
_EMAIL = re.compile(rf"(?:mailto:)?(?<![\w.])([A-Za-z0-9][A-Za-z0-9._+-]*)@({_HOST})")
_URL = re.compile(rf"(?:https?|ftp|wss?)://(?:www\.)?({_HOST}|[^\s/:，。]+){_PATH}", re.IGNORECASE)
_BARE_HOST = re.compile(
    rf"(?<![\w@./-])(?:www\.(?P<www>{_HOST})|(?P<host>(?:[A-Za-z0-9-]+\.)+(?:{_TOP_LEVEL})))"
    rf"(?![\w.-]*\w)(?::\d+)?(?:/{_PATH})?"
)
_INLINE_CODE = re.compile(r"`+([^`\n]+)`+")
_RULE_LINE = re.compile(
    r"^[ \t]*(?:([-*_=])(?:[ \t]*\1){2,}|\|?[ \t]*:?-{2,}[-:| \t]*)[ \t]*$", re.M
)
_TABLE_ROW = re.compile(r"^[ \t]*\|(.*?)\|?[ \t]*$", re.M)
_HEADING = re.compile(r"^[ \t]*#{1,6}[ \t]+(.*?)[ \t]*#*[ \t]*$", re.M)
_QUOTE = re.compile(r"^[ \t]*(?:>[ \t]?)+", re.M)
_BULLET = re.compile(r"^[ \t]*[-*+•‣◦·▪●][ \t]+(?:\[[ xX]\][ \t]+)?(.*?)[ \t]*$", re.M)
_NUMBERED = re.compile(r"^[ \t]*(\d{1,3})[.)、][ \t]*(?!\d)(.*?)[ \t]*$", re.M)
_PARAGRAPH = re.compile(r"[ \t]*\n[ \t]*(?:\n[ \t]*)+")
_LINE_END = re.compile(r"[ \t]*\n[ \t]*")
_SNAKE = re.compile(r"(?<=\w)_(?=\w)")

_FORMULA = re.compile(
    r"\$\$(?P<a>.+?)\$\$|\\\[(?P<b>.+?)\\\]|\\\((?P<c>.+?)\\\)|\$(?P<d>[^$\n]*[\\^=_{][^$\n]*)\$",
    re.DOTALL,
)
_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_ROOT = re.compile(r"\\sqrt\s*\{([^{}]*)\}")
_POWER = re.compile(r"\^\{?(?:([23])(?!\d)|(\\circ))\}?")
_COMMANDS = {
    "times": "×", "cdot": "×", "div": "÷", "pm": "±", "leq": "≤", "le": "≤", "geq": "≥",
    "ge": "≥", "neq": "≠", "ne": "≠", "approx": "≈", "infty": "∞", "degree": "°", "circ": "°",
    "to": "→", "rightarrow": "→", "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ",
    "Delta": "Δ", "epsilon": "ε", "theta": "θ", "lambda": "λ", "mu": "μ", "pi": "π",
    "sigma": "σ", "Sigma": "Σ", "phi": "φ", "omega": "ω", "Omega": "Ω",
}  # fmt: skip
_COMMAND = re.compile(r"\\(?:([A-Za-z]+)|([%$&#_{}]))")


class MarkupFilter:
    """Markup of one reply. It remembers reasoning and code left open by a piece."""

    def __init__(self) -> None:
        """Starts in plain text."""
        self._until: re.Pattern[str] | None = None

    def clean(self, text: TracedText) -> TracedText:
        """The words of a piece, without what is written for the eye."""
        text = self._drop_blocks(text)
        for pattern, rewrite in _STEPS:
            text = text.rewrite(pattern, rewrite)
        return text

    def _drop_blocks(self, text: TracedText) -> TracedText:
        if self._until is None and (stray := _STRAY_CLOSING.match(text.text)):
            # A template that opened the reasoning itself leaves only its end.
            opened = _OPENING.search(text.text, 0, stray.end())
            if opened is None or opened["reasoning"] is None:
                text = text[stray.end() :]
        kept = text[:0]
        position = 0
        while position < len(text):
            if self._until is not None:
                closing = self._until.search(text.text, position)
                if closing is None:
                    return kept
                position = closing.end()
                self._until = None
                continue
            opening = _OPENING.search(text.text, position)
            if opening is None:
                return kept + text[position:]
            kept += text[position : opening.start()]
            position = opening.end()
            mark = rf"</{opening['tag']}\s*>" if opening["tag"] else re.escape(opening["fence"])
            self._until = re.compile(mark, re.IGNORECASE)
        return kept


def _line(match: re.Match[str], group: int) -> Sequence[Part]:
    words = match[group].rstrip()
    return [group, "" if not words or words[-1] in _MARKS else "."]


def _row(match: re.Match[str]) -> Sequence[Part]:
    parts: list[Part] = []
    begin = match.start(1)
    for cell in match[1].split("|"):
        end = begin + len(cell)
        if cell.strip():
            parts += [", "] if parts else []
            parts.append((begin, end))
        begin = end + 1
    return [*parts, "."] if parts else ["."]


def _numbered(match: re.Match[str]) -> Sequence[Part]:
    return [1, ", ", *_line(match, 2)] if match[2] else [1, "."]


def _paragraph(match: re.Match[str]) -> str:
    return " " if match.string[: match.start()].rstrip()[-1:] in _MARKS else ". "


def _line_end(match: re.Match[str]) -> str:
    before = match.string[: match.start()][-1:]
    return " " if not before or before in _MARKS else ", "


def _formula(match: re.Match[str]) -> Sequence[Part]:
    return [match.span(next(name for name in "abcd" if match[name] is not None))]


def _command(match: re.Match[str]) -> str:
    return match[2] or f" {_COMMANDS.get(match[1], '')} "


def _host(match: re.Match[str]) -> Sequence[Part]:
    return [(match.start("www"), match.end("www")) if match["www"] else match.span("host")]


_STEPS: tuple[tuple[re.Pattern[str], Rewrite], ...] = (
    (_COMMENT, lambda m: " "),
    (_SPECIAL_TOKEN, lambda m: " "),
    (_FORMULA, _formula),
    (_FRACTION, lambda m: [1, "/", 2]),
    (_ROOT, lambda m: ["√", 1]),
    (_POWER, lambda m: "°" if m[2] else {"2": "²", "3": "³"}[m[1]]),
    (_COMMAND, _command),
    (_BREAK, lambda m: "\n"),
    (_AUTOLINK, lambda m: [1]),
    (_TAG, lambda m: " "),
    (_ENTITY, lambda m: html.unescape(m[0])),
    (_IMAGE_OR_LINK, lambda m: [1]),
    (_FOOTNOTE, lambda m: " "),
    (_EMAIL, lambda m: [1, " @ ", 2]),
    (_URL, lambda m: [1]),
    (_BARE_HOST, _host),
    (_INLINE_CODE, lambda m: [1]),
    (_RULE_LINE, lambda m: ""),
    (_TABLE_ROW, _row),
    (_HEADING, lambda m: _line(m, 1)),
    (_QUOTE, lambda m: ""),
    (_BULLET, lambda m: _line(m, 1)),
    (_NUMBERED, _numbered),
    (_PARAGRAPH, _paragraph),
    (_LINE_END, _line_end),
    (_SNAKE, lambda m: " "),
)
"""In the order in which they apply. What is left of emphasis is dropped with the
other characters that nobody says."""
