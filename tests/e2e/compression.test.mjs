// permessage-deflate with real clients: what is agreed on, what goes over the wire, and what a bomb costs.
import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import net from "node:net";
import zlib from "node:zlib";
import { once } from "node:events";
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { Client, Versions } from "@stomp/stompjs";
import WebSocket from "ws";
import { Broker, freePort } from "./support/broker.mjs";
import { openPage } from "./support/browser.mjs";
import { MqttClient, until } from "./support/mqtt_client.mjs";
import { StompClient, takeBodies } from "./support/stomp_scenarios.mjs";

let broker;  // min_size 1KiB, no context takeover
let follows; // with context takeover, from 64 bytes on
before(async () => {
  const env = (settings) => Object.fromEntries(Object.entries(settings).map(([key, value]) => [`BROKERD__WS__COMPRESSION__${key}`, value]));
  [broker, follows] = await Promise.all([
    Broker.start({ env: { ...env({ ENABLED: "true" }), BROKERD__WS__ALLOWED_ORIGINS: "*" } }),
    Broker.start({ env: env({ ENABLED: "true", CONTEXT_TAKEOVER: "true", MIN_SIZE: "64B" }) }),
  ]);
});
after(async () => { await Promise.all([broker?.dispose(), follows?.dispose()]); });

// A vehicle's report of about so many bytes.
let seed = 1;
const dice = (sides) => { seed = (seed * 48271) % 2147483647; return seed % sides; };
const reading = () => ({ sensor: `temperature-${dice(40)}`, celsius: 15 + dice(1000) / 100, humidity_percent: dice(100), state: dice(10) ? "ok" : "stale", at: 1764260000000 + dice(100000) });
function telemetry(size) {
  const report = { vehicle: `truck-${dice(500)}`, position: { latitude: 52 + dice(100000) / 1e5, longitude: 13 + dice(100000) / 1e5 }, readings: [] };
  let length = JSON.stringify(report).length;
  do length += JSON.stringify(report.readings[report.readings.push(reading()) - 1]).length; while (length < size);
  return JSON.stringify(report);
}

const mqtt = (on, version, perMessageDeflate, options = {}) => MqttClient.connect(on.wsUrl, version, { wsOptions: { perMessageDeflate }, ...options });

// A STOMP client, and its socket.
async function stomp(on, perMessageDeflate) {
  const world = { Client, Versions, url: on.wsUrl, version: "1.2", prefix: `compression-${randomBytes(4).toString("hex")}`, clients: [] };
  world.WebSocket = class extends WebSocket {
    constructor(url, protocols) {
      super(url, protocols, { perMessageDeflate });
      world.socket = this;
    }
  };
  const client = await StompClient.connect(world);
  return { client, socket: world.socket, leave: () => client.stomp.deactivate() };
}

const read = (socket) => socket._socket.bytesRead;

describe("what is agreed on", () => {
  const extensions = async (on, perMessageDeflate) => {
    const socket = new WebSocket(on.wsUrl, ["mqtt"], { perMessageDeflate });
    await once(socket, "open");
    const agreed = socket._extensions["permessage-deflate"]?.params;
    socket.terminate();
    return agreed && { ...agreed };
  };
  const neither = { server_no_context_takeover: true, client_no_context_takeover: true };

  test("nothing is kept between messages unless the listener says so", async () => {
    assert.deepEqual(await extensions(broker, true), neither);
    assert.deepEqual(await extensions(broker, { serverMaxWindowBits: 10 }), { ...neither, server_max_window_bits: 10 });
    assert.equal(await extensions(broker, false), undefined);
    assert.deepEqual(await extensions(follows, true), { client_max_window_bits: 12 });
    assert.deepEqual(await extensions(follows, { serverNoContextTakeover: true, clientMaxWindowBits: 9 }),
                     { server_no_context_takeover: true, client_max_window_bits: 9 });
  });

  test("it is off unless it is turned on, and a listener decides for itself", async () => {
    const port = await freePort();
    const plain = await Broker.start({ listeners: `[[listener]]\nname = "packed"\nbind = "127.0.0.1:${port}"\nprotocols = ["ws"]\n` +
                                                  "ws.compression = { enabled = true, context_takeover = true }\n" });
    try {
      assert.equal(await extensions(plain, true), undefined);
      assert.deepEqual(await extensions({ wsUrl: `ws://127.0.0.1:${port}/` }, true), { client_max_window_bits: 12 });
    } finally {
      await plain.dispose();
    }
  });
});

