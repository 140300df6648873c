#!/usr/bin/env python3
"""What a long queue costs: memory, disk, the time until a consumer has its first message, and reading it all.

    tests/measure/deep_queue.py build/release/bin/brokerd [--messages 10000000] [--payload 100] [--threads 1]

Publishes over STOMP without receipts but for the last message, so that all of it is on disk; attaches consumers before and after a
restart, an orderly one and one by SIGKILL; reads everything. Prints a line for each figure.
"""
import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

CONFIGURATION = """
[node]
data_dir = "{directory}/data"
threads = {threads}
[[queue]]
name = "deep"
messages = {most}
bytes = "64GiB"
[[listener]]
name = "stomp"
bind = "127.0.0.1:{port}"
protocols = ["stomp"]
"""


class Broker:
    def __init__(self, options, directory):
        self.binary = options.brokerd
        self.directory = directory
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        with open(f"{directory}/brokerd.toml", "w") as file:
            file.write(CONFIGURATION.format(directory=directory, threads=options.threads, most=2 * options.messages, port=self.port))

    def start(self):
        began = time.monotonic()
        with open(f"{self.directory}/log", "a") as log:
            self.process = subprocess.Popen([self.binary, "--config", f"{self.directory}/brokerd.toml"], stdout=log, stderr=log)
        while True:
            try:
                self.connect().close()
                return time.monotonic() - began
            except OSError:
                if self.process.poll() is not None:
                    sys.exit(open(f"{self.directory}/log").read())
                time.sleep(0.005)

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.port))
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.sendall(b"CONNECT\naccept-version:1.2\nhost:h\nheart-beat:0,0\n\n\0")
        answer = b""
        while b"\0" not in answer:
            answer += s.recv(4096)
        return s

    def stop(self, signal_it):
        signal_it()
        self.process.wait()

    def resident(self):  # MiB
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024

    def cpu(self):  # seconds
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


    def written(self):  # bytes, by the process to the disk
        for line in open(f"/proc/{self.process.pid}/io"):
            if line.startswith("write_bytes"):
                return int(line.split()[1])

    def on_disk(self):  # bytes
        return sum(file.stat().st_blocks * 512 for file in os.scandir(f"{self.directory}/data") if file.is_file())


def say(what, value):
    print(f"{what:44} {value}", flush=True)


def publish(broker, count, size):
    s = broker.connect()
    body = os.urandom(size // 2).hex().encode()
    batch = 10_000
    for first in range(0, count, batch):
        s.sendall(b"".join(b"SEND\ndestination:/queue/deep\ncontent-length:%d\nnumber:%d\n\n%s\0" % (len(body), n, body)
                           for n in range(first, min(first + batch, count))))
    s.sendall(b"SEND\ndestination:/queue/deep\nreceipt:last\n\n\0")
    s.recv(4096)
    s.close()


def attach(broker):  # milliseconds until the first message
    s = broker.connect()
    began = time.perf_counter()
    s.sendall(b"SUBSCRIBE\nid:1\ndestination:/queue/deep\nack:client-individual\n\n\0")
    s.recv(65536)
    took = (time.perf_counter() - began) * 1000
    s.close()
    return f"{took:.1f} ms"


def read_all(broker, count):
    s = broker.connect()
    s.sendall(b"SUBSCRIBE\nid:1\ndestination:/queue/deep\nack:auto\nprefetch-count:1000\n\n\0")
    got = 0
    while got < count:
        got += s.recv(1 << 20).count(b"\0")
    s.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("brokerd")
    parser.add_argument("--messages", type=int, default=10_000_000)
    parser.add_argument("--payload", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    directory = tempfile.mkdtemp(prefix="deep_queue")
    broker = Broker(options, directory)
    try:
        broker.start()
        time.sleep(1)
        fresh = broker.resident()
        say("resident, nothing in it, MiB", f"{fresh:.0f}")
        began, cpu = time.monotonic(), broker.cpu()
        publish(broker, options.messages, options.payload)
        took, spent = time.monotonic() - began, broker.cpu() - cpu
        written = broker.written()
        say("published and on disk, per s, per CPU s", f"{options.messages / took:,.0f} {options.messages / spent:,.0f}")
        say("resident growth right after, MiB", f"{broker.resident() - fresh:.0f}")
        time.sleep(10)
        say("resident growth 10 s later, MiB", f"{broker.resident() - fresh:.0f}")
        say("on disk, MiB", f"{broker.on_disk() / 2**20:.0f}")
        say("written per message, bytes, then and 10 s later",
            f"{written / options.messages:.0f} {broker.written() / options.messages:.0f}")
        say("first message to a consumer after", attach(broker))
        broker.stop(broker.process.terminate)
        say("restart: ready after, s", f"{broker.start():.2f}")
        say("first message to a consumer after", attach(broker))
        broker.stop(broker.process.kill)
        say("restart after SIGKILL: ready after, s", f"{broker.start():.2f}")
        say("first message to a consumer after", attach(broker))
        time.sleep(10)
        say("resident growth, restarted, MiB", f"{broker.resident() - fresh:.0f}")
        began, cpu, written = time.monotonic(), broker.cpu(), broker.written()
        read_all(broker, options.messages)
        took, spent = time.monotonic() - began, broker.cpu() - cpu
        say("read by one consumer, per s, per CPU s", f"{options.messages / took:,.0f} {options.messages / spent:,.0f}")
        for later in (0, 10, 60):
            time.sleep(later)
            say(f"on disk {later} s later, MiB", f"{broker.on_disk() / 2**20:.0f}")
        say("resident growth then, MiB", f"{broker.resident() - fresh:.0f}")
        say("written per message read, bytes", f"{(broker.written() - written) / options.messages:.0f}")
    finally:
        broker.process.kill()
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
