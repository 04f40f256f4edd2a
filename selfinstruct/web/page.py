"""What reports as one page share: style.css is their look, text.html how a text of a model stands on them.

templates = environment("finetune.compare")
templates.get_template("report.html").render(...)
"""

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from selfinstruct import untrusted
from selfinstruct.untrusted import shown

FOLD_AFTER = 500  # characters of a text that are shown at once


def environment(package: str) -> Environment:
    """The templates of `package`, and ours for them to include; everything is escaped."""
    loader = ChoiceLoader([PackageLoader(package, ""), PackageLoader("selfinstruct.web", "")])
    found = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    found.filters.update(visible=visible, spelled=untrusted.visible, n=lambda number: f"{number:,}")
    found.globals["fold_after"] = FOLD_AFTER
    return found


def visible(text: str) -> Markup:
    """The text, escaped, with characters named that would not be seen or would turn the text around."""
    return shown(text, '<b class="unseen">{}</b>')
