// brokerctl session, as an operator uses it: looking into a session, dropping a message, ending it; and that what is gone stays
// gone when the server is killed.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import net from "node:net";
import { once } from "node:events";
import { Broker } from "./support/broker.mjs";
import { MqttClient, until } from "./support/mqtt_client.mjs";

let broker;
before(async () => { broker = await Broker.start(); });
after(async () => { await broker?.dispose(); });

const tcp = () => `mqtt://127.0.0.1:${broker.ports.mqtt}`;

async function ctl(...args) {
  const run = await broker.ctl("-o", "json", "session", ...args);
  assert.equal(run.code, 0, run.stderr);
  return JSON.parse(run.stdout);
}
async function refused(pattern, code, ...args) {
  const run = await broker.ctl("session", ...args);
  assert.equal(run.code, code, run.stdout + run.stderr);
  assert.match(run.stderr, pattern);
  assert.equal(run.stdout, "");
}
async function metric(name) {
  const text = await (await fetch(`http://127.0.0.1:${broker.ports.admin}/metrics`)).text();
  const found = text.split("\n").filter((line) => line.startsWith(name));
  return found.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}
const restart = async () => { await broker.kill(); await broker.run(); };

// A session whose client is away, with `count` messages for it.
async function away(id, count, { qos = 1, topic = `for/${id}` } = {}) {
  const client = await MqttClient.connect(tcp(), 5, { id, kept: 3600 });
  await client.subscribe(topic, qos);
  await client.leave();
  await publish(topic, count, qos);
}
async function publish(topic, count, qos = 1, options = {}) {
  const publisher = await MqttClient.connect(tcp(), 5, {});
  for (let i = 1; i <= count; ++i) await publisher.publish(topic, `message ${i}`, qos, options);
  await publisher.leave();
}
const back = (id, options = {}) => MqttClient.connect(tcp(), 5, { id, kept: 3600, ...options });
const texts = (rows) => rows.map((m) => m.payload);
const numbered = (...numbers) => numbers.map((n) => `message ${n}`);

