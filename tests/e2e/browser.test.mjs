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
                                       BROKERD__STOMP__HEART_BEAT_GRACE: "2s" } });
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