describe("telemetry goes over the wire in less than 40 % of its bytes", () => {
  // Bytes of a subscriber that compresses against those of one that does not, once both have everything.
  async function ratio(on, documents, subscribe) {
    const publisher = await mqtt(on, 5, false);
    const topic = `telemetry/${randomBytes(4).toString("hex")}`;
    const [packed, plain] = await Promise.all([subscribe(on, topic, true), subscribe(on, topic, false)]);
    const before = [read(packed.socket), read(plain.socket)];
    for (const document of documents) await publisher.publish(topic, document, 1);
    for (const one of [packed, plain]) assert.deepEqual(await one.take(documents.length), documents);
    const share = (read(packed.socket) - before[0]) / (read(plain.socket) - before[1]);
    await Promise.all([publisher, packed, plain].map((one) => one.leave()));
    return share;
  }
  const over_mqtt = (version, qos, options) => async (on, topic, compressed) => {
    const client = await mqtt(on, version, compressed);
    await client.subscribe(topic, qos, options);
    return { socket: client.socket, take: (count) => client.takeTexts(count), leave: () => client.leave() };
  };
  const over_stomp = async (on, topic, compressed) => {
    const { client, socket, leave } = await stomp(on, compressed);
    const subscription = await client.subscribe(`/topic/${topic}`);
    return { socket, take: (count) => takeBodies(subscription, count), leave };
  };
  const clients = { "MQTT 3.1.1, QoS 0": over_mqtt(4, 0), "MQTT 5, QoS 1, subscription identifier": over_mqtt(5, 1, { properties: { subscriptionIdentifier: 7 } }),
                    "MQTT 5, QoS 2": over_mqtt(5, 2), "STOMP 1.2": over_stomp };
  for (const [name, subscribe] of Object.entries(clients)) {
    test(`1.5 KiB, ${name}`, async (t) => {
      const share = await ratio(broker, Array.from({ length: 100 }, () => telemetry(1536)), subscribe);
      t.diagnostic(`${(share * 100).toFixed(1)} %`);
      assert.ok(share < 0.4, `${share}`);
    });
    test(`300 bytes with context takeover, ${name}`, async (t) => {
      const share = await ratio(follows, Array.from({ length: 200 }, () => telemetry(300)), subscribe);
      t.diagnostic(`${(share * 100).toFixed(1)} %`);
      assert.ok(share < 0.4, `${share}`);
    });
  }

  test("/metrics says so", async () => {
    const metrics = await broker.metrics();
    assert.ok(metrics("broker_ws_uncompressed_bytes_total", "out") > 400 * 1536);
    assert.ok(metrics("broker_ws_compressed_bytes_total", "out") < 0.4 * metrics("broker_ws_uncompressed_bytes_total", "out"));
  });
});

test("one publication for receivers of every kind", async () => {
  for (const on of [broker, follows]) {
    const offers = [true, false, { serverMaxWindowBits: 9 }, { serverMaxWindowBits: 12, clientMaxWindowBits: 10 }, { serverNoContextTakeover: true, clientNoContextTakeover: true }];
    const [publisher, ...receivers] = await Promise.all([mqtt(on, 5, { threshold: 0 }), ...offers.map((offer, i) => mqtt(on, i % 2 ? 4 : 5, offer))]);
    const frames = await stomp(on, true);
    await Promise.all(receivers.map((r, i) => r.subscribe("every/kind", i % 3)));
    const subscription = await frames.client.subscribe("/topic/every/kind");
    const bodies = [telemetry(200), telemetry(3000), telemetry(50_000), telemetry(500_000), "x".repeat(300_000), "é".repeat(2000)];
    const noise = randomBytes(20_000);
    for (const body of [...bodies, noise]) await publisher.publish("every/kind", body, 2);
    for (const receiver of receivers) {
      assert.deepEqual(await receiver.takeTexts(bodies.length), bodies);
      assert.deepEqual((await receiver.take())[0].payload, noise);
    }
    assert.deepEqual(await takeBodies(subscription, bodies.length), bodies);
    await Promise.all([publisher, ...receivers, frames].map((one) => one.leave()));
  }
});

