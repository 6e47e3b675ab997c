"""The ring in one piece."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gpt_trader.strategies.window import Window


@given(st.integers(1, 7), st.lists(st.lists(st.floats(-9, 9), max_size=20), max_size=12))
def test_it_holds_the_last_values(length: int, pieces: list[list[float]]) -> None:
    """Whether they came one by one or in pieces."""
    window, all_values = Window(length), list[float]()
    for number, piece in enumerate(pieces):
        if number % 2:
            window.extend(np.array(piece))
        else:
            for value in piece:
                window.append(value)
        all_values += piece
        assert window.values.tolist() == all_values[-length:]
        assert len(window) == len(all_values[-length:])
        assert window.full == (len(all_values) >= length)
