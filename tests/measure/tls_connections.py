#!/usr/bin/env python3
"""What an idle connection costs in memory, plain and with TLS: resident memory of a brokerd per MQTT client that has subscribed.

tests/measure/tls_connections.py build/release/bin/brokerd [CONNECTIONS]"""
import os
import resource
import socket
import ssl
import subprocess
import sys
import tempfile
import time

brokerd = sys.argv[1]
count = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def connect(port, number, tls):
    s = socket.create_connection(("127.0.0.1", port))
    if tls:
        s = tls.wrap_socket(s, server_hostname="localhost")
    name = f"client-{number}".encode()
    s.sendall(b"\x10" + bytes([12 + len(name)]) + b"\x00\x04MQTT\x04\x02\x00\x00" + len(name).to_bytes(2, "big") + name)
    topic = f"to/{number}".encode()
    s.sendall(b"\x82" + bytes([5 + len(topic)]) + b"\x00\x01" + len(topic).to_bytes(2, "big") + topic + b"\x00")
    got = b""
    while len(got) < 4 + 5:  # CONNACK, SUBACK
        got += s.recv(100)
    return s


def resident(pid):
    with open(f"/proc/{pid}/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def measure(scheme, version=None):
    with tempfile.TemporaryDirectory() as directory:
        cert, key = f"{directory}/cert.pem", f"{directory}/key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj",
                        "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert], check=True, capture_output=True)
        port = free_port()
        server = subprocess.Popen([brokerd, "--data-dir", f"{directory}/data", "--listen", f"{scheme}://127.0.0.1:{port}", "--threads", "1",
                                   *(["--tls-cert", cert, "--tls-key", key] if version else [])], stderr=subprocess.PIPE, text=True)
        try:
            for line in server.stderr:
                if "ready:" in line:
                    break
            tls = None
            if version:
                tls = ssl.create_default_context(cafile=cert)
                tls.minimum_version = tls.maximum_version = version
            open_now = [connect(port, i, tls) for i in range(100)]  # what the first ones need once
            before = resident(server.pid)
            open_now += [connect(port, 100 + i, tls) for i in range(count)]
            time.sleep(1)  # memory that is given back late
            print(f"{scheme:6} {version.name if version else '':8} {(resident(server.pid) - before) / count / 1024:6.1f} KiB each, {count} connections")
        finally:
            server.kill()
            server.wait()


measure("mqtt")
measure("mqtts", ssl.TLSVersion.TLSv1_2)
measure("mqtts", ssl.TLSVersion.TLSv1_3)
