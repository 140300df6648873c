"""paho-mqtt and stomp.py against one broker: each publishes what the other receives."""
import queue
import sys

import paho.mqtt.client as mqtt
import stomp

mqtt_port, stomp_port = int(sys.argv[1]), int(sys.argv[2])
WAIT = 10


class Collector(stomp.ConnectionListener):
    def __init__(self):
        self.messages, self.receipts, self.errors = queue.Queue(), queue.Queue(), queue.Queue()

    def on_message(self, frame):
        self.messages.put(frame)

    def on_receipt(self, frame):
        self.receipts.put(frame.headers["receipt-id"])

    def on_error(self, frame):
        self.errors.put(frame)


def check(condition, what):
    if not condition:
        sys.exit(f"failed: {what}")


for connection_class in (stomp.Connection10, stomp.Connection11, stomp.Connection12):
    name = connection_class.__name__
    received, subscribed = queue.Queue(), queue.Queue()
    client = mqtt.Client(client_id=f"paho-{name}", protocol=mqtt.MQTTv311)
    client.on_message = lambda _c, _u, message: received.put(message)
    client.on_subscribe = lambda *_: subscribed.put(True)
    client.connect("127.0.0.1", mqtt_port)
    client.loop_start()
    client.subscribe(f"to/mqtt/{name}", qos=2)
    subscribed.get(timeout=WAIT)

    collector = Collector()
    connection = connection_class([("127.0.0.1", stomp_port)])
    connection.set_listener("", collector)
    connection.connect(wait=True)
    if connection_class is stomp.Connection10:
        connection.subscribe(f"/topic/to/stomp/{name}", ack="client", headers={"receipt": "sub"})
    else:
        connection.subscribe(f"/topic/to/stomp/{name}", id="1", ack="client-individual" if name == "StompConnection12" else "client",
                             headers={"receipt": "sub"})
    check(collector.receipts.get(timeout=WAIT) == "sub", f"{name}: RECEIPT for SUBSCRIBE")

    connection.send(f"/topic/to/mqtt/{name}", "from stomp", receipt="sent")
    check(collector.receipts.get(timeout=WAIT) == "sent", f"{name}: RECEIPT for SEND")
    check(received.get(timeout=WAIT).payload == b"from stomp", f"{name}: STOMP to MQTT")

    for qos in (0, 1, 2):
        client.publish(f"to/stomp/{name}", f"from mqtt {qos}", qos=qos).wait_for_publish(WAIT)
        frame = collector.messages.get(timeout=WAIT)
        check(frame.body == f"from mqtt {qos}", f"{name}: MQTT QoS {qos} to STOMP")
        if connection_class is stomp.Connection12:
            connection.ack(frame.headers["ack"])
        elif connection_class is stomp.Connection11:
            connection.ack(frame.headers["message-id"], "1")
        else:
            connection.ack(frame.headers["message-id"])

    connection.begin("t1")
    connection.send(f"/topic/to/mqtt/{name}", "in a transaction", transaction="t1")
    check(received.empty(), f"{name}: nothing before COMMIT")
    connection.commit("t1")
    check(received.get(timeout=WAIT).payload == b"in a transaction", f"{name}: after COMMIT")

    connection.disconnect(receipt="bye")
    check(collector.receipts.get(timeout=WAIT) == "bye", f"{name}: RECEIPT for DISCONNECT")
    check(collector.errors.empty(), f"{name}: no ERROR frame")
    client.disconnect()
    client.loop_stop()

print("ok")
