"""`TaskState`: what a file of a labelling program says of a picture beside its objects."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TaskState:
    """A picture in a file of a labelling program.

    Attributes:
        image: the picture as the file names it.
        labelled: whether a person submitted it, with or without objects; None where the file does not say.
        size: (height, width) in pixels of the picture that was labelled; None where the file does not say.
        tags: labels of the picture as a whole.
        unread: what is drawn in the picture and is not read, such as lines.
    """

    image: str
    labelled: bool | None
    size: tuple[int, int] | None
    tags: frozenset[str] = frozenset()
    unread: tuple[str, ...] = ()
