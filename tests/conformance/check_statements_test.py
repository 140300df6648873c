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
    def check(self, page, source="// [X-A-1]\n", test='TEST_CASE("the first [X-A-1]")\n', listed=None):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in {"page.md": page, "src/a.cpp": source, "tests/t.cpp": test}.items():
                (root / name).parent.mkdir(exist_ok=True)
                (root / name).write_text(text)
            return check(root, "page.md", "X-[A-Z]-[0-9]", ["src"], ["tests"], listed)

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
            "leads to no source": GOOD.replace("= X-A-1", "= X-A-2"),
            "has no statement": "nothing\n",
        }.items():
            with self.subTest(said):
                self.assertTrue(any(said in line for line in self.check(wrong)), self.check(wrong))

    def test_list(self):
        every = ["X-A-1", "X-A-2", "X-A-3"]
        self.assertEqual(self.check(GOOD, listed=every), [])
        self.assertEqual(self.check(GOOD, listed=[*every, "X-A-4"]), ["page.md: X-A-4 has no row"])
        missing = "".join(line for line in GOOD.splitlines(True) if "X-A-3" not in line)
        self.assertEqual(self.check(missing, listed=every), ["page.md: X-A-3 has no row"])
        self.assertEqual(self.check(GOOD, listed=every[:2]), ["page.md: X-A-3 is not in the list of statements"])

    def test_several_tags_in_one_bracket(self):
        self.assertEqual(self.check(GOOD, source="// [§1, X-A-2, X-A-1]\n"), [])
        self.assertIn("does not cite it", self.check(GOOD, source="// [X-A-11]\n")[0])
        self.assertIn("X-B-1 has no row", self.check(GOOD, source="// [X-A-1, X-B-1]\n")[0])

    def test_named_file(self):
        self.assertEqual(self.check(GOOD.replace("the first", "tests/t.cpp: the first")), [])
        self.assertEqual(self.check(GOOD.replace("the first", "t.cpp: the first")), [])
        for said in ("u.cpp: the first", "s/t.cpp: the first", "t.cpp: the second"):
            self.assertIn("no test is named", self.check(GOOD.replace("the first", said))[0])

    def test_equal_with_a_test_of_its_own(self):
        self.assertEqual(self.check(GOOD.replace("= X-A-1 | |", "= X-A-1 | the first |")), [])
        self.assertIn("no test is named", self.check(GOOD.replace("= X-A-1 | |", "= X-A-1 | the second |"))[0])

    def test_only_strings_of_cpp_name_tests(self):
        for test in ('// TEST_CASE("the first")\n', "/* the first */", "the first", "'\"' // the first\n"):
            self.assertIn("no test is named", self.check(GOOD, test=test)[0])
        for test in ('TEST_CASE("the "\n  "first")', 'R"x(the first)x"', '"a \\" b, the first"', "'\"', \"the first\""):
            self.assertEqual(self.check(GOOD, test=test), [])

    def test_none(self):
        self.assertEqual(self.check(GOOD.replace("client", "none")), [])
        self.assertIn("why it does not concern us", self.check(GOOD.replace("client | it is told", "none |"))[0])

    def test_uncited(self):
        self.assertIn("does not cite it", self.check(GOOD, source="//\n")[0])

    def test_unknown_tag_in_a_source(self):
        self.assertIn("X-B-1 has no row", self.check(GOOD, source="// [X-A-1] [X-B-1]\n")[0])

    def test_unknown_tag_in_a_test(self):
        self.assertIn("X-B-1 has no row", self.check(GOOD, test='"the first" // [X-B-1]\n')[0])


if __name__ == "__main__":
    unittest.main()
