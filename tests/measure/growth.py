#!/usr/bin/env python3
"""How brokerd's cost grows: with subscribers of a topic, filters in the trie, retained messages and the size of payloads.

    tests/measure/growth.py build/release/bin/brokerd ./wsload docs/figures [--most N] [--largest BYTES] [--rounds 3] [--seconds 2]

Each point is a fresh brokerd with one thread, pinned to one processor with the load on another, and the median of some rounds. Costs are
processor time of brokerd. Writes growth.json and one SVG for each series to the folder; prints what it measures. `--most` and `--largest`
leave out the points above: to try it, --most 1000 --largest 65536 --rounds 1 --seconds 0.5. brokerctl is the one beside brokerd.
"""
import argparse
import json
import os
import pathlib
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import figure  # noqa: E402

SETTINGS = {"MAX_SUBSCRIPTIONS_PER_CLIENT": "1000000", "MAX_MESSAGE": "80MiB", "OUTBOX": "512MiB"}
SUBSCRIBERS = [10, 30, 100, 300, 1_000, 3_000, 10_000]
FILTERS = [1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000]
FILTERS_BASE = 100  # whose memory is what is there without filters
RETAINED = [1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000]
PAYLOADS = [1 << n for n in range(10, 27, 2)]  # 1 KiB to 64 MiB


class Broker:
    def __init__(self, program):
        self.folder = tempfile.mkdtemp(prefix="brokerd-growth-")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        words = [program, "--data-dir", f"{self.folder}/data", "--listen", f"ws://127.0.0.1:{self.port}", "--threads", "1",
                 "--admin-http", "off", "--admin-socket", f"{self.folder}/admin.sock"]
        environment = os.environ | {f"BROKERD__LIMITS__{key}": value for key, value in SETTINGS.items()}
        with open(f"{self.folder}/log", "w") as log:
            self.process = subprocess.Popen(words, env=environment, stdout=log, stderr=log, preexec_fn=lambda: pin(0))

    def __enter__(self):
        until = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return self
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    sys.exit(pathlib.Path(f"{self.folder}/log").read_text())
                time.sleep(0.01)

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def resident(self):  # bytes
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) * 1024

    def processor_seconds(self):
        after_name = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def pin(index):
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) > 1:
        os.sched_setaffinity(0, {processors[index]})


def load(with_, broker, *words):
    """One run of the load generator: what it found."""
    command = [with_.wsload, *map(str, words), "--mqtt", f"ws://127.0.0.1:{broker.port}/", "--broker-pid", str(broker.process.pid),
               "--max-time", "900", "--open-timeout", "600"]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=lambda: pin(1))
    if not done.stdout.strip():
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    found = json.loads(done.stdout)
    for wrong in ("lost", "closed_by_peer", "errors"):
        if found[wrong]:
            print(f"  {found[wrong]} {wrong}: {found.get('first_error', '')}")
    return found


def microseconds(per_second):
    return 1e6 / per_second if per_second else None


def subscribers(with_, n):
    with Broker(with_.brokerd) as broker:
        found = load(with_, broker, "fanout", "--subs", n, "--payload", 128, "--window", 8,
                     "--seconds", with_.seconds, "--warmup", with_.seconds / 4)
        return {"us per delivery": microseconds(found["deliveries_per_broker_cpu_s"])}


def filters(with_, n):
    def run(count):
        with Broker(with_.brokerd) as broker:
            found = load(with_, broker, "wildcard", "--filters", count, "--holders", 100, "--payload", 128,
                         "--seconds", with_.seconds, "--warmup", with_.seconds / 4)
            return found["rss_kb"] * 1024, microseconds(found["messages_per_broker_cpu_s"])

    resident, cost = run(n)
    base, _ = run(FILTERS_BASE)
    return {"bytes per filter": (resident - base) / (n - FILTERS_BASE), "us per message": cost}


