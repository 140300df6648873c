"""stomp.py against a running broker: one table of scenarios, each in STOMP 1.0, 1.1 and 1.2, over TCP: stomp.py 8.0.0 has no
WebSocket transport.

    stomp_scenarios.py STOMP_PORT             the table
    stomp_scenarios.py STOMP_PORT beats MS    heart-beats, with a broker that offers and asks for one every MS milliseconds
    stomp_scenarios.py STOMP_PORT restart ID  says "ready", waits for a line of input, and takes up what was left

Exit status 0: all of it held. Every run has destinations and client ids of its own.
"""
import sys

from support.scenarios import run_all
from support.stomp_py import Client

PORT = int(sys.argv[1])
VERSIONS = ("1.0", "1.1", "1.2")
NACKS = ("1.1", "1.2")


class Run:
    def __init__(self, scenario, version):
        self.name, self.version, self.clients = f"{scenario.__name__}/{version}", version, []

    def topic(self, rest="t"):
        return f"/topic/stomp.py/{self.name}/{rest}"

    def queue(self, rest="q"):
        return "/queue/" + f"stomp.py/{self.name}/{rest}".replace("/", "-")

    def connect(self, headers=None, **options):
        self.clients.append(Client(PORT, self.version, headers, **options))
        return self.clients[-1]

    def consumer(self, destination, ack="auto", headers=None):
        client = self.connect()
        client.subscribe(destination, ack=ack, headers=headers)
        return client

    def send(self, destination, *bodies):
        client = self.connect()
        for body in bodies:
            client.send(destination, body)
        client.leave()

    def rest(self, queue, count):
        """What a queue still holds, as (body, redelivered), with nothing behind it."""
        consumer = self.consumer(queue)
        self.send(queue, "end")
        *taken, end = consumer.take(count + 1)
        assert end.body == "end", [m.body for m in taken]
        return [(m.body, m.headers.get("redelivered") == "true") for m in taken]


SCENARIOS = []


def scenario(*versions):
    return lambda function: SCENARIOS.append((function, versions)) or function


@scenario(*VERSIONS)
def receipts(run):
    client = run.connect()
    client.subscribe(run.topic())
    for i in range(100):
        client.stomp.send(run.topic(), f"{i}", headers={"receipt": f"sent-{i}"})
    client.until(lambda: {f"sent-{i}" for i in range(100)} <= client.receipts, "every RECEIPT")
    assert client.texts(100) == [f"{i}" for i in range(100)]
    client.unsubscribe()
    client.send(run.topic(), "nobody")
    client.leave()
    assert not client.messages and not client.error


@scenario(*VERSIONS)
def automatic(run):
    run.send(run.queue(), "1", "2")
    consumer = run.consumer(run.queue())
    assert consumer.texts(2) == ["1", "2"]
    consumer.cut()
    assert run.rest(run.queue(), 0) == []


@scenario(*VERSIONS)
def cumulative(run):
    consumer = run.connect()
    for name in ("a", "b"):
        consumer.subscribe(run.queue(name), id=name, ack="client")
        run.send(run.queue(name), "1", "2", "3")
    taken = {(m.headers["subscription"], m.body): m for m in consumer.take(6)}
    consumer.ack(taken["a", "2"])  # 1 as well, and nothing of b
    consumer.cut()
    assert run.rest(run.queue("a"), 1) == [("3", True)]
    assert run.rest(run.queue("b"), 3) == [("1", True), ("2", True), ("3", True)]


@scenario(*NACKS)  # 1.0 knows auto and client
def individual(run):
    consumer = run.consumer(run.queue(), "client-individual")
    run.send(run.queue(), "1", "2", "3")
    consumer.ack(consumer.take(3)[1])
    consumer.cut()
    assert run.rest(run.queue(), 2) == [("1", True), ("3", True)]


@scenario("1.0")
def individual_refused(run):
    client = run.connect()
    client.stomp.subscribe(run.queue(), id="1", ack="client-individual")
    client.until(lambda: client.error and client.ended, "ERROR and the end")


@scenario(*VERSIONS)
def acknowledged_twice(run):
    run.send(run.queue(), "1")
    consumer = run.consumer(run.queue(), "client")
    [message] = consumer.take()
    consumer.ack(message)
    consumer.stomp.ack(*consumer._ids(message))
    consumer.until(lambda: consumer.error and consumer.ended, "ERROR and the end")
    assert consumer.error.headers["message"], consumer.error.headers


@scenario(*NACKS)
def requeued(run):
    consumer = run.consumer(run.queue(), "client-individual")
    run.send(run.queue(), "1", "2")
    first, second = consumer.take(2)
    assert "redelivered" not in first.headers
    consumer.nack(first)
    [again] = consumer.take()
    assert (again.body, again.headers["redelivered"], again.headers["redelivery-count"]) == ("1", "true", "1")
    consumer.nack(again)
    [third] = consumer.take()
    assert (third.body, third.headers["redelivery-count"]) == ("1", "2")
    consumer.ack(third)
    consumer.ack(second)
    consumer.leave()
    assert run.rest(run.queue(), 0) == []


