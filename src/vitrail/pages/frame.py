"""One HTML document from a room's template inside the frame of all pages.

A page holds everything it needs. It carries no script, loads nothing, and its Content-Security-Policy allows no more
than the one style sheet inside it, by its hash. A room's template extends ``frame.html`` and fills ``title`` and
``body``; its style sheet follows that of the frame.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

_FRAME = "vitrail.pages"


def templates(
    room: str, words: Mapping[str, object], finalize: Callable[[object], object] | None = None
) -> Environment:
    """The templates of a room, such as ``vitrail.quality``, inside the frame.

    ``words`` are what every template may use; ``finalize`` is done to whatever a template prints. A name that is not
    defined is an error.
    """
    loader = ChoiceLoader([PackageLoader(room), PackageLoader(_FRAME)])
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        finalize=finalize,
    )  # fmt: skip
    environment.globals.update(drawn=Markup, **words)
    return environment


def rendered(environment: Environment, room: str, page: str, **shown: object) -> str:
    """The page ``<page>.html`` of a room with its style sheet ``<page>.css``. The same makes the same bytes."""
    css = style(room, page)
    policy = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    sheet = Markup(css)  # noqa: S704 (files of this package)
    return environment.get_template(f"{page}.html").render(css=sheet, css_hash=policy, **shown)


@cache
def style(room: str, page: str) -> str:
    """The style sheet of a page: what all pages share, then its own."""
    sheets = ((_FRAME, "frame"), (room, page))
    return "".join((files(where) / "templates" / f"{name}.css").read_text(encoding="utf-8") for where, name in sheets)
