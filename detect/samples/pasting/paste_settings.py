"""Settings of pasting: how often, how many, and how softly cut-outs are pasted onto crops."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pasting:
    """How often and how many cut-outs are pasted onto a crop.

    Attributes:
        p: share of the crops, in [0, 1]; in a folder of patches the share of objects moved to an empty patch.
        number: least and greatest number, 1 or more.
        feather: width of the soft rim of ground and of boxes, relative to half the side inside it, in (0, 2]; objects
            with another one inside that rim are not cut out.

    Raises:
        ValueError: a share, number or width out of range.
    """

    p: float
    number: tuple[int, int]
    feather: float

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise ValueError(f"p must be in [0, 1], got {self.p}")
        if not 1 <= self.number[0] <= self.number[1]:
            raise ValueError(f"number must be the least, 1 or more, and the most, got {list(self.number)}")
        if not 0 < self.feather <= 2:
            raise ValueError(f"feather must be in (0, 2], got {self.feather}")


@dataclass(frozen=True)
class PasteSettings(Pasting):
    """How often, how many and which objects are pasted onto a crop.

    Attributes:
        rare: share of the pasted objects that are of a class of few, in [0, 1], where there is one; all such classes
            equally often.

    Raises:
        ValueError: a share out of range.
    """

    rare: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.rare <= 1:
            raise ValueError(f"rare must be in [0, 1], got {self.rare}")


@dataclass(frozen=True)
class GroundSettings(Pasting):
    """How often and how many patches of empty ground are pasted onto a crop.

    Attributes:
        side: least and greatest side, relative to the crop's, in [0, 1].

    Raises:
        ValueError: sides out of range.
    """

    side: tuple[float, float]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.side[0] <= self.side[1] <= 1:
            raise ValueError(f"side must be the least and the greatest, in [0, 1], got {list(self.side)}")
