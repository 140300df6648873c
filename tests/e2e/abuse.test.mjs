// Limits of what one client, address or user may do, and what becomes of those who do more: rates, connections, failed logins, flapping.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import net from "node:net";
import { pbkdf2Sync, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import WebSocket from "ws";
import { Broker, freePort } from "./support/broker.mjs";
import { MqttClient, until } from "./support/mqtt_client.mjs";

let files;
before(async () => {
  files = await mkdtemp(path.join(os.tmpdir(), "brokerd-abuse-"));
  const salt = randomBytes(12);
  const line = (user, password) => `${user}:$7$101$${salt.toString("base64")}$${pbkdf2Sync(password, salt, 101, 64, "sha512").toString("base64")}\n`;
  await writeFile(path.join(files, "passwords"), line("anna", "a") + line("bob", "b"), { mode: 0o600 });
});
after(() => rm(files, { recursive: true, force: true }));

const env = (settings) => Object.fromEntries(Object.entries(settings).map(([key, value]) => [`BROKERD__${key.replaceAll(".", "__").toUpperCase()}`, String(value)]));
async function withBroker(settings, use) {
  const broker = await Broker.start({ env: env(settings) });
  try {
    await use(broker);
  } finally {
    await broker.dispose();
  }
}

// Publishes as fast as it is read, until stopped.
function flood(port, { topic = "flood", payload = Buffer.alloc(100), user, password } = {}) {
  const text = (t) => Buffer.concat([Buffer.from([t.length >> 8, t.length & 255]), Buffer.from(t)]);
  const id = `flood-${Math.random()}`;
  const flags = (user ? 0x80 : 0) | (password ? 0x40 : 0) | 2;
  const body = Buffer.concat([text("MQTT"), Buffer.from([4, flags, 0, 0]), text(id), ...(user ? [text(user)] : []), ...(password ? [text(password)] : [])]);
  const packet = Buffer.concat([Buffer.from([0x30, 2 + topic.length + payload.length]), text(topic), payload]);
  const many = Buffer.concat(Array(200).fill(packet));
  const socket = net.connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write(Buffer.concat([Buffer.from([0x10, body.length]), body]));
  const more = () => { while (!socket.destroyed && socket.write(many)); };
  socket.on("drain", more);
  socket.once("data", more);
  return socket;
}

// Within 5 % of so many publications a second, over three seconds. A machine that stands still for a moment gets another try.
async function keepsTo(wanted, broker, protocol = "mqtt") {
  const count = async () => [(await broker.metrics())("broker_messages_received_total", protocol), performance.now()];
  await until(async () => (await count())[0] > 300, "the flood");
  const seen = [];
  while (seen.length !== 3) {
    const [before, start] = await count();
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const [now, end] = await count();
    seen.push((now - before) / ((end - start) / 1000));
    if (Math.abs(seen.at(-1) - wanted) < wanted * 0.05) return;
  }
  assert.fail(`${seen.join(", ")} messages a second instead of ${wanted}`);
}

test("limits.per_client.publish_rate is kept to within 5 %, and others do not notice", () => withBroker({ "limits.per_client.publish_rate": "1000/s" }, async (broker) => {
  const inbox = await MqttClient.connect(`mqtt://127.0.0.1:${broker.ports.mqtt}`, 5, { id: "inbox" });
  await inbox.subscribe("calm", 1);
  const abuser = flood(broker.ports.mqtt);
  await keepsTo(1_000, broker);
  const waits = [];
  for (let i = 0; i !== 100; ++i) {
    const begun = performance.now();
    await inbox.publish("calm", String(i), 1);
    await until(() => inbox.messages.length > i, "its own message");
    waits.push(performance.now() - begun);
  }
  waits.sort((a, b) => a - b);
  assert.ok(waits[98] < 100 * Number(process.env.SLOWNESS ?? 1), `p99 ${waits[98]} ms`);
  const metrics = await broker.metrics();
  assert.ok(metrics("broker_limit_refusals_total", "limits.per_client.publish_rate") >= 1);
  assert.ok(metrics("broker_rate_limited_total", "limits.per_client.publish_rate") >= 1);
  abuser.destroy();
  inbox.mqtt.end(true);
}));

test("limits.per_client.publish_bytes", () => withBroker({ "limits.per_client.publish_bytes": "105KiB/s" }, async (broker) => {
  const abuser = flood(broker.ports.mqtt); // 105 bytes each, the topic with them
  await keepsTo(1_024, broker);
  abuser.destroy();
}));

test("limits.per_user.publish_rate is one for all a user's connections, on all threads", () => withBroker({
  "limits.per_user.publish_rate": "1000/s", "auth.password_file": path.join(files, "passwords"), "auth.anonymous": true,
}, async (broker) => {
  const abusers = Array.from({ length: 4 }, () => flood(broker.ports.mqtt, { user: "anna", password: "a" }));
  await keepsTo(1_000, broker);
  for (const a of abusers) a.destroy();
}));

test("limits.rate_action = close", () => withBroker({ "limits.per_client.publish_rate": "10/s", "limits.rate_action": "close" }, async (broker) => {
  const client = await MqttClient.connect(broker.wsUrl, 5, { id: "quick" });
  for (let i = 0; i !== 20; ++i) client.publish("x", "y", 0).catch(() => {});
  await until(() => client.ended, "the end");
  assert.equal(client.goodbye, 0x96);
  assert.equal(client.closeCode, 4429);
  const calm = await MqttClient.connect(broker.wsUrl, 5, { id: "calm" });
  for (let i = 0; i !== 2; ++i) await calm.publish("x", "y", 1);
  assert.equal(calm.ended, false);
  calm.mqtt.end(true);
}));

test("STOMP is slowed down as well", () => withBroker({ "limits.per_client.publish_rate": "500/s" }, async (broker) => {
  const socket = net.connect(broker.ports.stomp, "127.0.0.1");
  socket.on("error", () => {});
  socket.write("CONNECT\naccept-version:1.2\nhost:x\n\n\0");
  const many = Buffer.from("SEND\ndestination:/topic/flood\n\nhello\0".repeat(100));
  const more = () => { while (!socket.destroyed && socket.write(many)); };
  socket.on("drain", more);
  socket.once("data", more);
  await keepsTo(500, broker, "stomp");
  socket.destroy();
}));

// Behind a proxy.
function open(broker, address) {
  const socket = new WebSocket(broker.proxied, "mqtt", { headers: { "X-Forwarded-For": address } });
  return new Promise((resolve, reject) => {
    socket.on("open", () => resolve({ socket, status: 101 }));
    socket.on("unexpected-response", (_, response) => resolve({ socket, status: response.statusCode, retry: response.headers["retry-after"] }));
    socket.on("error", reject); // after an answer it makes no difference
  });
}
async function behindProxy(settings, use) {
  const port = await freePort();
  const broker = await Broker.start({
    listeners: `[[listener]]\nname = "web"\nbind = "127.0.0.1:${port}"\nprotocols = ["ws"]\nproxy = { trusted = ["127.0.0.1"] }\n${settings}\n` });
  try {
    broker.proxied = `ws://127.0.0.1:${port}/`;
    await use(broker);
  } finally {
    await broker.dispose();
  }
}

test("limits.per_ip.connections counts clients behind a proxy for themselves", () => behindProxy("[limits]\nper_ip.connections = 2", async (broker) => {
  const a = await open(broker, "192.0.2.1");
  const b = await open(broker, "192.0.2.1");
  assert.deepEqual([a.status, b.status], [101, 101]);
  const c = await open(broker, "192.0.2.1");
  assert.deepEqual([c.status, c.retry], [429, "10"]);
  const d = await open(broker, "192.0.2.2");
  assert.equal(d.status, 101);
  a.socket.terminate();
  await until(async () => {
    const again = await open(broker, "192.0.2.1");
    again.socket.terminate();
    return again.status === 101;
  }, "room again");
  assert.ok((await broker.metrics())("broker_limit_refusals_total", "limits.per_ip.connections") >= 1);
  for (const one of [b, d]) one.socket.terminate();
}));

test("limits.flapping bans who comes again and again", () => behindProxy('[limits]\nflapping = "5/m"\nban_time = "1s"', async (broker) => {
  for (let i = 0; i !== 5; ++i) {
    const one = await open(broker, "192.0.2.1");
    assert.equal(one.status, 101);
    one.socket.terminate();
  }
  assert.equal((await open(broker, "192.0.2.1")).status, 403);
  const other = await open(broker, "192.0.2.2");
  assert.equal(other.status, 101);
  other.socket.terminate();
  const [row] = JSON.parse((await broker.ctl("-o", "json", "ban", "list")).stdout);
  assert.deepEqual([row.whom, row.automatic], ["192.0.2.1", true]);
  await until(async () => {
    const again = await open(broker, "192.0.2.1");
    again.socket.terminate();
    return again.status === 101;
  }, "the ban's end");
}));

test("limits.failed_logins bans who guesses passwords", () => behindProxy(
  `[auth]\npassword_file = "${path.join(files, "passwords")}"\n[limits]\nfailed_logins = "3/m"\nban_time = "1h"`, async (broker) => {
    const login = (address, password) => MqttClient.connect(broker.proxied, 5, {
      username: "anna", password, wsOptions: { headers: { "X-Forwarded-For": address } } });
    for (let i = 0; i !== 4; ++i) await assert.rejects(login("192.0.2.1", `guess ${i}`));
    await assert.rejects(login("192.0.2.1", "a"));
    const good = await login("192.0.2.2", "a");
    good.mqtt.end(true);
    assert.equal((await broker.ctl("ban", "remove", "--address", "192.0.2.1")).code, 0);
    const again = await login("192.0.2.1", "a");
    again.mqtt.end(true);
  }));

test("limits.per_user.connections, and bans of users and client ids", () => withBroker({
  "limits.per_user.connections": 2, "auth.password_file": path.join(files, "passwords"),
}, async (broker) => {
  const login = (id, username = "anna") => MqttClient.connect(broker.wsUrl, 5, { id, username, password: username[0] });
  const a = await login("a");
  const b = await login("b");
  await assert.rejects(login("c"), /Quota exceeded/);
  const again = await login("a"); // takes over
  await until(() => a.ended, "the one it takes over");
  const bob = await login("bob", "bob");
  const banned = await broker.ctl("-o", "json", "ban", "add", "--user", "anna");
  assert.equal(JSON.parse(banned.stdout).connections_closed, 2);
  await until(() => b.ended && again.ended, "anna's connections");
  assert.equal(b.goodbye, 0x98);
  await assert.rejects(login("a"), /Banned/);
  assert.equal(JSON.parse((await broker.ctl("-o", "json", "ban", "add", "--client-id", "bob")).stdout).connections_closed, 1);
  await assert.rejects(login("bob", "bob"), /Banned/);
  const other = await login("bob2", "bob");
  other.mqtt.end(true);
  bob.mqtt.end(true);
}));

test("a banned client id without any authentication; STOMP is told the same", () => withBroker({}, async (broker) => {
  const evil = await MqttClient.connect(broker.wsUrl, 5, { id: "evil" });
  assert.equal((await broker.ctl("client", "kick", "evil", "--ban", "1h")).code, 0);
  await until(() => evil.ended, "the end");
  assert.equal(evil.closeCode, 4410);
  await assert.rejects(MqttClient.connect(broker.wsUrl, 4, { id: "evil" }), /Not authorized/);
  const socket = net.connect(broker.ports.stomp, "127.0.0.1");
  let text = "";
  socket.on("data", (chunk) => { text += chunk; });
  socket.write("CONNECT\naccept-version:1.2\nhost:x\nclient-id:evil\n\n\0");
  await until(() => text.includes("\0"), "an answer");
  assert.match(text, /^ERROR\n[^\0]*code:banned\n/);
  socket.destroy();
}));

test("limits.accept_rate makes a storm wait, and loses nobody", () => withBroker({ "limits.accept_rate": "100/s" }, async (broker) => {
  const begun = performance.now();
  const sockets = Array.from({ length: 150 }, () => net.connect(broker.ports.mqtt, "127.0.0.1"));
  const answers = sockets.map((socket, i) => new Promise((resolve, reject) => {
    const id = Buffer.from(String(i));
    socket.write(Buffer.concat([Buffer.from([0x10, 12 + id.length, 0, 4]), Buffer.from("MQTT"), Buffer.from([4, 2, 0, 0, 0, id.length]), id]));
    socket.once("data", resolve);
    socket.once("close", () => reject(new Error("closed")));
  }));
  await Promise.all(answers);
  assert.ok(performance.now() - begun > 1_000, "150 connections at 100 a second, 25 at once");
  for (const s of sockets) s.destroy();
}));
