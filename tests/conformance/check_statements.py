#!/usr/bin/env python3
"""Checks a page that leads from each statement of a specification to source and test.

The page has tables of five columns: tag, section, statement, source, test. `source` is a file that holds the tag in square
brackets, alone or in a list, and `test` a name that some file below --tests holds, or "FILE: name" for one in that file; in C++
it stands in a string, so that what only a comment names is no test. Or
`source` is "client", and `test` says what becomes of a client that ignores the statement; or "none", and `test` says why the
statement does not concern us; or "= TAG", and `test` may be empty. Every tag that the sources or tests cite has a row, and so
has every tag of --list, which has all that have one.

    check_statements.py --page docs/conformance/stomp.md --tag 'STOMP1[012]-[A-Z]+-[0-9]+' --sources protocols broker --tests tests
    check_statements.py --page docs/conformance/mqtt.md --tag 'MQTT3?-[0-9.]+-[0-9]+' --list tests/conformance/mqtt_statements.txt ...
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


def cited_in(text, tag):
    """The tags that stand in square brackets, one or several."""
    return {name for group in re.findall(r"\[([^\[\]]*)\]", text) for name in re.findall(rf"(?<!\w)(?:{tag})(?!\w)", group)}


CPP_TOKEN = re.compile(
    r'''//[^\n]*|/\*.*?\*/|'(?:\\[^']*|[^'\\])'|R"(?P<mark>\w*)\((?P<raw>.*?)\)(?P=mark)"|"(?P<text>(?:\\.|[^"\\\n])*)"''', re.DOTALL)


def named_in(path):
    """What may name a test: the strings of C++, adjacent ones as one, a line each; all of other files."""
    text = path.read_text()
    if path.suffix not in {".cpp", ".hpp"}:
        return text
    strings, end = [""], 0
    for token in CPP_TOKEN.finditer(text):
        held = token["raw"] if token["text"] is None else token["text"]
        if held is None:
            continue
        if text[end:token.start()].strip():
            strings.append("")
        strings[-1] += held
        end = token.end()
    return "\n".join(strings)


def is_held(test, texts):
    """`texts`: path and names of each file with tests."""
    file, colon, name = test.partition(": ")
    if colon and pathlib.PurePath(file).suffix in SUFFIXES:
        return any(("/" + path).endswith("/" + file) and name in text for path, text in texts)
    return any(test in text for _, text in texts)


def check(root, page, tag, sources, tests, listed=None):
    """The list of what is wrong."""
    wrong = []
    rows = list(rows_of((root / page).read_text(), tag))
    known = [row[1] for row in rows]
    for name in sorted({name for name in known if known.count(name) > 1}):
        wrong.append(f"{page}: {name} has more than one row")
    for name in sorted(set(known) ^ set(listed)) if listed is not None else []:
        wrong.append(f"{page}: {name} has no row" if name in listed else f"{page}: {name} is not in the list of statements")
    test_texts = [(path.relative_to(root).as_posix(), named_in(path)) for path in files_below(root, tests)]
    for number, name, source, test in rows:
        where = f"{page}:{number}: {name}"
        if source is None:
            wrong.append(f"{where}: the row has not five columns")
        elif source.startswith("= "):
            if source[2:] not in known:
                wrong.append(f"{where}: {source[2:]} has no row")
            elif any(row[1] == source[2:] and row[2] and row[2].startswith("= ") for row in rows):
                wrong.append(f"{where}: {source[2:]} leads to no source either")
            if test and not is_held(test, test_texts):
                wrong.append(f"{where}: no test is named \"{test}\"")
        elif source == "client":
            if not test:
                wrong.append(f"{where}: does not say what becomes of a client that ignores it")
        elif source == "none":
            if not test:
                wrong.append(f"{where}: does not say why it does not concern us")
        elif not (root / source).is_file():
            wrong.append(f"{where}: there is no file {source}")
        elif name not in cited_in((root / source).read_text(), tag):
            wrong.append(f"{where}: {source} does not cite it")
        elif not test or not is_held(test, test_texts):
            wrong.append(f"{where}: no test is named \"{test}\"")
    for path in files_below(root, [*sources, *tests]):
        for name in sorted(cited_in(path.read_text(), tag) - set(known)):
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
    arguments.add_argument("--list", help="file with every tag there is, one a line")
    a = arguments.parse_args()
    listed = (a.root / a.list).read_text().split() if a.list else None
    wrong = check(a.root, a.page, a.tag, a.sources, a.tests, listed)
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
