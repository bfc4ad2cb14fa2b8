"""The environments of ``templates/jinja2``: what a page draws dozens of times.

With Django's own templates it took most of a request's time (docs/decisions/0016-hot-templates-in-jinja.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.template.defaultfilters import linebreaksbr
from django.utils.translation import get_language, gettext, ngettext, override
from jinja2 import Environment, Template
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from markupsafe import Markup

from conversations.templatetags import messages
from templates_app.templatetags import bubbles, languages
from trochai.ui import addresses, template_tags


class Environments:
    """One environment for each language, of which Django's backend uses the active one."""

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._made: dict[str | None, Environment] = {}

    def get_template(self, name: str) -> Template:
        return self._active.get_template(name)

    def from_string(self, source: str) -> Template:
        return self._active.from_string(source)

    @property
    def _active(self) -> Environment:
        language = get_language()
        if language not in self._made:
            self._made[language] = environment(language, **self._options)
        return self._made[language]


class OfLanguage(Environment):
    """``language``: that of its templates' words."""

    def __init__(self, language: str | None, **options: Any) -> None:
        self.language = language
        super().__init__(**options)


class Words(Extension):
    """``_("…")`` and ``_("for %(name)s", name=name)``: in the language that the template is compiled for.

    A text alone becomes a part of the template; one with values is ``filled("…"|safe, name=name)``.
    """

    environment: OfLanguage

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        tokens = list(stream)
        n = 0
        while n < len(tokens):
            kinds = [token.type for token in tokens[n : n + 6]]
            if kinds == ALONE and tokens[n + 1].value == "_":
                yield Token(tokens[n].lineno, "data", self._translated(tokens[n + 3].value))
                n += len(ALONE)
            elif kinds[: len(CALL)] == CALL and tokens[n].value == "_":
                line = tokens[n].lineno
                yield Token(line, "name", "filled")
                yield tokens[n + 1]
                yield Token(line, "string", self._translated(tokens[n + 2].value))
                yield Token(line, "pipe", "|")
                yield Token(line, "name", "safe")
                n += len(CALL)
            else:
                yield tokens[n]
                n += 1

    def _translated(self, text: str) -> str:
        # What a template includes is compiled when it is first drawn, under whatever is active then.
        with override(self.environment.language):
            return gettext(text)


CALL = ["name", "lparen", "string"]
ALONE = ["variable_begin", *CALL, "rparen", "variable_end"]


def environment(language: str | None, **options: Any) -> Environment:
    """Return the environment with the functions that Django's templates have as tags and filters."""
    made = OfLanguage(language, **options, extensions=["jinja2.ext.i18n", Words])
    made.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined]  # the extension brings it
    made.globals |= {
        "avatar": template_tags.avatar,
        "filled": filled,
        "header_media": bubbles.header_media,
        "icon": template_tags.icon,
        "interface_language": get_language,
        "message_text": bubbles.message_text,
        "moment": template_tags.moment,
        "note_text": messages.note_text,
        "tick": messages.tick,
        "url": addresses.url,
        "whatsapp_text": messages.whatsapp_text,
    }
    made.filters |= {
        "button_icon": bubbles.button_icon,
        "lang_tag": languages.lang_tag,
        "language_name": languages.language_name,
        "linebreaksbr": linebreaksbr,
    }
    return made


def filled(text: Markup, **values: Any) -> Markup:
    """Return a translated text, with ``values`` escaped."""
    return text % values if values else text
