// MQTT and STOMP meet in one browser page, over one WebSocket port; what was acknowledged survives SIGKILL.
import { describe, test, before, after } from "node:test";
import assert from "node:assert/strict";
import { Broker } from "./support/broker.mjs";
import { openPage } from "./support/browser.mjs";
import { scenarios } from "./support/stomp_scenarios.mjs";

let broker;
let browser;

before(async () => {
  broker = await Broker.start({ env: { BROKERD__STOMP__HEART_BEAT: "100ms", BROKERD__STOMP__CLIENT_HEART_BEAT: "100ms",
                                       BROKERD__STOMP__HEART_BEAT_GRACE: "2s",
                                       BROKERD__WS__ALLOWED_ORIGINS: "*" } });
  browser = await openPage();
  await browser.page.exposeFunction("restart", async (signal) => {
    await (signal === "SIGKILL" ? broker.kill() : broker.stop(signal));
    await broker.run();
  });
  // What the tests say in the page, once.
  await browser.page.evaluate((url) => {
    window.mqttClient = (options = {}) => new Promise((resolve, reject) => {
      const client = mqtt.connect(url, { reconnectPeriod: 0, protocolVersion: 5, ...options });
      client.messages = [];
      client.on("message", (topic, payload) => client.messages.push({ topic, payload: Array.from(payload) }));
      client.once("connect", (connack) => { client.present = connack.sessionPresent; resolve(client); });
      client.once("error", reject);
      client.once("close", () => reject(new Error("closed before CONNACK")));
    });
    window.stompClient = () => new Promise((resolve, reject) => {
      const client = new StompJs.Client({ brokerURL: url, reconnectDelay: 0 });
      client.onConnect = () => resolve(client);
      client.onStompError = (frame) => reject(new Error(frame.headers.message));
      client.onWebSocketClose = (event) => reject(new Error(`closed ${event.code} ${event.reason}`));
      client.activate();
    });
    window.until = async (condition) => {
      const deadline = Date.now() + 10000;
      while (!condition()) {
        if (Date.now() > deadline) throw new Error("nothing came");
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    window.text = (bytes) => new TextDecoder().decode(new Uint8Array(bytes));
  }, broker.wsUrl);
});

after(async () => {
  await browser?.close();
  await broker?.dispose();
});

test("MQTT publishes to a STOMP subscriber, text and binary", async () => {
  const got = await browser.page.evaluate(async () => {
    const stomp = await stompClient();
    const received = [];
    const receipt = new Promise((resolve) => stomp.watchForReceipt("subscribed", resolve));
    stomp.subscribe("/topic/chat/room", (m) => received.push(m), { receipt: "subscribed" });
    await receipt;
    const m = await mqttClient();
    await m.publishAsync("chat/room", "grüß dich", { qos: 1, properties: { contentType: "text/plain", userProperties: { mood: "good" } } });
    await m.publishAsync("chat/room", new Uint8Array([0, 255, 1, 254]), { qos: 1 });
    await until(() => received.length === 2);
    const result = {
      text: received[0].body,
      type: received[0].headers["content-type"],
      mood: received[0].headers.mood,
      destination: received[0].headers.destination,
      binary: Array.from(received[1].binaryBody),
    };
    await m.endAsync();
    await stomp.deactivate();
    return result;
  });
  assert.deepEqual(got, { text: "grüß dich", type: "text/plain", mood: "good", destination: "/topic/chat/room", binary: [0, 255, 1, 254] });
});

test("STOMP sends to an MQTT subscriber, text and binary", async () => {
  const got = await browser.page.evaluate(async () => {
    const m = await mqttClient();
    await m.subscribeAsync("from/+/#", { qos: 1 });
    const stomp = await stompClient();
    stomp.publish({ destination: "/topic/from/stomp/a", body: "häppy", headers: { "content-type": "text/plain", shade: "blue" } });
    stomp.publish({ destination: "/topic/from/stomp/b", binaryBody: new Uint8Array([0, 200, 7]) });
    await until(() => m.messages.length === 2);
    const result = m.messages.map(({ topic, payload }) => ({ topic, payload }));
    await m.endAsync();
    await stomp.deactivate();
    return { first: { topic: result[0].topic, text: text(result[0].payload) }, second: result[1] };
  });
  assert.deepEqual(got, {
    first: { topic: "from/stomp/a", text: "häppy" },
    second: { topic: "from/stomp/b", payload: [0, 200, 7] },
  });
});

test("a STOMP queue feeds an MQTT consumer and the other way round", async () => {
  const got = await browser.page.evaluate(async () => {
    const stomp = await stompClient();
    stomp.publish({ destination: "/queue/work", body: "one" }); // nobody consumes yet: it is kept
    const m = await mqttClient();
    await m.subscribeAsync("$queue/work", { qos: 1 });
    await until(() => m.messages.length === 1);
    await m.unsubscribeAsync("$queue/work");
    await m.publishAsync("$queue/work", "two", { qos: 1 });
    const bodies = [];
    stomp.subscribe("/queue/work", (message) => { bodies.push(message.body); message.ack(); }, { ack: "client-individual" });
    await until(() => bodies.length === 1);
    const first = text(m.messages[0].payload);
    await m.endAsync();
    await stomp.deactivate();
    return [first, ...bodies];
  });
  assert.deepEqual(got, ["one", "two"]);
});

test("everything acknowledged while a persistent session was away arrives after SIGKILL and restart", async () => {
  const count = 50;
  await browser.page.evaluate(async () => {
    const away = await mqttClient({ clientId: "away", clean: false, properties: { sessionExpiryInterval: 3600 } });
    await away.subscribeAsync("orders/#", { qos: 1 });
    await away.endAsync(true); // cut off, no DISCONNECT
  });
  const acknowledged = await browser.page.evaluate(async (n) => {
    const done = [];
    const publisher = await mqttClient({ protocolVersion: 4 });
    const stomp = await stompClient();
    const receipts = [];
    for (let i = 0; i < n; i++) {
      receipts.push(publisher.publishAsync(`orders/mqtt`, `m${i}`, { qos: 1 }).then(() => done.push(`m${i}`)));
      receipts.push(new Promise((resolve) => {
        stomp.watchForReceipt(`r${i}`, () => { done.push(`s${i}`); resolve(); });
        stomp.publish({ destination: "/topic/orders/stomp", body: `s${i}`, headers: { receipt: `r${i}` } });
      }));
    }
    stomp.publish({ destination: "/queue/kept", body: "q", headers: { receipt: "q" } });
    await new Promise((resolve) => stomp.watchForReceipt("q", resolve));
    await Promise.all(receipts);
    window.survivors = [publisher, stomp];
    return done;
  }, count);
  assert.equal(acknowledged.length, 2 * count);

  await broker.kill();
  await broker.run();

  const after = await browser.page.evaluate(async (n) => {
    const back = await mqttClient({ clientId: "away", clean: false, properties: { sessionExpiryInterval: 3600 } });
    await until(() => back.messages.length >= n);
    const stomp = await stompClient();
    const kept = [];
    stomp.subscribe("/queue/kept", (m) => kept.push(m.body), { ack: "auto" });
    await until(() => kept.length === 1);
    return { present: back.present, bodies: back.messages.map((m) => text(m.payload)), kept };
  }, 2 * count);
  assert.equal(after.present, true);
  assert.deepEqual([...after.bodies].sort(), [...acknowledged].sort());
  for (const who of ["m", "s"]) { // each publisher's order
    const numbers = after.bodies.filter((body) => body[0] === who).map((body) => Number(body.slice(1)));
    assert.deepEqual(numbers, [...numbers].sort((a, b) => a - b));
  }
  assert.deepEqual(after.kept, ["q"]);
});

test("large bodies go between mqtt.js and stompjs, byte for byte", async () => {
  const got = await browser.page.evaluate(async () => {
    const binary = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
    const words = "häßlich ✓ ".repeat(75_000);
    const is = (bytes, expected) => bytes.length === expected.length && expected.every((byte, i) => byte === bytes[i]);
    const m = await mqttClient();
    await m.subscribeAsync("large/stomp", { qos: 1 });
    const stomp = await stompClient();
    const received = [];
    const subscribed = new Promise((resolve) => stomp.watchForReceipt("large", resolve));
    stomp.subscribe("/topic/large/mqtt", (message) => received.push(message), { receipt: "large" });
    await subscribed;
    await m.publishAsync("large/mqtt", binary, { qos: 1 });
    await m.publishAsync("large/mqtt", words, { qos: 1 });
    stomp.publish({ destination: "/topic/large/stomp", binaryBody: binary });
    stomp.publish({ destination: "/topic/large/stomp", body: words });
    await until(() => received.length === 2 && m.messages.length === 2);
    const result = [is(received[0].binaryBody, binary), received[1].body === words,
                    is(m.messages[0].payload, binary), text(m.messages[1].payload) === words];
    await m.endAsync();
    await stomp.deactivate();
    return result;
  });
  assert.deepEqual(got, [true, true, true, true]);
});

for (const signal of ["SIGKILL", "SIGTERM"]) {
  test(`${signal} and restart: mqtt.js and stompjs come back by themselves and share a queue as before`, async () => {
    const got = await browser.page.evaluate(async ([signal, url]) => {
      const queue = `mixed-${signal}`;
      const m = await mqttClient({ reconnectPeriod: 30 });
      const messages = [];
      let connects = 0;
      const stomp = new StompJs.Client({ brokerURL: url, reconnectDelay: 30 });
      stomp.onConnect = () => {
        stomp.subscribe(`/queue/${queue}`, (message) => messages.push(message), { ack: "client-individual" });
        ++connects;
      };
      stomp.activate();
      await until(() => connects === 1);
      for (const word of ["done", "held"]) await m.publishAsync(`$queue/${queue}`, word, { qos: 1 });
      await until(() => messages.length === 2);
      const acknowledged = new Promise((resolve) => stomp.watchForReceipt("done", resolve));
      messages[0].ack({ receipt: "done" });
      await acknowledged;
      const back = new Promise((resolve) => m.once("connect", resolve));
      await restart(signal);
      await back;
      await until(() => connects === 2);
      await m.publishAsync(`$queue/${queue}`, "new", { qos: 1 });
      await until(() => messages.length === 4);
      const result = messages.slice(2).map((message) => [message.body, message.headers.redelivered ?? "false"]);
      await m.endAsync();
      await stomp.deactivate();
      return result;
    }, [signal, broker.wsUrl]);
    assert.deepEqual(got, [["held", "true"], ["new", "false"]]);
  });
}

describe("stompjs in Chromium", () => {
  for (const { name, versions } of scenarios) {
    for (const version of versions) {
      test(`${version}: ${name}`, () => browser.page.evaluate(async ([wanted, version, url]) => {
        const { play, scenarios } = await import("/stomp_scenarios.mjs");
        const one = scenarios.find((s) => s.name === wanted);
        await play(one, { Client: StompJs.Client, Versions: StompJs.Versions, WebSocket, version, url, place: "page", restart: window.restart });
      }, [name, version, broker.wsUrl]));
    }
  }
});

test("SIGTERM: browsers see close code 1001 and brokerd exits with 0 within 5 s", async () => {
  const closing = browser.page.evaluate((url) => new Promise((resolve) => {
    const socket = new WebSocket(url, ["mqtt"]);
    socket.onopen = () => { window.opened = true; socket.send(new Uint8Array([0x10, 0x0d, 0, 4, 0x4d, 0x51, 0x54, 0x54, 5, 2, 0, 60, 0, 0, 0])); };
    socket.onmessage = () => { window.connected = true; };
    socket.onclose = (event) => resolve(event.code);
  }), broker.wsUrl);
  await browser.page.waitForFunction(() => window.connected);
  const started = Date.now();
  assert.equal(await broker.stop(), 0);
  assert.ok(Date.now() - started < 5000);
  assert.equal(await closing, 1001);
});