test("messages: what a session holds, a page at a time, and it stays as it was", async () => {
  await away("reader", 25);
  await publish("for/reader", 1, 1, { properties: { messageExpiryInterval: 600 } });
  const first = await ctl("messages", "reader");
  assert.deepEqual(texts(first), numbered(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
  assert.deepEqual([first[0].topic, first[0].qos, first[0].bytes, first[0].state], ["for/reader", 1, 9, "queued"]);
  assert.ok(first[0].age_s < 60 && Math.abs(Date.parse(first[0].received_at) - Date.now()) < 60_000);
  assert.equal(first[0].expires_in_s, null);
  const all = await ctl("messages", "reader", "--limit", "1000");
  assert.equal(all.length, 26);
  assert.ok(all[25].expires_in_s > 500 && all[25].expires_in_s <= 600, String(all[25].expires_in_s));
  const pages = [];
  for (let page = [{ id: 0 }]; page.length !== 0;) {
    page = await ctl("messages", "reader", "--limit", "7", "--after", String(page.at(-1).id));
    pages.push(...page);
  }
  assert.deepEqual(pages.map((m) => m.id), all.map((m) => m.id));
  const table = (await broker.ctl("session", "messages", "reader", "--limit", "2")).stdout.trim().split("\n");
  assert.match(table[0], /^ID +TOPIC +QOS +BYTES +AGE_S +EXPIRES_IN_S +STATE +PAYLOAD$/);
  assert.equal(table.length, 3);
  await restart();
  assert.deepEqual((await ctl("messages", "reader", "--limit", "1000")).map((m) => m.id), all.map((m) => m.id));
  const client = await back("reader", { holds: true });
  const got = await client.take(26);
  assert.ok(got.every((m) => !m.dup && !m.properties.userProperties), "a look is no delivery");
  const sent = await ctl("messages", "reader", "--limit", "1000");
  assert.ok(sent.every((m) => m.state === "sent" && m.handle !== null));
  assert.equal((await ctl("messages", "reader", "--inflight", "--limit", "1000")).length, 26);
  client.letGo();
  await until(async () => (await ctl("messages", "reader")).length === 0, "the acknowledgements");
  await client.leave();
});

test("messages: the beginning of a payload, whatever it is; a terminal's table stays one", async () => {
  await away("odd", 0);
  const publisher = await MqttClient.connect(tcp(), 5, {});
  await publisher.publish("for/odd", "x".repeat(100_000));
  await publisher.publish("for/odd", Buffer.from([0xff, 0, 0x1b]));
  await publisher.publish("for/odd", "two\nlines");
  await publisher.leave();
  const rows = await ctl("messages", "odd");
  assert.deepEqual([rows[0].bytes, rows[0].truncated, /^x+$/.test(rows[0].payload)], [100_000, true, true]);
  assert.ok(rows[0].payload.length <= 128);
  assert.equal(rows[1].payload_base64, "/wAb");
  assert.equal((await broker.ctl("session", "messages", "odd")).stdout.trim().split("\n").length, 4);
});

test("drop-message: one is gone, counted, and stays gone after SIGKILL; the others arrive", async () => {
  await away("target", 5);
  const rows = await ctl("messages", "target");
  assert.deepEqual(await ctl("drop-message", "target", String(rows[1].id)), { dropped: rows[1].id });
  assert.equal((await ctl("show", "target")).queued, 4);
  assert.equal(await metric('broker_messages_dropped_total{reason="administrator"}'), 1);
  assert.equal((await broker.ctl("session", "drop-message", "target", String(rows[4].id))).code, 0);
  assert.equal(await metric('broker_messages_dropped_total{reason="administrator"}'), 2);
  await restart();
  assert.deepEqual(texts(await ctl("messages", "target")), numbered(1, 3, 4));
  await refused(/holds no message/, 1, "drop-message", "target", String(rows[1].id));
  const client = await back("target");
  assert.deepEqual(await client.takeTexts(3), numbered(1, 3, 4));
  await client.leave();
});

test("drop-message: what is in flight is refused and says why; of a client that is gone it can be forced", async () => {
  const client = await MqttClient.connect(tcp(), 5, { id: "stuck", kept: 3600, holds: true });
  await client.subscribe("for/stuck", 2);
  await publish("for/stuck", 1, 1);
  await publish("for/stuck", 1, 2);
  await until(() => client.packets.length === 2, "both"); // mqtt.js shows a message of QoS 2 when it is released
  const [once, twice] = (await ctl("messages", "stuck")).map((m) => String(m.id));
  await refused(/in flight.*connected, has not acknowledged/, 1, "drop-message", "stuck", once);
  await refused(/in flight.*connected, has not acknowledged/, 1, "drop-message", "stuck", once, "--force");
  await refused(/in flight.*QoS 2/, 1, "drop-message", "stuck", twice, "--force");
  const socketStatus = await fetch(`http://127.0.0.1:${broker.ports.admin}/api/v1/sessions/stuck/messages/${once}`, { method: "DELETE" });
  assert.equal(socketStatus.status, 403); // the port answers health and metrics alone
  await client.cut();
  await until(async () => (await ctl("show", "stuck")).state === "offline", "the connection's end");
  await refused(/in flight.*force/, 1, "drop-message", "stuck", once);
  await ctl("drop-message", "stuck", once, "--force");
  await refused(/in flight.*QoS 2/, 1, "drop-message", "stuck", twice, "--force");
  await restart();
  const again = await back("stuck");
  const [left] = await again.take(1);
  assert.deepEqual([left.text, left.qos, left.dup], ["message 1", 2, true]);
  await until(async () => (await ctl("messages", "stuck")).length === 0, "the end of it");
  await again.leave();
});

test("wrong input is told apart: unknown sessions, unknown messages, bad numbers", async () => {
  await away("known", 1);
  for (const verb of [["messages", "nobody"], ["drop-message", "nobody", "1"], ["expire", "nobody"]]) {
    await refused(/no session nobody/, 1, ...verb);
  }
  await refused(/session known holds no message 1$/m, 1, "drop-message", "known", "1");
  for (const limit of ["0", "-1", "many"]) assert.equal((await broker.ctl("session", "messages", "known", "--limit", limit)).code, 64);
  assert.equal((await broker.ctl("session", "drop-message", "known", "first")).code, 64);
  assert.equal((await broker.ctl("session", "drop-message", "known")).code, 64);
  assert.equal((await broker.ctl("session", "expire")).code, 64);
  assert.equal((await ctl("messages", "known", "--limit", "999999")).length, 1);
});

test("expire: a client that is away finds nothing any more, after SIGKILL neither", async () => {
  await away("old", 3, { qos: 2 });
  const before = await metric("broker_sessions_expired_total");
  assert.deepEqual(await ctl("expire", "old"), { expired: "old" });
  await refused(/no session old/, 1, "show", "old");
  assert.equal(await metric("broker_sessions_expired_total"), before + 1);
  await restart();
  await refused(/no session old/, 1, "messages", "old");
  const client = await back("old");
  assert.equal(client.present, false);
  await publish("for/old", 1);
  await client.subscribe("for/other", 1);
  await publish("for/other", 1);
  assert.deepEqual(await client.takeTexts(1), numbered(1)); // and not what its old subscription would have had
  assert.equal(client.messages.length, 0);
  await client.leave();
});

test("expire: who is connected is told in its protocol's words, its will is published, its queue messages go on", async () => {
  const watcher = await MqttClient.connect(tcp(), 5, {});
  await watcher.subscribe("wills/#", 1);
  for (const url of [tcp(), broker.wsUrl]) {
    const will = { topic: "wills/live", payload: "gone", qos: 1, properties: { willDelayInterval: 300 } };
    const client = await MqttClient.connect(url, 5, { id: "live", kept: 3600, will });
    await client.subscribe("for/live", 1);
    await ctl("expire", "live");
    await client.closed();
    assert.equal(client.goodbye, 0x98);
    assert.deepEqual(await watcher.takeTexts(1), ["gone"]);
    await refused(/no session live/, 1, "show", "live");
  }
  await watcher.leave();

  const consumer = await MqttClient.connect(tcp(), 5, { id: "worker", holds: true });
  await consumer.subscribe("$queue/work", 1);
  await publish("$queue/work", 1);
  await consumer.take(1);
  await ctl("expire", "worker");
  await consumer.closed();
  const next = await MqttClient.connect(tcp(), 5, {});
  await next.subscribe("$queue/work", 1);
  assert.deepEqual(await next.takeTexts(1), numbered(1));
  await next.leave();

  const socket = net.connect(broker.ports.stomp, "127.0.0.1");
  const ended = once(socket, "close");
  let answer = "";
  socket.on("data", (chunk) => { answer += chunk; });
  socket.write("CONNECT\naccept-version:1.2\nhost:h\nclient-id:shop\n\n\0" +
               "SUBSCRIBE\nid:1\ndestination:/topic/news\ndurable-subscription-name:messages\nack:client\nreceipt:r\n\n\0");
  await until(() => answer.includes("RECEIPT"), "the subscription");
  assert.equal((await ctl("show", "shop/messages")).state, "connected");
  assert.deepEqual(await ctl("messages", "shop/messages"), []);
  await ctl("expire", "shop/messages");
  await ended;
  assert.match(answer, /ERROR\n[^\0]*code:kicked/);
});

test("expire: what a member held for its group goes to another, which has it after SIGKILL", async () => {
  const topic = "$share/g/jobs";
  await away("member", 0, { topic });
  await publish("jobs", 1500);
  const other = await MqttClient.connect(tcp(), 5, { id: "other", kept: 3600 });
  await other.subscribe(topic, 1);
  await other.leave();
  assert.equal((await ctl("show", "member")).queued, 1500);
  await ctl("expire", "member");
  await broker.kill(); // at once: it was answered
  await broker.run();
  const heir = await back("other");
  const got = await heir.takeTexts(1500);
  assert.equal(new Set(got).size, 1500);
  assert.equal(heir.messages.length, 0);
  await heir.leave();
});