test("what a client compresses comes in", async () => {
  for (const on of [broker, follows]) {
    const before = await on.metrics();
    const sender = await stomp(on, { threshold: 0 });
    const [publisher, receiver] = await Promise.all([mqtt(on, 4, { threshold: 0 }), mqtt(on, 5, false)]);
    await receiver.subscribe("packed/in", 1);
    const bodies = Array.from({ length: 20 }, (_, i) => telemetry(i * 700));
    for (const body of bodies) await publisher.publish("packed/in", body, 1);
    assert.deepEqual(await receiver.takeTexts(bodies.length), bodies);
    for (const body of bodies) sender.client.stomp.publish({ destination: "/topic/packed/in", body });
    assert.deepEqual(await receiver.takeTexts(bodies.length), bodies);
    const now = await on.metrics();
    const grew = (name) => now(name, "in") - before(name, "in");
    assert.ok(grew("broker_ws_uncompressed_bytes_total") > bodies.join("").length);
    assert.ok(grew("broker_ws_compressed_bytes_total") < grew("broker_ws_uncompressed_bytes_total") * 0.6);
    await Promise.all([publisher, receiver, sender].map((one) => one.leave()));
  }
});

// A client that says what it is told to, without mqtt.js. Frames are masked with zeros.
class Raw {
  static async connect(on) {
    const raw = new Raw();
    raw.socket = net.connect(on.ports.ws, "127.0.0.1");
    raw.received = Buffer.alloc(0);
    raw.socket.on("data", (data) => { raw.received = Buffer.concat([raw.received, data]); });
    raw.socket.on("error", () => {});
    raw.ended = once(raw.socket, "close");
    raw.socket.write("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
                     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
    await until(() => raw.received.includes("\r\n\r\n"), "the answer");
    assert.match(raw.received.toString(), /^HTTP\/1.1 101 [^]*Sec-WebSocket-Extensions: permessage-deflate/);
    raw.received = Buffer.alloc(0);
    raw.send(Buffer.from([0x10, 12, 0, 4, ..."MQTT".split("").map((c) => c.charCodeAt(0)), 4, 2, 0, 0, 0, 0]), false);
    await until(() => raw.received.length >= 6, "CONNACK");
    raw.received = Buffer.alloc(0);
    return raw;
  }
  send(payload, compressed) {
    const head = Buffer.alloc(14);
    head[0] = compressed ? 0xc2 : 0x82;
    head[1] = 0x80 | 127;
    head.writeBigUInt64BE(BigInt(payload.length), 2);
    if (payload.length < 126) this.socket.write(Buffer.concat([Buffer.from([head[0], 0x80 | payload.length, 0, 0, 0, 0]), payload]));
    else if (payload.length < 65536) this.socket.write(Buffer.concat([Buffer.from([head[0], 0x80 | 126, payload.length >> 8, payload.length & 255, 0, 0, 0, 0]), payload]));
    else this.socket.write(Buffer.concat([head, payload]));
  }
}

const deflated = (bytes) => zlib.deflateRawSync(bytes, { level: 9, finishFlush: zlib.constants.Z_SYNC_FLUSH }).subarray(0, -4);
const text16 = (t) => Buffer.concat([Buffer.from([t.length >> 8, t.length & 255]), Buffer.from(t)]);

test("a bomb of 200 MB: closed with 1009 at limits.max_message, and less than 1 MB more memory", async (t) => {
  const publish = Buffer.concat([Buffer.from([0x30, 126]), text16("bomb"), Buffer.alloc(120)]);
  const bomb = deflated(Buffer.alloc(200_000_000, publish));
  assert.ok(bomb.length < 1_000_000);
  const memory = async (what) => 1024 * Number(new RegExp(`${what}:\\s+(\\d+) kB`).exec(await readFile(`/proc/${broker.process.pid}/status`, "utf8"))[1]);
  const explode = async () => {
    const raw = await Raw.connect(broker);
    raw.send(bomb, true);
    await raw.ended;
    assert.equal(raw.received[0], 0x88);
    assert.equal(raw.received.readUInt16BE(2), 1009);
  };
  await explode(); // what is allocated once
  const before = await memory("VmRSS");
  await writeFile(`/proc/${broker.process.pid}/clear_refs`, "5"); // VmHWM begins anew
  await explode();
  const most = await memory("VmHWM") - before;
  t.diagnostic(`${bomb.length} bytes, ${most} bytes more memory`);
  const kept = Number(process.env.SLOWNESS ?? 1) > 1 ? 100_000_000 : 0; // by a sanitizer, of what was freed
  assert.ok(most < 1_000_000 + kept, `${most}`);
  const metrics = await broker.metrics();
  assert.ok(metrics("broker_limit_refusals_total", "limits.max_message") >= 2);
});

test("what is not deflate's is closed with 1007", async () => {
  const raw = await Raw.connect(broker);
  raw.send(Buffer.from([6]), true);
  await raw.ended;
  assert.equal(raw.received[0], 0x88);
  assert.equal(raw.received.readUInt16BE(2), 1007);
});

test("who may not publish more yet is not inflated further, and nothing is lost", async () => {
  const count = 20_000;
  for (const settings of [{ BROKERD__LIMITS__STORE_PENDING: "64KiB" }, { BROKERD__LIMITS__PER_CLIENT__PUBLISH_RATE: "20000/s" }]) {
    const slow = await Broker.start({ env: { BROKERD__WS__COMPRESSION__ENABLED: "true", BROKERD__MQTT__RECEIVE_MAXIMUM: "65535",
                                          BROKERD__LIMITS__SESSION__QUEUE_MESSAGES: "30000", ...settings } });
    try {
      const receiver = await mqtt(slow, 5, true, { id: "receiver", kept: 1000 });
      await receiver.subscribe("much", 1);
      const raw = await Raw.connect(slow);
      const packets = Array.from({ length: count }, (_, i) => Buffer.concat([Buffer.from([0x32, 118]), text16("much"), Buffer.from([(i + 1) >> 8, (i + 1) & 255]),
                                                                            Buffer.from(String(i).padStart(110))]));
      const all = Buffer.concat(packets);
      assert.ok(deflated(all).length < all.length / 4);
      raw.send(deflated(all), true);
      await until(() => receiver.messages.length === count, `${count} messages`);
      assert.deepEqual(receiver.texts().map(Number), Array.from({ length: count }, (_, i) => i));
      raw.socket.destroy();
      await receiver.leave();
    } finally {
      await slow.dispose();
    }
  }
});

test("a page in Chromium, MQTT and STOMP", async () => {
  const browser = await openPage();
  try {
    const before = await broker.metrics();
    const document = telemetry(20_000);
    const got = await browser.page.evaluate(async ([url, text]) => {
      const client = mqtt.connect(url, { reconnectPeriod: 0, protocolVersion: 5 });
      await new Promise((resolve, reject) => { client.once("connect", resolve); client.once("error", reject); });
      const over_mqtt = new Promise((resolve) => { client.on("message", (topic, payload) => resolve(payload.toString())); });
      await client.subscribeAsync("chromium/#", { qos: 1 });
      const stomp = new StompJs.Client({ brokerURL: url, reconnectDelay: 0 });
      await new Promise((resolve, reject) => { stomp.onConnect = resolve; stomp.onWebSocketClose = reject; stomp.activate(); });
      const over_stomp = new Promise((resolve) => { stomp.subscribe("/topic/chromium/page", (m) => resolve(m.body)); });
      const ready = new Promise((resolve) => { stomp.watchForReceipt("ready", resolve); });
      stomp.subscribe("/topic/chromium/other", () => {}, { receipt: "ready" });
      await ready;
      await client.publishAsync("chromium/page", text, { qos: 1 });
      const both = await Promise.all([over_mqtt, over_stomp]);
      client.end(true);
      await stomp.deactivate();
      return both;
    }, [broker.wsUrl, document]);
    assert.deepEqual(got, [document, document]);
    const now = await broker.metrics();
    for (const direction of ["in", "out"]) {
      const plain = now("broker_ws_uncompressed_bytes_total", direction) - before("broker_ws_uncompressed_bytes_total", direction);
      assert.ok(plain > document.length * (direction === "out" ? 2 : 1));
      assert.ok(now("broker_ws_compressed_bytes_total", direction) - before("broker_ws_compressed_bytes_total", direction) < plain * 0.4);
    }
  } finally {
    await browser.close();
  }
});