@scenario(*NACKS)
def requeued_together(run):
    consumer = run.consumer(run.queue(), "client")
    run.send(run.queue(), "1", "2", "3")
    consumer.nack(consumer.take(3)[1])
    again = consumer.take(2)
    assert [(m.body, m.headers["redelivered"]) for m in again] == [("1", "true"), ("2", "true")]


@scenario(*NACKS)
def requeued_to_another(run):
    first = run.consumer(run.queue(), "client-individual")
    run.send(run.queue(), "1")
    [message] = first.take()
    second = run.consumer(run.queue(), "client-individual")
    first.nack(message)
    [again] = second.take()
    assert (again.body, again.headers["redelivered"]) == ("1", "true")


@scenario(*NACKS)
def given_up(run):
    consumer = run.consumer(run.queue(), "client-individual")
    run.send(run.queue(), "bad", "good")
    bad, good = consumer.take(2)
    consumer.nack(bad, requeue="false")
    consumer.ack(good)
    name = run.queue().removeprefix("/queue/")
    [dead] = run.consumer(f"/queue/dlq.{name}").take()
    assert (dead.body, dead.headers["dlq-reason"], dead.headers["dlq-original-destination"]) == ("bad", "rejected", run.queue())
    consumer.leave()
    assert run.rest(run.queue(), 0) == []


@scenario(*VERSIONS)
def committed(run):
    watcher = run.consumer(run.topic())
    client = run.connect()
    client.begin("one")
    client.begin("other")
    for name in ("one", "other"):
        for i in (1, 2):
            client.send(run.topic(), f"{name} {i}", headers={"transaction": name})
    client.send(run.topic(), "outside")
    assert watcher.texts() == ["outside"]
    client.commit("other")
    client.commit("one")
    assert watcher.texts(4) == ["other 1", "other 2", "one 1", "one 2"]


@scenario(*VERSIONS)
def aborted(run):
    watcher = run.consumer(run.topic())
    client = run.connect()
    client.begin("t")
    client.send(run.topic(), "undone", headers={"transaction": "t"})
    client.abort("t")
    client.begin("t")  # the name is free again
    client.send(run.topic(), "done", headers={"transaction": "t"})
    client.commit("t")
    client.begin("lost")
    client.send(run.topic(), "lost", headers={"transaction": "lost"})
    client.cut()
    run.send(run.topic(), "end")
    assert watcher.texts(2) == ["done", "end"]


@scenario(*VERSIONS)
def acknowledged_within(run):
    consumer = run.consumer(run.queue(), "client")
    run.send(run.queue(), "1", "2")
    first, second = consumer.take(2)
    consumer.begin("undone")
    consumer.ack(second, transaction="undone")
    consumer.send(run.queue("answers"), "undone", headers={"transaction": "undone"})
    consumer.abort("undone")  # both are still waiting for their acknowledgement
    consumer.begin("done")
    consumer.ack(first, transaction="done")
    consumer.send(run.queue("answers"), "done", headers={"transaction": "done"})
    consumer.commit("done")
    consumer.cut()
    assert run.rest(run.queue(), 1) == [("2", True)]
    assert run.rest(run.queue("answers"), 1) == [("done", False)]


@scenario(*NACKS)
def refused_within(run):
    consumer = run.consumer(run.queue(), "client-individual")
    run.send(run.queue(), "1")
    consumer.begin("t")
    consumer.nack(consumer.take()[0], transaction="t")
    consumer.commit("t")
    assert consumer.take()[0].headers["redelivered"] == "true"


@scenario(*VERSIONS)
def several_subscriptions(run):
    client = run.connect()
    client.subscribe(run.topic("a"), id="a")
    client.subscribe(run.topic(">"), id="all", ack="client")
    client.subscribe(run.queue(), id="q")
    client.send(run.topic("a"), "a")
    client.send(run.topic("b"), "b")
    client.send(run.queue(), "q")
    assert sorted((m.headers["subscription"], m.body) for m in client.take(4)) == [("a", "a"), ("all", "a"), ("all", "b"), ("q", "q")]
    client.unsubscribe("all")
    client.send(run.topic("a"), "end")
    [message] = client.take()
    assert (message.headers["subscription"], message.body) == ("a", "end")
    assert not client.messages


@scenario(*VERSIONS)
def text(run):
    consumer = run.consumer(run.topic())
    client = run.connect()
    large = "größer 😀 " * 20_000
    for body in ("grüße 😀", "", "two\nlines\r\n\n", large):
        client.send(run.topic(), body, "text/plain")
        [message] = consumer.take()
        assert (message.body, message.headers["content-type"]) == (body, "text/plain")
        assert int(message.headers["content-length"]) == len(body.encode())


@scenario(*VERSIONS)
def binary(run):
    body = bytes(range(256)) * 1000
    decoding, plain = run.consumer(run.topic()), run.connect(auto_decode=False)
    plain.subscribe(run.topic())
    plain.send(run.topic(), body, "application/octet-stream")
    [message] = plain.take()
    assert (message.body, message.headers["content-type"]) == (body, "application/octet-stream")
    # auto_decode takes every body for UTF-8, whatever its type: what is none is replaced.
    assert decoding.texts() == [body.decode(errors="replace")]