def retained(with_, n):
    with Broker(with_.brokerd) as broker:
        before = broker.resident()
        found = load(with_, broker, "retained", "--messages", n, "--payload", 64, "--late-subs", max(1, 100_000 // n), "--clean", 0)
        return {"us per message handed out": microseconds(found["deliveries_per_broker_cpu_s"]),
                "us per message set": microseconds(found["load_acked_per_broker_cpu_s"]),
                "bytes per message": (found["rss_kb"] * 1024 - before) / n if n >= 10_000 else None} # below, RocksDB's memtable is more


# wsload takes no packets above 1 MiB; brokerctl bench does, and with five connections nothing but deliveries costs.
def payloads(with_, n):
    with Broker(with_.brokerd) as broker:
        command = [pathlib.Path(with_.brokerd).with_name("brokerctl"), "-o", "json", "--timeout", "60s", "bench", "fanout", f"ws://127.0.0.1:{broker.port}/",
                   "--subscribers", "4", "--payload", str(n), "--window", str(max(1, min(32, (4 << 20) // n))), "--duration", f"{with_.seconds * 1000:.0f}ms"]
        before = broker.processor_seconds()
        done = subprocess.run(command, capture_output=True, text=True, preexec_fn=lambda: pin(1))
        if not done.stdout.strip():
            sys.exit(f"{' '.join(map(str, command))}: {done.stderr}")
        found = json.loads(done.stdout)
        if found["lost"] or found["closed_by_broker"]:
            print(f"  {found['lost']} lost: {found['first_trouble']}")
        cost = found["delivered"] and 1e6 * (broker.processor_seconds() - before) / found["delivered"]
        return {"us per delivery": cost, "ns per KiB": cost * 1e3 / (n / 1024)}


# name: how one point is measured, the points, what they count, and the figures: file, title, and the values drawn.
SERIES = {
    "subscribers": (subscribers, SUBSCRIBERS, "subscribers of one topic", [
        ("growth-subscribers", "Processor time of a delivery, QoS 0, 128 bytes", ["us per delivery"])]),
    "filters": (filters, FILTERS, "filters in the trie", [
        ("growth-filters-memory", "Resident memory of a filter", ["bytes per filter"]),
        ("growth-filters-match", "Processor time of a message that is matched and delivered", ["us per message"])]),
    "retained": (retained, RETAINED, "retained messages", [
        ("growth-retained", "Processor time of a retained message, 64 bytes", ["us per message handed out", "us per message set"]),
        ("growth-retained-memory", "Resident memory of a retained message, 64 bytes", ["bytes per message"])]),
    "payloads": (payloads, PAYLOADS, "bytes of payload", [
        ("growth-payload", "Processor time of a delivery to 4 subscribers, QoS 0", ["us per delivery", "ns per KiB"])]),
}


def measure(with_):
    found = {}
    for name, (point, sizes, unit, _) in SERIES.items():
        if with_.only and name not in with_.only:
            continue
        most = with_.largest if name == "payloads" else with_.most
        for n in [n for n in sizes if n <= most]:
            rounds = [point(with_, n) for _ in range(with_.rounds)]
            values = {key: statistics.median(r[key] for r in rounds) for key in rounds[0] if all(r[key] for r in rounds)}
            print(f"{n} {unit}: " + ", ".join(f"{value:.4g} {key}" for key, value in values.items()), flush=True)
            found.setdefault(name, {})[n] = values
    return found


def draw(found, folder):
    for name, points in found.items():
        _, _, unit, figures = SERIES[name]
        for file, title, keys in figures:
            lines = {key: [(n, values[key]) for n, values in points.items() if values.get(key, 0) > 0] for key in keys}
            lines = {key: line for key, line in lines.items() if line}
            if lines:
                (folder / f"{file}.svg").write_text(figure.log_log(title, unit, lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("brokerd")
    parser.add_argument("wsload")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--most", type=int, default=10**9)
    parser.add_argument("--largest", type=int, default=10**9, help="payload, bytes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--only", action="append", choices=SERIES)
    with_ = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with_.folder.mkdir(parents=True, exist_ok=True)
    found = measure(with_)
    (with_.folder / "growth.json").write_text(json.dumps(found, indent=2) + "\n")
    draw(found, with_.folder)


if __name__ == "__main__":
    main()
