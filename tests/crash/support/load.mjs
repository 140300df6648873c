// Publishers of numbers: `load/NAME` gets 0, 1, 2, … as fast as they are acknowledged, and what became of each is kept.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import net from "node:net";
import { MqttClient, until } from "../../e2e/support/mqtt_client.mjs";

// A body that takes its size on disk, compressed or not.
export const numbered = (size) => (i) => `${i} ${randomBytes((size * 3) / 4).toString("base64")}`;

class Load {
  acknowledged = new Set();
  refused = new Map(); // number → what the broker said
  sent = 0;
  open = 0;
  stopping = false;
  // window: publications without an answer. most: publications. body: of a number; it begins with the number.
  constructor(name, { window = 16, most = Infinity, body = (i) => `${i}` }) { Object.assign(this, { name, window, most, body }); }

  fill() {
    while (this.open < this.window && this.sent < this.most && !this.stopping && !this.ended) {
      const i = this.sent++;
      ++this.open;
      this.publish(i, this.body(i));
    }
  }
  answered(i, refusal) {
    if (refusal === undefined) this.acknowledged.add(i);
    else this.refused.set(i, refusal);
    --this.open;
    this.fill();
  }
  // Publishes so many more, and has an answer for each.
  async more(count) {
    this.most = this.sent + count;
    this.fill();
    await until(() => this.open === 0, `answers to ${count} publications of ${this.name}`);
  }
  async acknowledges(count) { await until(() => this.acknowledged.size >= count, `${count} acknowledgements of ${this.name}`); }
  // Every answer has come, or the connection has ended.
  async stop() {
    this.stopping = true;
    await until(() => this.open === 0 || this.ended, `the last answers of ${this.name}`);
  }
}

export class MqttLoad extends Load {
  static async start(url, version, name, options = {}) {
    const load = new MqttLoad(name, options);
    load.qos = options.qos ?? 1;
    load.client = await MqttClient.connect(url, version, { id: `load-${name}` });
    load.fill();
    return load;
  }
  get ended() { return this.client.ended; }
  publish(i, body) {
    this.client.publish(`load/${this.name}`, body, this.qos).then(() => this.answered(i), (error) => this.answered(i, error.code));
  }
  async stop() {
    await super.stop();
    await this.client.leave();
  }
}

// Over TCP, without a library: ASCII bodies, a receipt for each.
export class StompLoad extends Load {
  static async start(port, name, options = {}) {
    const load = new StompLoad(name, options);
    load.ended = false;
    load.socket = net.connect(port, "127.0.0.1");
    load.socket.on("error", () => {}); // "close" follows
    load.socket.on("close", () => { load.ended = true; });
    let bytes = "";
    load.socket.on("data", (chunk) => {
      const frames = (bytes + chunk.toString("latin1")).split("\0");
      bytes = frames.pop();
      for (const frame of frames) load.take(frame.trimStart());
    });
    load.socket.write("CONNECT\naccept-version:1.2\nhost:brokerd\n\n\0");
    await until(() => load.connected, "CONNECTED");
    load.fill();
    return load;
  }
  take(frame) {
    const [command, ...lines] = frame.split("\n\n")[0].split("\n");
    const headers = Object.fromEntries(lines.map((line) => line.split(/:(.*)/s).slice(0, 2)));
    if (command === "CONNECTED") this.connected = headers;
    if (command === "RECEIPT") this.answered(Number(headers["receipt-id"]));
    if (command === "ERROR") this.error = headers;
  }
  publish(i, body) { this.socket.write(`SEND\ndestination:/topic/load/${this.name}\nreceipt:${i}\n\n${body}\0`); }
  async stop() {
    await super.stop();
    this.socket.destroy();
  }
}

// A session that is to get everything, and is away. Its queue must have room for all of it.
export const roomy = { BROKERD__LIMITS__SESSION__QUEUE_MESSAGES: "10000000", BROKERD__LIMITS__SESSION__QUEUE_BYTES: "10GiB" };
export async function leaveReceiver(url) {
  const away = await MqttClient.connect(url, 5, { id: "away", kept: 3600 });
  await away.subscribe("load/#", 2);
  await away.leave();
}

// It comes back, which makes room: per publisher everything that was acknowledged is there, in order, once, and nothing that was refused.
// It is there until the returned client leaves. What was received is counted.
export async function checkReceived(url, loads) {
  const away = await MqttClient.connect(url, 5, { id: "away", kept: 3600 });
  assert.equal(away.present, true, "the session is there");
  const end = `end ${Math.random()}`;
  // mqtt.js hands a message of QoS 2 on when it is released: one of QoS 1 may overtake. Refused while there is too little room.
  await until(() => away.publish("load/end", end, 2).then(() => true, () => false), "room for one more message");
  await until(() => away.messages.at(-1)?.text === end, `the end of what was acknowledged; ${away.messages.length} came`);
  const received = new Map(loads.map(({ name }) => [name, []]));
  for (const { topic, text } of away.messages.slice(0, -1)) {
    assert.ok(received.has(topic.replace("load/", "")), `${topic}: nothing was accepted`);
    received.get(topic.replace("load/", "")).push(Number.parseInt(text, 10));
  }
  for (const { name, acknowledged, refused, sent } of loads) {
    const got = received.get(name);
    for (let i = 1; i < got.length; ++i) assert.ok(got[i] > got[i - 1], `${name}: ${got[i]} after ${got[i - 1]}`);
    const found = new Set(got);
    assert.deepEqual([...acknowledged].filter((i) => !found.has(i)), [], `${name}: acknowledged, but not there`);
    assert.deepEqual(got.filter((i) => refused.has(i) || i >= sent), [], `${name}: there, but not accepted`);
  }
  const count = away.messages.length - 1;
  away.messages.length = 0;
  return { away, count };
}
