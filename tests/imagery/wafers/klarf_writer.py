"""KLARF files as tests write them: both forms, in the units of each, with what a test wants changed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

COLUMNS = ("DEFECTID", "XREL", "YREL", "XINDEX", "YINDEX", "DSIZE", "CLASSNUMBER", "TEST")


@dataclass(frozen=True)
class Defect:
    """A defect: its place in its die in micrometres, the die, its size in micrometres, class and test."""

    x: float
    y: float
    col: int
    row: int
    size: float = 1.0
    kind: int = 0
    test: int = 1


@dataclass(frozen=True)
class Listed:
    """A wafer as a file has it; lengths in micrometres, but for the diameter, in millimetres."""

    name: str = "W1"
    defects: Sequence[Defect] = ()
    diameter: float = 300.0
    pitch: tuple[float, float] = (5000.0, 4000.0)
    centre: tuple[float, float] = (2500.0, 2000.0)
    kinds: dict[int, str] = field(default_factory=lambda: {0: "none", 3: "big scratch"})
    plans: Sequence[Sequence[tuple[int, int]]] = ()

    def tests(self) -> dict[int, list[Defect]]:
        """Return the defects by test."""
        return {test: [each for each in self.defects if each.test == test] for test in {d.test for d in self.defects}}


def statements(wafers: Sequence[Listed], version: str = "1 2", lot: str = "L1", wrap: int = 0) -> str:
    """Return a file of KLARF 1.0 to 1.2; rows are wrapped after `wrap` values, 0 for never."""
    lines = [f"FileVersion {version};", "FileTimestamp 01-02-24 10:00:00;", f'LotID "{lot}";', "SampleType WAFER;"]
    lines += ["SampleOrientationMarkType NOTCH;", "OrientationMarkLocation DOWN;"]
    for wafer in wafers:
        lines += [f"SampleSize 1 {wafer.diameter!r};", "DieOrigin 0 0;", f'WaferID "{wafer.name}";', "Slot 3;"]
        lines += [f"DiePitch {wafer.pitch[0]!r} {wafer.pitch[1]!r};"]
        lines += [f"SampleCenterLocation {wafer.centre[0]!r} {wafer.centre[1]!r};"]
        for plan in wafer.plans:
            lines += [f"SampleTestPlan {len(plan)}", *[f" {col} {row}" for col, row in plan], ";"]
        lines += [f"ClassLookup {len(wafer.kinds)}", *[f' {at} "{name}"' for at, name in wafer.kinds.items()], ";"]
        lines += [f"DefectRecordSpec {len(COLUMNS)} {' '.join(COLUMNS)} ;", "DefectList"]
        for at, each in enumerate(wafer.defects):
            row = [at + 1, each.x, each.y, each.col, each.row, each.size, each.kind, each.test]
            words = [repr(value) for value in row]
            if wrap:
                words.insert(wrap, "\n")
            lines.append(f" {' '.join(words)}")
        lines[-1] += ";"
        lines += ["SummarySpec 5 TESTNO NDEFECT DEFDENSITY NDIE NDEFDIE;", "SummaryList"]
        for test, found in wafer.tests().items():
            lines.append(f" {test} {len(found)} 0.1 100 {len({(d.col, d.row) for d in found})}")
        lines[-1] += ";"
    return "\n".join([*lines, "EndOfFile;", ""])


def records(wafers: Sequence[Listed], lot: str = "L1") -> str:
    """Return a file of KLARF 1.8: one lot of wafers of one size, whose fields follow the wafers."""
    lines = ['Record FileRecord "1.8"', "{", f'Record LotRecord "{lot}"', "{"]
    for wafer in wafers:
        lines += [f'Record WaferRecord "{wafer.name}"', "{"]
        lines += [f"Field SampleCenterLocation 2 {{{_nm(wafer.centre[0])}, {_nm(wafer.centre[1])}}}"]
        types = ", ".join(f"double {name}" for name in COLUMNS)
        lines += ["List DefectList", "{", f"Columns {len(COLUMNS)} {{ {types} }}", f"Data {len(wafer.defects)}", "{"]
        for at, each in enumerate(wafer.defects):
            row = [at + 1, _nm(each.x), _nm(each.y), each.col, each.row, _nm(each.size), each.kind, each.test]
            lines.append(f"{' '.join(map(str, row[:5]))}\n {' '.join(map(str, row[5:]))} ;")
        lines += ["}", "}"]
        for plan in wafer.plans:
            lines += ['Record TestRecord "1"', "{", "List SampleTestPlanList", "{"]
            lines += [f"Columns 2 {{ int32 XINDEX, int32 YINDEX }} Data {len(plan)}", "{"]
            lines += [*[f" {col} {row} ;" for col, row in plan], "}", "}", "}"]
        lines += ["Record SummaryRecord", "{", "List TestSummaryList", "{"]
        lines += [f"Columns 2 {{ int32 TESTNO, int32 NDEFECT }} Data {len(wafer.tests())}", "{"]
        lines += [f"{test} {len(found)};" for test, found in wafer.tests().items()]
        lines += ["}", "}", "}", "}"]
    first = wafers[0]
    lines += [f"Field DiePitch 2 {{{_nm(first.pitch[0])}, {_nm(first.pitch[1])}}}"]
    lines += [f"Field SampleSize 2 {{{first.diameter * 1e6!r}, 0}}", 'Field SampleOrientationMarkType 1 {"NOTCH"}']
    lines += ["Field OrientationMarkLocation 1 {0}", "List ClassLookupList", "{"]
    lines += [f"Columns 3 {{ int32 CLASSNUMBER, string CLASSNAME, string CLASSCODE }} Data {len(first.kinds)}", "{"]
    lines += [f'{at} "{name}" "";' for at, name in first.kinds.items()]
    return "\n".join([*lines, "}", "}", "}", 'Field FileTimestamp 2 {"2024-01-02", "10:00:00"}', "}", "EndOfFile;", ""])


def write(path: Path, text: str) -> Path:
    """Write a file, and return its path."""
    path.write_bytes(text.encode())
    return path


def _nm(micrometres: float) -> str:
    """Return a length in nanometres."""
    return repr(micrometres * 1e3)
