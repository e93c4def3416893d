"""Print what the demo found: the count beside the truth, and where the report lies.

python tools/say_demo.py runs/demo
"""

import json
import sys
from pathlib import Path


def main() -> int:
    """Read the demo's scores and say them in plain words."""
    folder = Path(sys.argv[1])
    scores = json.loads((folder / "counts" / "scores.json").read_text(encoding="utf-8"))
    for name, image in scores["per_image"].items():
        print(f"\n{name}: {image['found']} trees counted, {image['true']} annotated")
    print(
        f"F1 {scores['f1']:.2f} (precision {scores['precision']:.2f}, recall {scores['recall']:.2f}) "
        f"within {scores['radius']:g} pixels; count {scores['count_bias_percent']:+.1f} %"
    )
    print(f"open {(folder / 'counts' / 'report.html').resolve()} in a browser")
    return 0


if __name__ == "__main__":
    sys.exit(main())
