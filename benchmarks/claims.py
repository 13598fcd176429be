"""Every figure of docs/explanation/claims.md: what the sources' claims come to without training anything.

    python benchmarks/claims.py [SECTION …] [--data FOLDER] [--json FILE]

Prints a Markdown table for each section (all of them, some two minutes, when none is named). FOLDER (else $HILUM_DATA,
else ../shared/data) holds lidc-drr/, luna16/, jsrt/ and cxr-infection/; the sections pairs, lungs and luna need it.
Held-out patients are left out everywhere.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from claims_arithmetic import loss_facts, overlap_facts, shape_facts, totals_facts
from claims_costs import cost_facts
from claims_facts import Fact, table
from claims_pairs import lung_facts, pair_facts
from claims_sizes import luna_facts, size_facts

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"

WITHOUT_DATA: Mapping[str, Callable[[], list[Fact]]] = {
    "overlap": overlap_facts,
    "losses": loss_facts,
    "totals": totals_facts,
    "shapes": shape_facts,
    "costs": cost_facts,
    "sizes": size_facts,
}
WITH_DATA: Mapping[str, Callable[[Path], list[Fact]]] = {"pairs": pair_facts, "luna": luna_facts, "lungs": lung_facts}
SECTIONS = (*WITHOUT_DATA, *WITH_DATA)


def facts(section: str, data: Path) -> list[Fact]:
    """A section's figures; `data` is read by those of `WITH_DATA` only."""
    return WITHOUT_DATA[section]() if section in WITHOUT_DATA else WITH_DATA[section](data)


def block(section: str, found: Sequence[Fact]) -> str:
    """What the page holds between the section's two comments."""
    return f"<!-- claims.py {section} -->\n{table(found)}\n<!-- end -->"


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("HILUM_DATA") or BESIDE))
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args(arguments)
    unknown = [one for one in options.sections if one not in SECTIONS]
    if unknown:
        parser.error(f"no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    options = parsed(arguments)
    wanted = options.sections or SECTIONS
    if any(one in WITH_DATA for one in wanted) and not options.data.is_dir():
        print(f"there is no folder {options.data}; set HILUM_DATA or --data", file=sys.stderr)
        return 2
    found = {section: facts(section, options.data) for section in wanted}
    for section, some in found.items():
        print(f"{block(section, some)}\n")
    if options.json:
        text = json.dumps({section: [asdict(one) for one in some] for section, some in found.items()}, indent=1)
        options.json.write_text(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