@scenario(*VERSIONS)
def headers(run):
    consumer = run.consumer(run.topic())
    # stomp.py escapes values, by the version's rules. In 1.0 it escapes nothing, but undoes escapes in what it receives.
    values = {"plain": "a", "colon": "a:b", "umlaut": "ü"} | ({} if run.version == "1.0" else {"lines": "a\nb", "backslash": "a\\c\\\\n"})
    run.connect().send(run.topic(), "x", headers=values | {"twice": ("first", "second")})
    got = consumer.take()[0].headers
    assert {name: got[name] for name in values} == values
    assert got["twice"] == "first"


@scenario(*VERSIONS)
def durable(run):
    def connect():
        return run.connect({"client-id": f"stomp.py/{run.name}"})
    name = {"durable-subscription-name": "kept"}
    first = connect()
    first.subscribe(run.topic(), ack="client", headers=name)
    run.send(run.topic(), "1", "2")
    first.ack(first.take(2)[0])
    first.leave()
    run.send(run.topic(), "3")
    second = connect()
    second.subscribe(run.topic(), ack="client", headers=name)
    again, new = second.take(2)
    assert [(m.body, m.headers.get("redelivered")) for m in (again, new)] == [("2", "true"), ("3", None)]
    second.ack(new)
    second.unsubscribe(headers=name)
    run.send(run.topic(), "nobody is there")
    second.subscribe(run.topic(), headers=name)
    run.send(run.topic(), "end")
    assert second.texts() == ["end"]


@scenario(*VERSIONS)
def refused(run):
    client = run.connect()
    client.stomp.send("/nowhere/at/all", "x", headers={"receipt": "r"})
    client.until(lambda: client.error and client.ended, "ERROR and the end")
    assert client.error.headers["receipt-id"] == "r"
    assert "/topic/" in client.error.headers["message"] + client.error.body


def heart_beats(run):  # 1.0 has none
    every = int(sys.argv[3])
    client = run.connect(heartbeats=(every, every), heart_beat_receive_scale=50)  # patient on a busy machine
    client.until(lambda: client.beats >= 10, "ten heart-beats")  # longer than the broker waits for one of the client
    client.send(run.topic(), "still there")
    client.stomp.heartbeat_terminate_event.set()  # stomp.py's beats end
    client.until(lambda: client.error and client.ended, "ERROR and the end")
    assert client.error.headers["code"] == "heartbeat", client.error.headers


class Restart(Run):
    """Consumers that have acknowledged one message of three, or were away, when the broker goes."""

    def __init__(self, version):
        super().__init__(Restart, version)
        self.name += "/" + sys.argv[3]
        self.durable = self.connect({"client-id": self.name})
        self.consumer = self.connect()
        self.away = self.connect({"client-id": self.name + "/away"})
        self.subscribe()
        self.away.subscribe(self.topic(), headers={"durable-subscription-name": "n"})
        self.away.leave()
        for destination in (self.topic(), self.queue()):
            self.send(destination, "1", "2", "3")
        for client in (self.durable, self.consumer):
            first, *others = client.take(3)
            assert [m.body for m in others] == ["2", "3"]
            client.ack(first)
        self.sender = self.connect()
        self.sender.begin("t")
        self.sender.send(self.queue(), "never committed", headers={"transaction": "t"})

    def subscribe(self):
        mode = "client" if self.version == "1.0" else "client-individual"
        self.durable.subscribe(self.topic(), ack=mode, headers={"durable-subscription-name": "n"})
        self.consumer.subscribe(self.queue(), ack=mode)

    def __call__(self, _run):
        for client in (self.durable, self.consumer, self.sender):
            client.until(lambda: client.ended, "the end of the connection")
            client.connect({"client-id": self.name} if client is self.durable else None)
        self.subscribe()
        self.send(self.queue(), "end")
        self.send(self.topic(), "end")
        for client in (self.durable, self.consumer):
            taken = client.take(3)
            assert [(m.body, m.headers.get("redelivered")) for m in taken] == [("2", "true"), ("3", "true"), ("end", None)]
        self.away.connect({"client-id": self.name + "/away"})
        self.away.subscribe(self.topic(), headers={"durable-subscription-name": "n"})
        assert [(m.body, m.headers.get("redelivered")) for m in self.away.take(4)] == [(body, None) for body in ("1", "2", "3", "end")]


if sys.argv[2:3] == ["restart"]:
    runs = [Restart(version) for version in VERSIONS]
    print("ready", flush=True)
    sys.stdin.readline()
    run_all((run, run) for run in runs)
elif sys.argv[2:3] == ["beats"]:
    run_all((heart_beats, Run(heart_beats, version)) for version in NACKS)
else:
    run_all((function, Run(function, version)) for function, versions in SCENARIOS for version in versions)
