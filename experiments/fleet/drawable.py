"""Names from outside in a figure: what its font does not have, and what its room does not hold."""

from __future__ import annotations


def drawable(text: str, most: int) -> str:
    r"""Write a name as its figure can show it.

    What the font has no glyph for becomes its escape, as in ``\u804a``: Matplotlib would draw an empty box and warn,
    and names would no longer differ. It depends on the font alone and on no other that a machine may have.

    Parameters
    ----------
    text : str
        One line.
    most : int
        Most characters; of what is longer the last ones are left out, which an ellipsis says.
    """
    from matplotlib import rcParams
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = get_font(findfont(FontProperties(family=rcParams["font.family"])))
    shown = "".join(
        one if font.get_char_index(ord(one)) else one.encode("ascii", "backslashreplace").decode() for one in text
    )
    return shown if len(shown) <= most else shown[: most - 1] + "…"
