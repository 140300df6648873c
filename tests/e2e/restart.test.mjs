// SIGKILL in the middle of QoS 2 traffic: every publication arrives, once, in order, in every version and over both
// transports. Publishers and subscribers are mqtt.js clients that reconnect by themselves.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import mqtt from "mqtt";
import { Broker } from "./support/broker.mjs";
import { until } from "./support/mqtt_client.mjs";

const count = 300;
const kills_at = [60, 140, 220]; // publications acknowledged, over all pairs of clients, times their number

let broker;
before(async () => { broker = await Broker.start(); });
after(async () => { await broker?.dispose(); });

function connect(url, version, id) {
  const client = mqtt.connect(url, {
    protocolVersion: version, protocolId: version === 3 ? "MQIsdp" : "MQTT", clientId: id, clean: false, resubscribe: false,
    reconnectPeriod: 50, keepalive: 0, ...(version === 5 ? { properties: { sessionExpiryInterval: 3600 } } : {}),
  });
  client.on("error", () => {}); // refused while the broker is down
  return client;
}

// PUBREL again, because PUBCOMP was lost: 0x92 says that the broker has forgotten the id, "not an error during recovery"
// (MQTT 5 §3.7.2.1). mqtt.js thinks it is.
function was_complete(error) {
  if (error.code !== 0x92) throw error;
}

test("QoS 2 across SIGKILL and restart: nothing lost, nothing doubled", async () => {
  const pairs = [];
  for (const [transport, url] of [["ws", broker.wsUrl], ["tcp", `mqtt://127.0.0.1:${broker.ports.mqtt}`]]) {
    for (const version of [3, 4, 5]) {
      const name = `${transport}-${version}`;
      const pair = { name, got: [], acknowledged: 0 };
      pair.subscriber = connect(url, version, `sub-${name}`);
      pair.subscriber.on("message", (_topic, payload) => pair.got.push(Number(payload)));
      pair.publisher = connect(url, version, `pub-${name}`);
      await pair.subscriber.subscribeAsync(name, { qos: 2 });
      pairs.push(pair);
    }
  }
  const expected = Array.from({ length: count }, (_, i) => i);
  for (const pair of pairs) {
    pair.done = (async () => {
      const window = [];
      for (const i of expected) {
        if (window.length === 10) await window.shift(); // some in flight, not all at once
        window.push(pair.publisher.publishAsync(pair.name, `${i}`, { qos: 2 }).catch(was_complete).then(() => { ++pair.acknowledged; }));
      }
      await Promise.all(window);
    })();
  }
  const acknowledged = () => pairs.reduce((sum, pair) => sum + pair.acknowledged, 0);
  for (const at of kills_at) {
    await until(() => acknowledged() >= at * pairs.length, `${at * pairs.length} acknowledged, ${acknowledged()} are`);
    await broker.kill();
    await broker.run();
  }
  await Promise.all(pairs.map((pair) => pair.done));
  for (const pair of pairs) {
    await until(() => pair.got.length >= count, `all messages of ${pair.name}, got ${pair.got.length}`);
  }
  for (const pair of pairs) { // what is doubled would come before this
    await pair.publisher.publishAsync(pair.name, `${count}`, { qos: 2 });
    await until(() => pair.got.includes(count), `the end of ${pair.name}`);
    assert.deepEqual(pair.got, [...expected, count], pair.name);
    pair.publisher.end(true);
    pair.subscriber.end(true);
  }
});
