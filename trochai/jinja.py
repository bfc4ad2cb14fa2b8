"""The environment of ``templates/jinja2``: what a page draws dozens of times.

With Django's own templates it took most of a request's time (docs/decisions/0016-hot-templates-in-jinja.md).
"""

from __future__ import annotations

from typing import Any

from django.template.defaultfilters import linebreaksbr
from django.utils.translation import get_language, gettext, ngettext
from jinja2 import Environment
from markupsafe import Markup

from conversations.templatetags import messages
from templates_app.templatetags import bubbles, languages
from trochai.ui import addresses, template_tags


def environment(**options: Any) -> Environment:
    """Return the environment with the functions that Django's templates have as tags and filters."""
    made = Environment(**options, extensions=["jinja2.ext.i18n"])  # noqa: S701  (Django's backend escapes)
    made.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined]  # the extension brings it
    made.globals |= {
        "_": words,
        "avatar": template_tags.avatar,
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


def words(text: str, **values: Any) -> Markup:
    """``_("for %(name)s", name=name)``: the text in the active language, with ``values`` escaped.

    As the extension's own, which takes three calls for it and looks for placeholders in each text: half of
    what drawing a row took.
    """
    translated = Markup(gettext(text))
    return translated % values if values else translated
