#!/usr/bin/env python3
"""What a subscriber that stops reading costs: resident memory, and messages of others.

    tests/measure/slow_consumers.py build/release/bin/brokerd [--megabytes 160] [--payload 1000] [--threads 1]

For QoS 0 and for QoS 1 with a session that is kept: one subscriber reads, one has stopped; so much is published at the pace of the
reader. slow_consumer_timeout is long enough not to end the slow one. Prints a line for each figure; exit status 1 when the reader
missed a message.
"""
import argparse
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

CONFIGURATION = """
[node]
data_dir = "{directory}/data"
threads = {threads}
[limits]
slow_consumer_timeout = "600s"
[[listener]]
name = "mqtt"
bind = "127.0.0.1:{port}"
protocols = ["mqtt"]
"""
AHEAD = 60  # published beyond what the reader has, QoS 1: what is acknowledged


def text(s):
    return struct.pack(">H", len(s)) + s


def packet(kind, body):
    size, length = len(body), b""
    while True:
        size, digit = divmod(size, 128)
        length += bytes([digit | (128 if size else 0)])
        if not size:
            return bytes([kind]) + length + body


class Client:
    def __init__(self, port, name, keep=False):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        expiry = b"\x05\x11" + struct.pack(">I", 3600) if keep else b"\0"
        self.socket.sendall(packet(0x10, text(b"MQTT") + b"\x05\x02\0\0" + expiry + text(name)))
        assert self.next()[0] == 0x20

    def next(self):
        while True:
            size, shift, at = 0, 0, 1
            while at < len(self.buffer):
                digit = self.buffer[at]
                size |= (digit & 127) << shift
                shift, at = shift + 7, at + 1
                if digit < 128:
                    if len(self.buffer) < at + size:
                        break
                    kind, body = self.buffer[0], self.buffer[at:at + size]
                    self.buffer = self.buffer[at + size:]
                    return kind, body
            more = self.socket.recv(1 << 16)
            if not more:
                raise EOFError
            self.buffer += more

    def subscribe(self, topic, qos):
        self.socket.sendall(packet(0x82, b"\0\x01\0" + text(topic) + bytes([qos])))
        assert self.next()[0] == 0x90


def resident(pid):  # MiB
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024


def run(port, pid, qos, options):
    count = options.megabytes * 1_000_000 // options.payload
    reader = Client(port, b"reader%d" % qos, keep=qos > 0)
    reader.subscribe(b"t", qos)
    publisher = Client(port, b"publisher%d" % qos)
    got = [0]
    credit = threading.Semaphore(AHEAD)

    def read():
        while got[0] != count:
            kind, body = reader.next()
            if kind & 0xF0 != 0x30:
                continue
            if qos:
                reader.socket.sendall(packet(0x40, body[3:5]))
            got[0] += 1
            if not qos:
                credit.release()

    def answers():
        try:
            while True:
                if publisher.next()[0] == 0x40:
                    credit.release()
        except (EOFError, OSError):
            pass

    # Warm: what the broker takes for itself is there before.
    slow = Client(port, b"slow%d" % qos, keep=qos > 0)
    slow.subscribe(b"t", qos)
    before = resident(pid)
    peak = before
    threading.Thread(target=answers, daemon=True).start()
    reading = threading.Thread(target=read, daemon=True)
    reading.start()
    payload = b"x" * options.payload
    began = time.monotonic()
    for i in range(count):
        credit.acquire()
        handle = struct.pack(">H", i % 60000 + 1) if qos else b""
        publisher.socket.sendall(packet(0x30 | qos << 1, text(b"t") + handle + b"\0" + payload))
        if i % 5000 == 0:
            peak = max(peak, resident(pid))
    reading.join(120)
    took = time.monotonic() - began
    peak = max(peak, resident(pid))
    print(f"QoS {qos}: messages the reader has                   {got[0]} of {count} in {took:.1f} s")
    print(f"QoS {qos}: resident growth, at most / at the end     {peak - before:.1f} / {resident(pid) - before:.1f} MiB", flush=True)
    publisher.socket.close()
    reader.socket.close()
    slow.socket.close()
    return got[0] == count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("brokerd")
    parser.add_argument("--megabytes", type=int, default=160)
    parser.add_argument("--payload", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    directory = tempfile.mkdtemp(prefix="brokerd-slow-")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with open(f"{directory}/brokerd.toml", "w") as file:
        file.write(CONFIGURATION.format(directory=directory, threads=options.threads, port=port))
    process = subprocess.Popen([options.brokerd, "--config", f"{directory}/brokerd.toml"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                if process.poll() is not None:
                    sys.exit("brokerd did not start")
                time.sleep(0.01)
        fine = [run(port, process.pid, qos, options) for qos in (0, 1)]
        return 0 if all(fine) else 1
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(directory)


if __name__ == "__main__":
    sys.exit(main())
