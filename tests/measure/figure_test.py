#!/usr/bin/env python3
"""figure.py: what is drawn lies where its values are."""
import unittest
import xml.etree.ElementTree as tree

import figure

SVG = "{http://www.w3.org/2000/svg}"


class LogLog(unittest.TestCase):
    def test_points_lie_where_their_values_are(self):
        drawn = tree.fromstring(figure.log_log("a < b", "things", {"one & two": [(10, 1), (100, 10), (1000, 100)]}))
        circles = [(float(c.get("cx")), float(c.get("cy"))) for c in drawn.iter(f"{SVG}circle")]
        left, right = figure.LEFT, figure.WIDTH - figure.RIGHT
        top, bottom = figure.TOP, figure.HEIGHT - figure.BOTTOM
        self.assertEqual(circles, [(left, bottom), ((left + right) / 2, (top + bottom) / 2), (right, top)])
        texts = [t.text for t in drawn.iter(f"{SVG}text")]
        for said in ("a < b", "things", "one & two", "1k"):
            self.assertIn(said, texts)

    def test_one_point_and_small_values(self):
        drawn = tree.fromstring(figure.log_log("t", "u", {"a": [(1000, 0.25)], "b": []}))
        self.assertEqual(len(list(drawn.iter(f"{SVG}circle"))), 1)

    def test_nothing_is_an_error(self):
        with self.assertRaises(ValueError):
            figure.log_log("t", "u", {})

    def test_numbers(self):
        self.assertEqual([figure.spoken(v) for v in (0.123456, 12, 1200, 1e6, 64e6)], ["0.123", "12", "1.2k", "1M", "64M"])


if __name__ == "__main__":
    unittest.main()
