#!/usr/bin/env python3
"""check_statements.py finds each kind of mistake, and nothing where there is none."""

import pathlib
import tempfile
import unittest

from check_statements import check

GOOD = """| Tag | Section | Statement | Source | Test |
|---|---|---|---|---|
| X-A-1 | §1 | s | src/a.cpp | the first |
| X-A-2 | §1 | s | = X-A-1 | |
| X-A-3 | §2 | s | client | it is told |
"""


class statements(unittest.TestCase):
    def check(self, page, source="// [X-A-1]\n", test='TEST_CASE("the first [X-A-1]")\n'):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in {"page.md": page, "src/a.cpp": source, "tests/t.cpp": test}.items():
                (root / name).parent.mkdir(exist_ok=True)
                (root / name).write_text(text)
            return check(root, "page.md", "X-[A-Z]-[0-9]", ["src"], ["tests"])

    def test_good(self):
        self.assertEqual(self.check(GOOD), [])

    def test_mistakes(self):
        for said, wrong in {
            "more than one row": GOOD + "| X-A-1 | §1 | s | src/a.cpp | the first |\n",
            "not five columns": GOOD + "| X-A-4 | §1 | s |\n",
            "X-A-9 has no row": GOOD.replace("= X-A-1", "= X-A-9"),
            "what becomes of": GOOD.replace("it is told", ""),
            "there is no file": GOOD.replace("src/a.cpp", "src/b.cpp"),
            "no test is named": GOOD.replace("the first", "the second"),
            "has no statement": "nothing\n",
        }.items():
            with self.subTest(said):
                self.assertTrue(any(said in line for line in self.check(wrong)), self.check(wrong))

    def test_uncited(self):
        self.assertIn("does not cite it", self.check(GOOD, source="//\n")[0])

    def test_unknown_tag_in_a_source(self):
        self.assertIn("X-B-1 has no row", self.check(GOOD, source="// [X-A-1] [X-B-1]\n")[0])

    def test_unknown_tag_in_a_test(self):
        self.assertIn("X-B-1 has no row", self.check(GOOD, test='"the first" // [X-B-1]\n')[0])


if __name__ == "__main__":
    unittest.main()
