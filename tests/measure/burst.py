#!/usr/bin/env python3
"""What publications cost that arrive in one piece and go to many sessions that are away: memory, time, the answers' order.

    tests/measure/burst.py build/release/bin/brokerd [--sessions 100000] [--messages 200] [--payload 100] [--threads 1]

Makes the sessions, publishes with QoS 1 in one write, waits for every PUBACK. Prints what brokerd has resident before, at most and
afterwards, and that a connection that stores nothing is served meanwhile.
"""
import argparse
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time


def text(value):
    return struct.pack("!H", len(value)) + value.encode()


def packet(kind, body):
    length, size = b"", len(body)
    while True:
        size, digit = size >> 7, size & 127
        length += bytes([digit | (128 if size else 0)])
        if not size:
            return bytes([kind]) + length + body


def connect(client, clean):
    return packet(0x10, text("MQTT") + bytes([4, 2 if clean else 0]) + struct.pack("!H", 0) + text(client))


def resident(process, field="VmRSS"):
    status = open(f"/proc/{process.pid}/status").read()
    return int(re.search(rf"{field}:\s+(\d+) kB", status).group(1)) / 1024


def read(s, size):
    data = b""
    while len(data) < size:
        piece = s.recv(size - len(data))
        if not piece:
            sys.exit("brokerd closed the connection")
        data += piece
    return data


def make_sessions(port, numbers):
    subscribe = packet(0x82, struct.pack("!H", 1) + text("burst") + b"\x01")
    numbers = list(numbers)
    for at in range(0, len(numbers), 100):
        open_ones = []
        for number in numbers[at : at + 100]:
            s = socket.create_connection(("127.0.0.1", port))
            s.sendall(connect(f"session-{number}", False) + subscribe)
            open_ones.append(s)
        for s in open_ones:
            read(s, 4 + 5)
            s.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("brokerd")
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--messages", type=int, default=200)
    parser.add_argument("--payload", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="brokerd-burst-") as directory, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        process = subprocess.Popen([options.brokerd, "--data-dir", f"{directory}/data", "--listen", f"mqtt://127.0.0.1:{port}",
                                    "--threads", str(options.threads), "--admin-http", "off"],
                                   stdout=subprocess.DEVNULL, stderr=open(f"{directory}/log", "w"))
        try:
            for _ in range(500):
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    time.sleep(0.01)
            workers = [threading.Thread(target=make_sessions, args=(port, range(i, options.sessions, 4))) for i in range(4)]
            for w in workers:
                w.start()
            for w in workers:
                w.join()
            print(f"{options.sessions} sessions: {resident(process):.0f} MiB resident")
            bystander = socket.create_connection(("127.0.0.1", port))
            bystander.sendall(connect("bystander", True))
            read(bystander, 4)
            s = socket.create_connection(("127.0.0.1", port))
            s.sendall(connect("publisher", True))
            read(s, 4)
            burst = b"".join(packet(0x32, text("burst") + struct.pack("!H", i + 1) + b"x" * options.payload) for i in range(options.messages))
            began = time.monotonic()
            s.sendall(burst)
            worst = 0.0
            done = threading.Event()

            def ping():
                nonlocal worst
                while not done.is_set():
                    asked = time.monotonic()
                    bystander.sendall(b"\xc0\x00")
                    read(bystander, 2)
                    worst = max(worst, time.monotonic() - asked)
                    time.sleep(0.01)

            pinging = threading.Thread(target=ping)
            pinging.start()
            answers = read(s, 4 * options.messages)
            took = time.monotonic() - began
            done.set()
            pinging.join()
            assert answers == b"".join(b"\x40\x02" + struct.pack("!H", i + 1) for i in range(options.messages)), "PUBACKs out of order"
            print(f"{options.messages} messages to each: acknowledged after {took:.1f} s, at most {resident(process, 'VmHWM'):.0f} MiB resident, "
                  f"then {resident(process):.0f} MiB; a bystander waited {worst * 1000:.0f} ms at most")
        finally:
            process.terminate()
            process.wait()


main()
