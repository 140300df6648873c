#!/usr/bin/env python3
"""compare.py: medians out of Google Benchmark's JSON, and what is said about them."""
import json
import pathlib
import stat
import subprocess
import sys
import tempfile
import unittest

import compare


def row(name, time, unit="ns", kind="iteration", **more):
    return {"name": name, "run_name": name, "run_type": kind, "cpu_time": time, "time_unit": unit, **more}


class Medians(unittest.TestCase):
    def test_of_repetitions_in_nanoseconds(self):
        rows = [row("a", 3), row("a", 1), row("a", 2), row("b", 1.5, "us"), row("a", 99, kind="aggregate"), row("c", 1, error_occurred=True)]
        self.assertEqual(compare.medians({"benchmarks": rows}), {"a": 2, "b": 1500})


class Table(unittest.TestCase):
    def test_says_what_changed(self):
        lines = compare.table({"a": 120, "b": 80, "c": 103, "d": 5}, {"nanoseconds": {"a": 100, "b": 100, "c": 100, "e": 2e6}})
        self.assertEqual([line.split() for line in lines[1:]], [
            ["a", "100.0", "ns", "120.0", "ns", "+20.0", "%", "slower"],
            ["b", "100.0", "ns", "80.0", "ns", "-20.0", "%", "faster"],
            ["c", "100.0", "ns", "103.0", "ns", "+3.0", "%"],
            ["d", "-", "5.0", "ns", "new"],
            ["e", "2.00", "ms", "-", "gone"]])

    def test_leaves_out_what_the_machine_changed_by(self):
        lines = compare.table({"a": 20, "b": 26, "yardstick": 6}, {"nanoseconds": {"a": 10, "b": 10, "yardstick": 3}})
        self.assertEqual([line.split()[5:] for line in lines[1:3]], [["+0.0", "%"], ["+30.0", "%", "slower"]])
        self.assertIn("+100.0 %", lines[3])
        self.assertEqual(len(lines), 4)


class Program(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.recorded = pathlib.Path(self.folder.name) / "recorded.json"

    def run_it(self, benchmarks, *words, status=0):
        program = pathlib.Path(self.folder.name) / "program"
        program.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps({'benchmarks': benchmarks})}\nEND\nexit {status}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        words = [sys.executable, pathlib.Path(__file__).with_name("compare.py"), program, self.recorded, *words]
        return subprocess.run(words, capture_output=True, text=True)

    def test_records_and_compares(self):
        first = self.run_it([row("a", 100)], "--record")
        self.assertEqual(first.returncode, 0, first.stderr)
        self.assertEqual(set(json.loads(self.recorded.read_text())), {"machine", "date", "commit", "nanoseconds"})
        again = self.run_it([row("a", 150)])
        self.assertIn("+50.0 %  slower", again.stdout)
        self.assertNotIn("another machine", again.stdout)
        self.assertEqual(json.loads(self.recorded.read_text())["nanoseconds"], {"a": 100})

    def test_names_another_machine(self):
        self.recorded.write_text(json.dumps({"machine": "abacus", "date": "1900-01-01", "commit": "0", "nanoseconds": {"a": 1}}))
        self.assertIn("another machine", self.run_it([row("a", 1)]).stdout)

    def test_refuses_a_part_as_record_and_a_run_that_failed(self):
        self.assertNotEqual(self.run_it([row("a", 1)], "--record", "--filter", "a").returncode, 0)
        failed = self.run_it([row("a", 1)], "--record", status=1)
        self.assertNotEqual(failed.returncode, 0)
        self.assertFalse(self.recorded.exists())


if __name__ == "__main__":
    unittest.main()
