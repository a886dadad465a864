"""How a figure is printed: name, measured, goal, and whether it is reached."""

from typing import NamedTuple


class Figure(NamedTuple):
    """One measured figure. `at_most` tells a ceiling from a floor."""

    name: str
    measured: float
    goal: float
    unit: str
    at_most: bool = True

    @property
    def is_reached(self) -> bool:
        """Tell whether the goal is reached."""
        return self.measured <= self.goal if self.at_most else self.measured >= self.goal

    def __str__(self) -> str:
        sign = "≤" if self.at_most else "≥"
        word = "reached" if self.is_reached else "NOT REACHED"
        return f"{self.name:<58} {self.measured:>12,.3f} {self.unit:<10} goal {sign} {self.goal:,g}  {word}"


def print_figures(title: str, figures: list[Figure]) -> None:
    """Print a titled list of figures."""
    print(f"\n{title}")
    for figure in figures:
        print(f"  {figure}")
