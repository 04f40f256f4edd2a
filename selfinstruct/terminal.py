"""What may be printed of what others said."""


def visible(text: str) -> str:
    """The text with control characters spelled out: what a model or a server says must not steer the terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)
