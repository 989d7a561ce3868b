"""The paper as PDF: its tokens as Typst, compiled by the typst package with the fonts inside it.

All text goes into Typst as string literals, so nothing that a table or a model's name holds is ever read as markup. No
clock time and no font of the machine enters: the same paper, the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markdown_it.token import Token

from critnb.errors import PaperError
from critnb.paper.markup import ANCHOR_TOKEN, CITE_TOKEN, FIGURES_TOKEN, REFERENCE_TOKEN, VALUE_TOKEN
from critnb.paper.typesetting import Typesetting
from critnb.runs.scratch import Scratch
from critnb.system.extras import PAPER

_MAIN = "main.typ"
_KEPT_WHOLE = 16
# so many figures in a row are a gallery: shown where they stand, since there is no text to fill their page
_GALLERY = 4
# figures do not float into another section
_FLUSH = {"h1": "#place.flush()\n", "h2": ""}
_PREAMBLE = """
#set page(paper: "a4", margin: (x: 2.3cm, y: 2.4cm), numbering: "1", footer-descent: 40%)
#set text(font: "Libertinus Serif", size: 10.5pt, lang: "en", hyphenate: true)
#set par(justify: true, leading: 0.62em, spacing: 0.95em)
#show raw: set text(font: "DejaVu Sans Mono", size: 0.86em)
#show heading.where(level: 1): it => block(above: 1.7em, below: 0.8em, text(size: 14pt, it.body))
#show heading.where(level: 2): it => block(above: 1.3em, below: 0.6em, text(size: 11.5pt, it.body))
#show link: set text(fill: rgb("#00567d"))
#set table(stroke: none, inset: (x: 4pt, y: 2.6pt), align: left)
#show table: set text(size: 8pt, hyphenate: false)
#show table: set par(justify: false)
#show table.cell.where(y: 0): set text(weight: "bold")
#show figure.caption: set text(size: 8.8pt)
#show figure.caption: set align(left)
#set figure(gap: 0.5em)
#let heads(..cells) = table.header(..cells.pos(), table.hline(stroke: 0.6pt))
#let floating(body) = place(auto, float: true, clearance: 1.4em, align(left, body))
#let rules(n, whole, ..cells) = block(above: 1em, below: 1em, breakable: not whole, {
  table(columns: n, table.hline(stroke: 0.9pt), ..cells, table.hline(stroke: 0.9pt))
})
#let caption(body) = block(sticky: true, above: 1.2em, below: 0.7em, text(size: 9.5pt, body))
#let shown(file, label, caption) = block(breakable: false, above: 1em, below: 1.2em, {
  image(file, width: 100%)
  v(0.4em, weak: true)
  set text(size: 8.8pt)
  set par(leading: 0.5em)
  [*#label* #caption]
})
"""


def compiled(sections: Sequence[Sequence[Token]], setting: Typesetting) -> bytes:
    """Return the PDF; raises PaperError where Typst cannot read what was written, DependencyError where it is missing."""
    PAPER.require("the paper")
    import typst

    with Scratch() as folder:
        for (figure, role), picture in setting.pictures.items():
            (folder / f"{figure}_{role}.pdf").write_bytes(picture.pdf)
        (folder / _MAIN).write_text(source(sections, setting), encoding="utf-8", newline="\n")
        try:
            made = typst.compile(str(folder / _MAIN), root=str(folder), ignore_system_fonts=True, timestamp=0)
        except typst.TypstError as error:
            raise PaperError(f"the paper's PDF cannot be set: {str(error).splitlines()[0]}") from error
    assert isinstance(made, bytes)  # one file is asked for, no pages
    return made


def source(sections: Sequence[Sequence[Token]], setting: Typesetting) -> str:
    """Return the paper as Typst."""
    authors = ", ".join(setting.authors)
    head = (
        f"#set document(title: {_quoted(setting.title)}, author: ({''.join(f'{_quoted(each)}, ' for each in setting.authors)}), "
        f"date: none)\n{_PREAMBLE}\n"
        f'#text(size: 18pt, weight: "bold", hyphenate: false)[#par(justify: false, leading: 0.4em)[{_text(setting.title)}]]\n'
        + (f"\n{_text(authors)}\n" if authors else "")
        + f'\n#text(size: 8pt, fill: rgb("#666666"))[{_text(f"{setting.made_of}; {setting.run_id}")}]\n'
    )
    writer = _TypstWriter(setting)
    return head + "\n".join(writer.tokens(tokens) for tokens in sections)


def _quoted(text: str) -> str:
    """Return a Typst string literal."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'


def _text(text: str) -> str:
    """Return text as an expression that ends, so that what follows is not read on."""
    return f"#{_quoted(text)};" if text else ""


