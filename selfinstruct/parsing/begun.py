"""An answer whose beginning is part of the prompt, for base models, which continue it."""

import re
from types import MappingProxyType

from selfinstruct.parsing.examples import EXAMPLE
from selfinstruct.parsing.fields import INSTRUCTION_FIELD, LABEL_FIELD
from selfinstruct.parsing.names import FieldNames, in_english
from selfinstruct.parsing.text import NUMBERED
from selfinstruct.parsing.thoughts import spoken

NO_NAMES: FieldNames = MappingProxyType({})
_MARKS = (INSTRUCTION_FIELD, LABEL_FIELD, EXAMPLE, NUMBERED)
_JSON = re.compile(r"(?:```\w*\s+|~~~\w*\s+)?[\[{]")


def whole_answer(prefix: str, text: str, names: FieldNames = NO_NAMES) -> str:
    """The answer including its beginning from the prompt, without thoughts, and with `names` of fields in English.

    If, after any thoughts, the model repeats the beginning, announces its list or writes JSON, nothing is prepended.
    """
    said = in_english(spoken(text), names)
    if not prefix:
        return said
    first = said.lstrip()
    announced, _, rest = first.partition("\n")
    number = NUMBERED.match(prefix)
    listed = NUMBERED.match(rest.lstrip()) if announced.rstrip().endswith((":", "：")) else None
    again = any(mark.match(prefix) and mark.match(first) for mark in _MARKS) or (
        number and listed and number["number"] == listed["number"]
    )
    return said if again or _JSON.match(first) else prefix + said
