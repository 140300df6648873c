"""stomp.py with what tests need: frames to wait for, and one way to subscribe and to acknowledge in every version.

Run as a program it does what lines of JSON on its standard input say (support/stomp_py.mjs writes them) and tells on
standard output what came of it.
"""
import base64
import json
import os
import sys
import threading

os.environ["STOMP_SKIP_HOSTNAME_SCAN"] = "1"  # it would ask the name server at import
import stomp  # noqa: E402

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from support.scenarios import Waiting  # noqa: E402

CONNECTIONS = {"1.0": stomp.Connection10, "1.1": stomp.Connection11, "1.2": stomp.Connection12}


class Client(Waiting, stomp.ConnectionListener):
    """A connected client. heartbeats and what else is named in `options` are stomp.py's; `headers` are those of CONNECT."""

    def __init__(self, port, version, headers=None, **options):
        super().__init__()
        self.version = version
        self.stomp = CONNECTIONS[version]([("127.0.0.1", port)], **options)
        self.stomp.set_listener("test", self)
        self.connect(headers)

    def connect(self, headers=None):
        self.connected = self.error = None
        self.ended, self.messages, self.receipts, self.beats, self.last_receipt = False, [], set(), 0, 0
        self.stomp.connect(headers=headers)
        self.until(lambda: self.connected or self.error or self.ended, "CONNECTED")
        assert self.connected, f"CONNECT refused: {self.error and self.error.headers}"
        assert self.connected.headers["version"] == self.version

    def on_connected(self, frame):
        self._set(connected=frame)

    def on_message(self, frame):
        self._do(self.messages.append, frame)

    def on_receipt(self, frame):
        self._do(self.receipts.add, frame.headers["receipt-id"])

    def on_error(self, frame):
        self._set(error=frame)

    def on_heartbeat(self):
        self._set(beats=self.beats + 1)

    def on_disconnected(self):
        self._set(ended=True)

    def take(self, count=1):
        """The next messages, in order."""
        self.until(lambda: len(self.messages) >= count or self.ended, f"{count} messages, got {[m.body for m in self.messages]}")
        assert len(self.messages) >= count, f"closed after {len(self.messages)} messages: {self.error and self.error.headers}"
        taken, self.messages[:count] = self.messages[:count], []
        return taken

    def texts(self, count=1):
        return [m.body for m in self.take(count)]

    def confirmed(self, what, *args, **named):
        """Does it with a receipt, and waits for that."""
        self.last_receipt += 1
        receipt = f"r{self.last_receipt}"
        what(*args, receipt=receipt, **named)
        self.until(lambda: receipt in self.receipts or self.error or self.ended, f"RECEIPT of {args}")
        assert receipt in self.receipts, f"ERROR {self.error and self.error.headers}"

    def send(self, destination, body, content_type=None, headers=None):
        self.confirmed(self.stomp.send, destination, body, content_type, headers)

    def subscribe(self, destination, id="1", ack="auto", headers=None):
        self.confirmed(self.stomp.subscribe, destination, id, ack, headers)

    def unsubscribe(self, id="1", headers=None):
        self.confirmed(self.stomp.unsubscribe, id=id, headers=headers)

    def ack(self, message, transaction=None):
        self.confirmed(self.stomp.ack, *self._ids(message), transaction=transaction)

    def nack(self, message, **headers):  # 1.0 has none
        self.confirmed(self.stomp.nack, *self._ids(message), **headers)

    def _ids(self, message):
        if self.version == "1.2":
            return [message.headers["ack"]]
        if self.version == "1.1":
            return [message.headers["message-id"], message.headers["subscription"]]
        return [message.headers["message-id"]]

    def begin(self, name):
        self.confirmed(self.stomp.begin, name)

    def commit(self, name):
        self.confirmed(self.stomp.commit, name)

    def abort(self, name):
        self.confirmed(self.stomp.abort, name)

    def leave(self):
        """DISCONNECT, waiting for its receipt: all sent before has been received."""
        if not self.ended:
            self.stomp.disconnect()
            self.until(lambda: self.ended, "the end of the connection")

    def cut(self):
        """The socket goes without a word."""
        if not self.ended:
            self.stomp.transport.disconnect_socket()
            self.until(lambda: self.ended, "the end of the connection")


class Service:
    """Clients by number, doing what a line of JSON says: {"of": CLIENT, "do": METHOD, ...arguments}."""

    def __init__(self, out):
        self.out, self.writing, self.clients = out, threading.Lock(), {}

    def tell(self, **event):
        with self.writing:
            print(json.dumps(event), file=self.out, flush=True)

    def do(self, of, do, **arguments):
        if do == "connect":
            self.clients[of] = Reporting(self, of, **arguments)
            return
        client = self.clients[of]
        if "body" in arguments:
            arguments["body"] = base64.b64decode(arguments["body"])
        if "message" in arguments:
            arguments["message"] = client.known[arguments["message"]]
        for name, value in (arguments.get("headers") or {}).items():
            if isinstance(value, list):
                arguments["headers"][name] = tuple(value)  # stomp.py repeats a header for each value of a tuple
        getattr(client, do)(**arguments)

    def run(self, lines):
        for line in lines:
            order = json.loads(line)
            try:
                self.do(**order)
                self.tell(of=order["of"], done=True)
            except Exception as failure:
                self.tell(of=order["of"], failed=f"{order}: {failure!r}")


class Reporting(Client):
    """Tells of each message as it comes; headers as pairs, in the order in which stomp.py has them."""

    def __init__(self, service, number, port, version, headers=None):
        self.tell, self.known = lambda **event: service.tell(of=number, **event), []
        super().__init__(port, version, headers, auto_decode=False)

    def on_message(self, frame):
        self.known.append(frame)
        self.tell(message=len(self.known) - 1, headers=list(frame.headers.items()), body=base64.b64encode(frame.body).decode())

    def on_error(self, frame):
        super().on_error(frame)
        self.tell(error=frame.headers)


if __name__ == "__main__":
    Service(sys.stdout).run(sys.stdin)
