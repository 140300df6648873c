#!/usr/bin/env python3
"""brokerd beside other brokers over wss: fan-out to 100 subscribers, and connects, per processor second of the broker.

    tests/measure/tls_peers.py build/release/bin/brokerd [--mosquitto mosquitto] [--flashmq flashmq] [--rounds 5] [--seconds 3]

The load is the brokerctl beside brokerd. Each broker has one thread on processor 0, the load is on processor 1; the same certificate
(ECDSA P-256), TLS 1.3, no resumption; medians of alternating rounds. A peer that is not named is left out. Debian's Mosquitto 2.0.11 does
not start with TLS on a WebSocket listener: it is measured over mqtts."""
import argparse
import json
import os
import pathlib
import resource
import socket
import statistics
import subprocess
import tempfile
import time

parser = argparse.ArgumentParser()
parser.add_argument("brokerd")
parser.add_argument("--mosquitto")
parser.add_argument("--flashmq")
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--seconds", type=int, default=3)
parser.add_argument("--connects", type=int, default=2000)
chosen = parser.parse_args()
brokerctl = str(pathlib.Path(chosen.brokerd).with_name("brokerctl"))
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)

MOSQUITTO = """listener {port} 127.0.0.1
certfile {cert}
keyfile {key}
allow_anonymous true
set_tcp_nodelay true
max_queued_messages 0
persistence false
log_dest none
"""
FLASHMQ = """thread_count 1
allow_anonymous true
zero_byte_username_is_anonymous true
log_level warning
client_max_write_buffer_size 16777216
listen {{
  protocol websockets
  inet_protocol ip4
  inet4_bind_address 127.0.0.1
  port {port}
  tcp_nodelay true
  fullchain {cert}
  privkey {key}
}}
"""


def command(name, folder, port):
    cert, key = f"{folder}/cert.pem", f"{folder}/key.pem"
    if name == "brokerd":
        return [chosen.brokerd, "--data-dir", f"{folder}/data-{port}", "--listen", f"wss://127.0.0.1:{port}", "--threads", "1",
                "--tls-cert", cert, "--tls-key", key]
    text = MOSQUITTO if name == "mosquitto" else FLASHMQ
    file = pathlib.Path(folder, f"{name}-{port}.conf")
    file.write_text(text.format(port=port, cert=cert, key=key))
    return [chosen.mosquitto, "-c", str(file)] if name == "mosquitto" else [chosen.flashmq, "--config-file", str(file)]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pinned(processor):
    return lambda: os.sched_setaffinity(0, {processor})


def load(verb, name, port, *more):
    url = f"mqtts://127.0.0.1:{port}" if name == "mosquitto" else f"wss://127.0.0.1:{port}/mqtt"
    run = subprocess.run([brokerctl, "bench", verb, url, "--protocol", "mqtt311", "--insecure", "-o", "json", *more],
                         preexec_fn=pinned(1), capture_output=True, text=True)
    return json.loads(run.stdout)


def measure(name, folder):
    port = free_port()
    server = subprocess.Popen(command(name, folder, port), preexec_fn=pinned(0), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                assert server.poll() is None and time.monotonic() < until, f"{name} does not start"
                time.sleep(0.05)
        before = processor_seconds(server.pid)
        conn = load("conn", name, port, "--clients", str(chosen.connects), "--duration", "1s")
        connects = conn["connect"]["opened"] / (processor_seconds(server.pid) - before)
        before = processor_seconds(server.pid)
        fan = load("fanout", name, port, "--subscribers", "100", "--payload", "128", "--window", "32", "--duration", f"{chosen.seconds}s")
        used = processor_seconds(server.pid) - before  # and 101 handshakes, a few hundredths of a second for everybody
        assert fan["lost"] == 0 and conn["connect"]["failed"] == 0, (name, fan["lost"], conn["connect"]["failed"])
        return connects, fan["delivered"] / used
    finally:
        server.kill()
        server.wait()


names = ["brokerd"] + [peer for peer in ("mosquitto", "flashmq") if getattr(chosen, peer)]
results = {name: [] for name in names}
with tempfile.TemporaryDirectory() as folder:
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"],
                   check=True, capture_output=True)
    os.chmod(folder, 0o755)
    for file in ("key.pem", "cert.pem"):
        os.chmod(f"{folder}/{file}", 0o644)  # mosquitto gives up being root before it reads them
    for number in range(chosen.rounds):
        for name in names[number % len(names):] + names[:number % len(names)]:
            results[name].append(measure(name, folder))
print("| broker | connects per broker CPU s | deliveries per broker CPU s |\n|---|---:|---:|")
for name in names:
    connects, deliveries = (statistics.median(r[i] for r in results[name]) for i in (0, 1))
    print(f"| {name} | {connects:,.0f} | {deliveries:,.0f} |")
