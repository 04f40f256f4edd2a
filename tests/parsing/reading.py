"""What was read, in short, for the tests of the grammars."""

from selfinstruct.parsing.lists import numbered_items


def name_of(value):
    """A case's name in pytest's lists: its form, or how its text begins."""
    return " ".join(value.split())[:32] if isinstance(value, str) else ""


def texts_of(text, cut=False):
    return [item.text for item in numbered_items(text, cut)]


def pairs_of(instances):
    return [(instance.input, instance.output) for instance in instances]


def triples_of(tasks):
    return [task[:3] for task in tasks]
