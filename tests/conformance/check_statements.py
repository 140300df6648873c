#!/usr/bin/env python3
"""Checks a page that leads from each statement of a specification to source and test.

The page has tables of five columns: tag, section, statement, source, test. `source` is a file that holds the tag in square
brackets, and `test` a name that some file below --tests holds; or `source` is "client", and `test` says what becomes of a
client that ignores the statement; or it is "= TAG", and `test` is empty. Every tag that the sources or tests cite has a row.

    check_statements.py --page docs/conformance/stomp.md --tag 'STOMP1[012]-[A-Z]+-[0-9]+' --sources protocols broker --tests tests
"""

import argparse
import pathlib
import re
import sys

SUFFIXES = {".cpp", ".hpp", ".py", ".mjs"}


def files_below(root, folders):
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in SUFFIXES and "build" not in path.relative_to(root).parts:
                yield path


def rows_of(text, tag):
    for number, line in enumerate(text.splitlines(), 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if len(cells) == 5 and re.fullmatch(tag, cells[0].strip("[]`")):
            yield number, cells[0].strip("[]`"), cells[3].strip("`"), cells[4].strip("`")
        elif cells and re.match(tag, cells[0].strip("[]`")):
            yield number, cells[0].strip("[]`"), None, None


def check(root, page, tag, sources, tests):
    """The list of what is wrong."""
    wrong = []
    rows = list(rows_of((root / page).read_text(), tag))
    known = [row[1] for row in rows]
    for name in sorted({name for name in known if known.count(name) > 1}):
        wrong.append(f"{page}: {name} has more than one row")
    test_texts = [path.read_text() for path in files_below(root, tests)]
    for number, name, source, test in rows:
        where = f"{page}:{number}: {name}"
        if source is None:
            wrong.append(f"{where}: the row has not five columns")
        elif source.startswith("= "):
            if source[2:] not in known:
                wrong.append(f"{where}: {source[2:]} has no row")
        elif source == "client":
            if not test:
                wrong.append(f"{where}: does not say what becomes of a client that ignores it")
        elif not (root / source).is_file():
            wrong.append(f"{where}: there is no file {source}")
        elif f"[{name}]" not in (root / source).read_text():
            wrong.append(f"{where}: {source} does not cite it")
        elif not test or not any(test in text for text in test_texts):
            wrong.append(f"{where}: no test is named \"{test}\"")
    cited = re.compile(rf"\[({tag})\]")
    for path in files_below(root, [*sources, *tests]):
        for name in sorted(set(cited.findall(path.read_text())) - set(known)):
            wrong.append(f"{path.relative_to(root)}: {name} has no row in {page}")
    if not rows:
        wrong.append(f"{page}: has no statement")
    return wrong


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2])
    arguments.add_argument("--page", required=True)
    arguments.add_argument("--tag", required=True)
    arguments.add_argument("--sources", nargs="+", required=True)
    arguments.add_argument("--tests", nargs="+", required=True)
    a = arguments.parse_args()
    wrong = check(a.root, a.page, a.tag, a.sources, a.tests)
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
