"""What the columns of other programs' tables mean, by their names, and how their numbers are written."""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from detect.labels.annotations import AnnotationError

logger = logging.getLogger(__name__)

_NAMES: Mapping[str, str] = {
    "image": "image image_path image_name image_file imagename imagepath imagefile images img img_name img_path "
    "filename file_name file filepath file_path photo photo_name picture path",
    "label": "label labels class class_name classname classes species category category_name object_class",
    "split": "split set subset",
    "group": "group",
    "x": "x xc x_px x_pixel x_coord x_coordinate point_x px x_center x_centre center_x centre_x xcenter xcentre cx",
    "y": "y yc y_px y_pixel y_coord y_coordinate point_y py y_center y_centre center_y centre_y ycenter ycentre cy",
    "xmin": "xmin x_min x1 x_1 left minx min_x bbox_xmin xtl x_topleft x0",
    "ymin": "ymin y_min y1 y_1 top miny min_y bbox_ymin ytl y_topleft y0",
    "xmax": "xmax x_max x2 x_2 right maxx max_x bbox_xmax xbr x_bottomright",
    "ymax": "ymax y_max y2 y_2 bottom maxy max_y bbox_ymax ybr y_bottomright",
    "width": "width w bbox_width box_width",
    "height": "height h bbox_height box_height",
}

ALIASES: Mapping[str, tuple[str, ...]] = {role: tuple(names.split()) for role, names in _NAMES.items()}
"""The names of columns by what they mean, the first of each as this program writes it."""

_ROLE = {name: role for role, names in ALIASES.items() for name in names}
_CENTRE_NAMES = {name for role in ("x", "y") for name in ALIASES[role] if "c" in name and "coord" not in name}

BLANKS = {"", "na", "n/a", "nan", "none", "null", "#n/a", "-"}
"""What stands, in any case, in a field without a value."""


@dataclass(frozen=True)
class Columns:
    """The columns of a table of points or boxes.

    Attributes:
        roles: the column's name by what it means; `label`, `split` and `group` may be missing.
        kind: what the numbers are: `points` x, y; `corners` xmin, ymin, xmax, ymax; `corner` xmin, ymin, width, height;
            `centre` x, y, width, height.
    """

    roles: Mapping[str, str]
    kind: str

    @property
    def number_roles(self) -> tuple[str, ...]:
        """What the columns of numbers mean, in the order of the kind."""
        return _KINDS[self.kind]

    @property
    def numbers(self) -> tuple[str, ...]:
        """The names of the columns of numbers, in the order of the kind."""
        return tuple(self.roles[role] for role in self.number_roles)

    def grouped_by(self, name: str, path: Path, header: Sequence[str]) -> "Columns":
        """Return these with a column that names the groups.

        Args:
            name: of the column.
            path: the table, for messages.
            header: its columns.

        Where there is no such column and one that is called `group`, that is taken, and told.

        Raises:
            AnnotationError: there is neither, or the column means something else.
        """
        if name not in header and "group" in self.roles:
            logger.info(
                "%s has no column %s (data.group_column): its column %s is used", path, name, self.roles["group"]
            )
            return self
        if name not in header:
            raise AnnotationError(f"{path}: has no column {name!r} (data.group_column); it has {', '.join(header)}")
        other = [role for role, column in self.roles.items() if column == name and role != "group"]
        if other:
            raise AnnotationError(f"{path}: the column {name!r} (data.group_column) is that of {other[0]}")
        return replace(self, roles={**self.roles, "group": name})

    def corners(self, numbers: tuple[float, ...]) -> tuple[float, ...]:
        """Return the point, or the corners xmin, ymin, xmax, ymax, of a row's numbers in the order of the kind."""
        if self.kind in ("points", "corners"):
            return numbers
        x, y, width, height = numbers
        if self.kind == "centre":
            x, y = x - width / 2, y - height / 2
        return (x, y, x + width, y + height)


_KINDS = {
    "corners": ("xmin", "ymin", "xmax", "ymax"),
    "corner": ("xmin", "ymin", "width", "height"),
    "centre": ("x", "y", "width", "height"),
    "points": ("x", "y"),
}


def plain_column(name: str) -> str:
    """Return a column's name in lower case, with underscores in place of blanks and hyphens."""
    return re.sub(r"[\s\-]+", "_", name.strip().lower())


def known_columns(header: Sequence[str]) -> int:
    """Return how many names of a header are known."""
    return len({_ROLE[plain_column(name)] for name in header if plain_column(name) in _ROLE})


