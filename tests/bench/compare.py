#!/usr/bin/env python3
"""Runs the micro-benchmarks and prints this commit's medians beside the last recorded ones.

compare.py PROGRAM RECORDED.json [--record] [--filter REGEX]

A benchmark repeats several times, interleaved with the others; the median of its CPU time counts. A machine is not equally fast all day,
least of all a shared one: changes are those beyond what the yardstick, which measures no code of the project, changed by. Above 10 % they
are pointed out. Figures of two machines are not compared as if they were of one.
"""
import argparse
import datetime
import json
import os
import pathlib
import statistics
import subprocess
import sys

REPETITIONS = 7
MIN_TIME_S = 0.1
NOISE = 0.10
YARDSTICK = "yardstick"
UNITS = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}


def machine():
    """The processor and how many of it: what figures depend on first."""
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown")
    return f"{model}, {os.cpu_count()} cores"


def commit(folder):
    said = subprocess.run(["git", "-C", folder, "describe", "--always", "--dirty", "--exclude=*"], capture_output=True, text=True)
    return said.stdout.strip() or "unknown"


def run(program, only):
    words = [program, "--benchmark_format=json", f"--benchmark_repetitions={REPETITIONS}", f"--benchmark_min_time={MIN_TIME_S}",
             "--benchmark_enable_random_interleaving=true", f"--benchmark_filter={YARDSTICK}|{only}"]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0 or not done.stdout.strip():
        sys.exit(f"{program}: status {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def medians(document):
    """Nanoseconds of CPU time for each benchmark, from all its repetitions."""
    times = {}
    for row in document["benchmarks"]:
        if row.get("run_type") == "iteration" and not row.get("error_occurred"):
            times.setdefault(row["run_name"], []).append(row["cpu_time"] * UNITS[row["time_unit"]])
    return {name: round(statistics.median(all_of_it), 2) for name, all_of_it in sorted(times.items())}


def spoken(ns):
    for unit, size in (("ms", 1e6), ("us", 1e3)):
        if ns >= size:
            return f"{ns / size:.2f} {unit}"
    return f"{ns:.1f} ns"


def table(now, recorded):
    """Lines: each benchmark, what was recorded, what it is, and how they differ."""
    before = recorded.get("nanoseconds", {})
    speed = now[YARDSTICK] / before[YARDSTICK] if YARDSTICK in now and YARDSTICK in before else 1
    width = max(map(len, [*now, *before, "benchmark"]))
    lines = [f"{'benchmark':<{width}}  {'recorded':>10}  {'now':>10}  change"]
    for name in sorted({*now, *before} - {YARDSTICK}):
        old, new = before.get(name), now.get(name)
        change = "new" if old is None else "gone" if new is None else f"{100 * (new / old / speed - 1):+.1f} %"
        if old and new and abs(new / old / speed - 1) > NOISE:
            change += "  slower" if new / old > speed else "  faster"
        lines.append(f"{name:<{width}}  {spoken(old) if old else '-':>10}  {spoken(new) if new else '-':>10}  {change}")
    if speed != 1:
        lines.append(f"the machine takes {100 * (speed - 1):+.1f} % for the yardstick; changes are beyond that")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("recorded", type=pathlib.Path)
    parser.add_argument("--record", action="store_true", help="write this run to RECORDED, from a machine that does nothing else")
    parser.add_argument("--filter", default=".", help="only benchmarks whose name matches")
    with_ = parser.parse_args()
    if with_.record and with_.filter != ".":
        parser.error("--record is for all benchmarks")
    recorded = json.loads(with_.recorded.read_text()) if with_.recorded.exists() else {}
    now = medians(run(with_.program, with_.filter))
    if with_.filter != ".":
        recorded["nanoseconds"] = {name: ns for name, ns in recorded.get("nanoseconds", {}).items() if name in now}
    here = {"machine": machine(), "date": datetime.date.today().isoformat(), "commit": commit(with_.recorded.resolve().parent)}
    print("\n".join(table(now, recorded)))
    if recorded.get("commit"):
        print(f"recorded: {recorded['commit']}, {recorded['date']}, {recorded['machine']}")
    print(f"now: {here['commit']}, {here['date']}, {here['machine']}")
    if recorded.get("machine", here["machine"]) != here["machine"]:
        print("another machine: the changes say nothing about the code")
    if with_.record:
        with_.recorded.write_text(json.dumps({**here, "nanoseconds": now}, indent=2) + "\n")


if __name__ == "__main__":
    main()
