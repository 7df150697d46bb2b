"""Text of strangers on a terminal."""


def printable(text: str) -> str:
    """The text with escapes for what a terminal would obey or not show."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
