// The $SYS topics and /metrics tell the same numbers.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { Broker } from "./support/broker.mjs";
import { MqttClient, until } from "./support/mqtt_client.mjs";

let broker;
before(async () => { broker = await Broker.start({ env: { BROKERD__SYS__INTERVAL: "1s" } }); });
after(async () => { await broker?.dispose(); });

async function metrics() {
  const value = await broker.metrics();
  return (name, ...words) => {
    assert.notEqual(value(name, ...words), undefined, `${name} ${words}`);
    return value(name, ...words);
  };
}

// Topic below $SYS/broker/ and the same in /metrics.
const pairs = {
  "clients/connected": (m) => m("broker_clients"),
  "clients/disconnected": (m) => m("broker_sessions", "offline"),
  "clients/expired": (m) => m("broker_sessions_expired_total"),
  "messages/received": (m) => m("broker_packets_received_total"),
  "messages/sent": (m) => m("broker_packets_sent_total"),
  "publish/messages/received": (m) => m("broker_messages_received_total"),
  "publish/messages/sent": (m) => m("broker_messages_sent_total"),
  "publish/messages/dropped": (m) => ["queue_full", "too_big", "storage"].reduce((sum, r) => sum + m("broker_messages_dropped_total", r), 0),
  "publish/bytes/received": (m) => m("broker_message_bytes_total", "in"),
  "publish/bytes/sent": (m) => m("broker_message_bytes_total", "out"),
  "bytes/received": (m) => m("broker_network_bytes_total", "in"),
  "bytes/sent": (m) => m("broker_network_bytes_total", "out"),
  "subscriptions/count": (m) => m("broker_subscriptions", "plain"),
  "shared_subscriptions/count": (m) => m("broker_subscriptions", "shared"),
  "retained messages/count": (m) => m("broker_retained_messages"),
};

test("$SYS and /metrics agree, and are right", async () => {
  const url = `mqtt://127.0.0.1:${broker.ports.mqtt}`;
  const worker = await MqttClient.connect(broker.wsUrl, 5, { id: "worker" });
  await worker.subscribe("t", 1);
  const member = await MqttClient.connect(url, 5, { id: "member" });
  await member.subscribe("$share/g/t", 0);
  const away = await MqttClient.connect(url, 4, { id: "away", kept: 1 });
  await away.subscribe("t", 1);
  await away.cut();
  const expiring = await MqttClient.connect(url, 5, { id: "expiring", kept: 1 });
  await expiring.cut();
  const small = await MqttClient.connect(url, 5, { id: "small", properties: { maximumPacketSize: 100 } });
  await small.subscribe("large", 1);
  await worker.publish("large", "x".repeat(200));
  await worker.publish("kept", "four", 2, { retain: true });
  for (const qos of [0, 1, 2]) await worker.publish("t", "three", qos);
  await worker.take(3);
  await member.take(3);
  const messages_before = await metrics();
  assert.equal(messages_before("broker_messages_received_total", "mqtt"), 5);

  const watcher = await MqttClient.connect(url, 5, { id: "watcher" });
  const values = new Map();
  watcher.mqtt.on("message", (topic, payload) => values.set(topic.replace("$SYS/broker/", ""), payload.toString()));
  await watcher.subscribe("$SYS/#", 0);
  await until(() => values.get("clients/expired") === "1", "the expiry of a session");

  // A whole round between two readings of /metrics: each value lies between the two.
  for (let wrong = null, tries = 0; ; ++tries) {
    const earlier = await metrics();
    values.clear();
    await until(() => values.has("load/sockets/15min"), "a round of values");
    const later = await metrics();
    wrong = Object.entries(pairs).filter(([topic, of]) => !(of(earlier) <= Number(values.get(topic)) && Number(values.get(topic)) <= of(later)));
    if (wrong.length === 0) break;
    assert.ok(tries < 3, `differ: ${wrong.map(([topic, of]) => `${topic} ${of(earlier)} ${values.get(topic)} ${of(later)}`)}`);
  }
  const exact = {
    "clients/connected": "4", "clients/disconnected": "1", "clients/total": "5", "clients/expired": "1",
    "publish/messages/received": "5", "publish/messages/dropped": "1", "publish/bytes/received": `${200 + 4 + 3 * 5}`,
    "subscriptions/count": "4", "shared_subscriptions/count": "1", "retained messages/count": "1",
    "store/messages/count": "3", // one retained, two that "away" is owed
  };
  for (const [topic, value] of Object.entries(exact)) assert.equal(values.get(topic), value, topic);
  assert.match(values.get("uptime"), /^\d+ seconds$/);
  assert.ok(Number(values.get("heap/current")) > 1_000_000);
  assert.ok(Number(values.get("load/publish/received/1min")) > 0);
  assert.match(values.get("load/bytes/received/15min"), /^\d+\.\d\d$/);
  for (const client of [worker, member, small, watcher]) await client.leave();
});

test("sys.interval 0s: there are no $SYS topics", async () => {
  const silent = await Broker.start({ env: { BROKERD__SYS__INTERVAL: "0s" } });
  try {
    const client = await MqttClient.connect(`mqtt://127.0.0.1:${silent.ports.mqtt}`, 4, { id: "c" });
    await client.subscribe(["$SYS/#", "t"]);
    await client.publish("t", "end");
    assert.deepEqual(await client.takeTexts(), ["end"]);
    await client.leave();
  } finally {
    await silent.dispose();
  }
});