def find_columns(path: Path, header: Sequence[str]) -> Columns:
    """Find what the columns of a table mean.

    Args:
        path: the table, for messages.
        header: its columns.

    Raises:
        AnnotationError: columns are missing, or their meaning is ambiguous; the message names them and the way out.
    """
    named: dict[str, list[str]] = {}
    for name in header:
        role = _ROLE.get(plain_column(name))
        if role is not None:
            named.setdefault(role, []).append(name)
    roles = {role: _one(path, role, names) for role, names in named.items()}
    points, corners = ({"x", "y"} <= roles.keys(), {"xmin", "ymin", "xmax", "ymax"} <= roles.keys())
    if points and corners:
        raise AnnotationError(f"{path}: has columns for points (x, y) and for boxes (xmin, ...); remove one kind")
    unnamed = [] if "image" in roles else ["image"]
    if unnamed and (points or corners):
        raise _missing(path, header, unnamed)
    if corners:
        return Columns(roles, "corners")
    sized = {"width", "height"} <= roles.keys()
    if sized and {"xmin", "ymin"} <= roles.keys() and not unnamed:
        return Columns(roles, "corner")
    if points and sized and not ({plain_column(roles["x"]), plain_column(roles["y"])} <= _CENTRE_NAMES):
        size = f"{roles['width']}, {roles['height']}"
        raise AnnotationError(
            f"{path}: {roles['x']}, {roles['y']} with {size} may be the corner or the centre of a box, or a point in "
            "an image of that size; call them left,top,width,height, or x_center,y_center,width,height, or remove the "
            "sizes"
        )
    if points:
        return Columns(roles, "centre" if sized else "points")
    wanted = _KINDS["corners"] if roles.keys() & {"xmin", "ymin", "xmax", "ymax"} else _KINDS["points"]
    raise _missing(path, header, unnamed + [role for role in wanted if role not in roles])


def class_columns(header: Sequence[str]) -> dict[str, str] | None:
    """Return the columns of a table of images and their classes, by what they mean; None of any other table.

    Args:
        header: the columns: an image and a label, and no place in the image.
    """
    roles = {_ROLE[plain_column(name)]: name for name in reversed(header) if plain_column(name) in _ROLE}
    placed = roles.keys() & {"x", "y", "xmin", "ymin", "xmax", "ymax"}
    return None if placed or not {"image", "label"} <= roles.keys() else roles


def _missing(path: Path, header: Sequence[str], roles: Sequence[str]) -> AnnotationError:
    return AnnotationError(
        f"{path}: columns missing: {', '.join(roles)}; the header must have image,x,y,label or "
        f"image,xmin,ymin,xmax,ymax,label and has {','.join(header)[:200]}"
    )


def _one(path: Path, role: str, names: Sequence[str]) -> str:
    """Return the one column of a meaning: this program's own name goes before others."""
    exact = [name for name in names if plain_column(name) == role] or list(names)
    if len(exact) > 1:
        raise AnnotationError(f"{path}: columns {', '.join(exact)} may all be the {role}; call one of them {role}")
    return exact[0]


def header_of_data(row: Sequence[str]) -> tuple[str, ...] | None:
    """Return the columns of a first row that is data: an image, two or four numbers or blanks, and a label.

    So keras-retinanet writes its tables. None where the row is a header.
    """
    if len(row) not in (4, 6) or not row[0] or known_columns(row) or _is_number(row[0]):
        return None
    if not all(_is_number(text) or not text for text in row[1:-1]) or not any(row[1:]):
        return None
    return ("image", *_KINDS["points" if len(row) == 4 else "corners"], "label")


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?\d+([.,]\d+)?", text) is not None


@dataclass(frozen=True)
class NumberStyle:
    """How a table writes its numbers.

    Attributes:
        decimal: what is before the decimals, a point or a comma.
        thousands: what separates thousands; empty for nothing.
    """

    decimal: str = "."
    thousands: str = ""

    def plain(self, text: str) -> str:
        """Return a number as Python reads it; a text that is written otherwise as it is."""
        if self == NumberStyle() or not re.fullmatch(r"[+-]?[\d.,]+", text):
            return text
        if self.thousands:
            if not re.fullmatch(_grouped(self.thousands, self.decimal), text):
                return text.replace(self.decimal, ".") if self.thousands not in text else text
            text = text.replace(self.thousands, "")
        return text.replace(self.decimal, ".")


def _grouped(thousands: str, decimal: str) -> str:
    """Return the pattern of a number whose thousands are separated."""
    return rf"[+-]?\d{{1,3}}({re.escape(thousands)}\d{{3}})+({re.escape(decimal)}\d+)?"


def number_style(texts: Sequence[str]) -> NumberStyle | None:
    """Find how the numbers of a table are written.

    A comma is read as the decimal comma where some number shows it: its comma is not followed by three digits, or is
    after a 0 or more than three digits. Both marks in one number, or a mark twice, show which separates thousands.

    Args:
        texts: all coordinates; what is no number is passed over.

    Returns:
        The style; None where commas may be either.
    """
    marked = [text for text in texts if "," in text and re.fullmatch(r"[+-]?[\d.,]+", text)]
    if not marked:
        return NumberStyle()
    points = any("." in text for text in texts)
    english, german = NumberStyle(".", ","), NumberStyle(",", ".")
    if points:
        both = [text for text in marked if "." in text]
        if both and all(text.rindex(",") > text.rindex(".") for text in both):
            return german
        fits = all(re.fullmatch(_grouped(",", "."), text) for text in marked)
        return english if fits else NumberStyle()
    if all(text.count(",") > 1 for text in marked):
        return english
    decimal = any(re.fullmatch(r"[+-]?(\d{4,},\d+|0\d*,\d+|\d*,(\d{1,2}|\d{4,}))", text) for text in marked)
    return NumberStyle(",") if decimal else None
