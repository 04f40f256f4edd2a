"""Text of models and servers for a terminal, which must not be steered by it."""


def visible(text: str) -> str:
    """The text with control characters spelled out, but for line breaks and tabs."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)
