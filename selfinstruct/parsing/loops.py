"""Text that repeats itself to the token limit, as small models do: "in place in place in place ..."."""

TIMES = 4  # a refrain comes three times
WINDOW = 2000  # characters at the end of the text that are compared: units of up to WINDOW / TIMES are found


def looping_unit(text: str, least: int) -> str:
    """The unit whose repetitions, at least four of them and `least` characters, end the text; "" if none do.

    Linear in the window: the border of each prefix of the reversed text gives its period (Knuth, Morris & Pratt 1977).
    """
    tail = text[: -WINDOW - 1 : -1]
    borders, border = [0], 0
    for i in range(1, len(tail)):
        while border and tail[border] != tail[i]:
            border = borders[border - 1]
        border += tail[border] == tail[i]
        borders.append(border)
        period = i + 1 - border
        if i + 1 >= max(least, TIMES * period):
            return tail[:period][::-1]
    return ""