class _TypstWriter:
    """Tokens to Typst, one function per kind of token; a kind without one is an error."""

    def __init__(self, setting: Typesetting) -> None:
        self._setting = setting
        self._places: set[str] = set()
        self._own: dict[str, Callable[[Token], str]] = {
            "text": lambda token: _text(token.content),
            "inline": lambda token: self.tokens(token.children or []),
            "code_inline": lambda token: f"#raw({_quoted(token.content)});",
            "fence": lambda token: f"#raw({_quoted(token.content.strip())}, block: true);\n\n",
            "link_open": lambda token: _link(str(token.attrs["href"])),
            "heading_open": lambda token: f"\n\n{_FLUSH[token.tag]}#heading(level: {token.tag[1]})[",
            VALUE_TOKEN: lambda token: _text(token.content),
            CITE_TOKEN: self._cite,
            REFERENCE_TOKEN: self._reference,
            ANCHOR_TOKEN: self._anchor,
        }

    def tokens(self, tokens: Sequence[Token]) -> str:
        """Return the tokens as Typst markup."""
        return "".join(self._one(tokens, at) for at in range(len(tokens)))

    def _one(self, tokens: Sequence[Token], at: int) -> str:
        token = tokens[at]
        if token.type in _FIXED:
            return _FIXED[token.type]
        if token.type == "table_open":
            return f"\n#rules({_columns(tokens, at)}, {'true' if _is_short(tokens, at) else 'false'}, "
        if token.type == FIGURES_TOKEN:
            return self._figures(token, floats=_run_of_figures(tokens, at) < _GALLERY)
        if token.type == "paragraph_open":
            return "\n#caption[" if _is_caption(tokens, at) else ""
        if token.type == "paragraph_close":
            return "]\n" if _is_caption(tokens, at - 2) else "" if token.hidden else "\n\n"
        if token.type not in self._own:
            raise PaperError(f"the paper's templates use {token.type}, which the PDF has no rule for")
        return self._own[token.type](token)

    def _cite(self, token: Token) -> str:
        links = [
            f"#link(label({_quoted(f'ref-{key}')}))[{_text(work.label)}]" for key, work in self._setting.cited(token)
        ]
        return f"{_text('(')}{_text('; ').join(links)}{_text(')')}"

    def _reference(self, token: Token) -> str:
        named = token.meta["targets"]
        return _text(", ").join(
            f"#link(label({_quoted(f'{each.kind}-{each.key}')}))[{_text(each.words)}]" for each in named
        )

    def _anchor(self, token: Token) -> str:
        kind, _, key = token.meta["name"].partition(":")
        return f"{self._place(f'{kind}-{key}')}{'' if kind == 'ref' else _text(key)}"

    def _place(self, name: str) -> str:
        if name in self._places:
            return ""
        self._places.add(name)
        return f"#metadata(none)#label({_quoted(name)});"

    def _figures(self, token: Token, *, floats: bool) -> str:
        images = token.children or []
        shown = [self._figure(image) for image in images]
        if len(shown) == 1:
            return f"\n#floating({shown[0]})\n\n" if floats else f"\n#{shown[0]}\n\n"
        return f"\n#grid(columns: (1fr, 1fr), gutter: 1em, {', '.join(shown)})\n\n"

    def _figure(self, image: Token) -> str:
        picture = self._setting.picture_of(image)
        place = self._place(f"fig-{picture.id}")
        caption = f"{place}{self.tokens(image.children or [])}"
        return f"shown({_quoted(f'{picture.id}_{picture.role}.pdf')}, {_quoted(picture.label)}, [{caption}])"


def _link(href: str) -> str:
    """Open a link; one to a file beside the paper is words, since a PDF is read wherever it was put."""
    return f"#link({_quoted(href)})[" if href.startswith("https:") else "#["


def _is_caption(tokens: Sequence[Token], at: int) -> bool:
    """Tell whether the paragraph that opens there stands right above a table."""
    return at + 3 < len(tokens) and tokens[at + 3].type == "table_open"


def _columns(tokens: Sequence[Token], at: int) -> int:
    end = next(place for place in range(at, len(tokens)) if tokens[place].type == "thead_close")
    return sum(token.type == "th_open" for token in tokens[at:end])


def _is_short(tokens: Sequence[Token], at: int) -> bool:
    """Tell whether the table that opens there is kept on one page."""
    end = next(place for place in range(at, len(tokens)) if tokens[place].type == "table_close")
    return sum(token.type == "tr_open" for token in tokens[at:end]) <= _KEPT_WHOLE


def _run_of_figures(tokens: Sequence[Token], at: int) -> int:
    """Return how many paragraphs of figures follow each other around a place."""
    first = last = at
    while first > 0 and tokens[first - 1].type == FIGURES_TOKEN:
        first -= 1
    while last + 1 < len(tokens) and tokens[last + 1].type == FIGURES_TOKEN:
        last += 1
    return last - first + 1


_FIXED = {
    "softbreak": " ",
    "hardbreak": "#linebreak();",
    "strong_open": "#strong[",
    "strong_close": "];",
    "em_open": "#emph[",
    "em_close": "];",
    "link_close": "];",
    "heading_close": "]\n\n",
    "bullet_list_open": "\n#list(",
    "bullet_list_close": ")\n\n",
    "ordered_list_open": "\n#enum(",
    "ordered_list_close": ")\n\n",
    "list_item_open": "[",
    "list_item_close": "], ",
    "blockquote_open": "\n#quote(block: true)[",
    "blockquote_close": "]\n\n",
    "table_close": ")\n\n",
    "thead_open": "heads(",
    "thead_close": "), ",
    "tbody_open": "",
    "tbody_close": "",
    "tr_open": "",
    "tr_close": "",
    "th_open": "[",
    "th_close": "], ",
    "td_open": "[",
    "td_close": "], ",
    "hr": "#line(length: 100%, stroke: 0.5pt)\n\n",
}
