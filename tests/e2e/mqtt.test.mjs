// MQTT as mqtt.js speaks it. One table of scenarios; each runs in versions 3.1, 3.1.1 and 5, over WebSocket and over TCP,
// so that no behaviour may differ. Every run has topics and client ids of its own; they share a broker and run at once.
import { describe, test, before, after } from "node:test";
import assert from "node:assert/strict";
import { Broker } from "./support/broker.mjs";
import { MqttClient, until } from "./support/mqtt_client.mjs";

const all = [3, 4, 5];
const v5 = [5];
const names = { 3: "3.1", 4: "3.1.1", 5: "5" };
const packet_max = 256 * 1024;
const keep_alive_max_s = 300;

let broker;
before(async () => {
  broker = await Broker.start({ env: {
    BROKERD__LIMITS__MAX_MESSAGE: `${packet_max}B`,
    BROKERD__MQTT__MAX_KEEP_ALIVE: `${keep_alive_max_s}s`,
    BROKERD__SYS__INTERVAL: "1s",
  } });
});
after(async () => { await broker?.dispose(); });

// What one run of a scenario works with.
class Run {
  constructor(name, version, transport) {
    Object.assign(this, { version, transport, clients: [] });
    this.prefix = `${name.replaceAll(/\W+/g, "-")}/${names[version]}/${transport}`;
  }
  get url() { return this.transport === "ws" ? broker.wsUrl : `mqtt://127.0.0.1:${broker.ports.mqtt}`; }
  topic(rest = "t") { return `${this.prefix}/${rest}`; }
  id(name) { return `${this.prefix}/${name}`; }
  // `name` becomes the client id; none: any.
  async connect(name, options = {}) {
    const client = await MqttClient.connect(this.url, options.version ?? this.version,
                                            { id: this.id(name ?? `client${this.clients.length}`), ...options });
    this.clients.push(client);
    return client;
  }
  async subscriber(filter, qos = 2, options = {}) {
    const client = await this.connect();
    await client.subscribe(filter, qos, options);
    return client;
  }
  async end() { for (const client of this.clients) await client.cut(); }
  // Version 5 can say more than the others.
  in5(value, otherwise) { return this.version === 5 ? value : otherwise; }
}

const scenarios = [];
const scenario = (name, versions, run) => scenarios.push({ name, versions, run });

scenario("QoS 0, 1 and 2 arrive at the lower of both levels", all, async (run) => {
  const publisher = await run.connect();
  for (const wanted of [0, 1, 2]) {
    const subscriber = await run.subscriber(run.topic(), wanted);
    for (const qos of [0, 1, 2]) await publisher.publish(run.topic(), `${qos}`, qos);
    const got = await subscriber.take(3);
    assert.deepEqual(got.map((m) => [m.text, m.qos]).sort(), [0, 1, 2].map((qos) => [`${qos}`, Math.min(qos, wanted)]));
    assert.ok(got.every((m) => m.topic === run.topic() && !m.retain && !m.dup));
    await subscriber.leave();
  }
});

scenario("every version understands every other", all, async (run) => {
  const subscribers = await Promise.all(all.map(async (version) => {
    const client = await run.connect(`sub${version}`, { version });
    await client.subscribe(run.topic());
    return client;
  }));
  const publisher = await run.connect();
  await publisher.publish(run.topic(), "für alle", 2, run.in5({ properties: { contentType: "text", userProperties: { a: "b" } } }, {}));
  for (const [i, subscriber] of subscribers.entries()) {
    const [m] = await subscriber.take();
    assert.equal(m.text, "für alle");
    assert.equal(m.qos, 2);
    assert.equal(m.properties.contentType, run.version === 5 && all[i] === 5 ? "text" : undefined);
  }
});

scenario("a publisher's order is kept, per QoS", all, async (run) => {
  const subscriber = await run.subscriber(run.topic());
  const publisher = await run.connect();
  const count = 200;
  for (const qos of [0, 1, 2]) {
    const expected = Array.from({ length: count }, (_, i) => `${qos}.${i}`);
    await Promise.all(expected.map((text) => publisher.publish(run.topic(), text, qos)));
    assert.deepEqual(await subscriber.takeTexts(count), expected);
  }
});

scenario("topics: empty levels, UTF-8, case, wildcards", all, async (run) => {
  const subscriber = await run.subscriber([run.topic("+/b"), run.topic("a/#"), run.topic("ä/😀"), run.topic("")]);
  const publisher = await run.connect();
  const matching = ["/b", "x/b", "a", "a/", "a//c", "ä/😀", ""];
  for (const rest of [...matching, "A", "X/B", "a b/c", "ä/😀/", "end/b"]) await publisher.publish(run.topic(rest), rest);
  assert.deepEqual(await subscriber.takeTexts(matching.length + 1), [...matching, "end/b"]);
});

scenario("overlapping subscriptions: one copy, at the highest QoS", all, async (run) => {
  const subscriber = await run.connect();
  const ids = (n) => run.in5({ properties: { subscriptionIdentifier: n } }, {});
  await subscriber.subscribe(run.topic("#"), 0, ids(1));
  await subscriber.subscribe(run.topic("+"), 2, ids(268_435_455));
  await subscriber.subscribe(run.topic("a"), 1, ids(300));
  const publisher = await run.connect();
  await publisher.publish(run.topic("a"), "once", 2);
  await publisher.publish(run.topic("a"), "end", 2);
  const [once, end] = await subscriber.take(2);
  assert.deepEqual([once.text, once.qos, end.text], ["once", 2, "end"]);
  assert.deepEqual(once.properties.subscriptionIdentifier?.toSorted((a, b) => a - b), run.in5([1, 300, 268_435_455], undefined));
});

scenario("after UNSUBSCRIBE nothing comes", all, async (run) => {
  const subscriber = await run.subscriber([run.topic("a"), run.topic("b")]);
  const publisher = await run.connect();
  await publisher.publish(run.topic("a"), "before");
  assert.deepEqual(await subscriber.takeTexts(), ["before"]);
  await subscriber.unsubscribe(run.topic("a"));
  await publisher.publish(run.topic("a"), "after");
  await publisher.publish(run.topic("b"), "end");
  assert.deepEqual(await subscriber.takeTexts(), ["end"]);
});

scenario("retained: the last one is sent to new subscriptions, an empty one deletes", all, async (run) => {
  const publisher = await run.connect();
  for (const [i, qos] of [0, 1, 2].entries()) {
    await publisher.publish(run.topic(`kept/${i}`), "old", qos, { retain: true });
    await publisher.publish(run.topic(`kept/${i}`), `new ${i}`, qos, { retain: true });
  }
  await publisher.publish(run.topic("fence"), "x", 0);
  await publisher.publish(run.topic("fence"), "x", 2);
  const subscriber = await run.subscriber(run.topic("kept/#"));
  const kept = await subscriber.take(3);
  assert.deepEqual(kept.map((m) => [m.topic, m.text, m.qos, m.retain]).sort(),
                   [0, 1, 2].map((i) => [run.topic(`kept/${i}`), `new ${i}`, i, true]));
  await publisher.publish(run.topic("kept/1"), "live", 1, { retain: true });
  assert.equal((await subscriber.take())[0].retain, false); // [MQTT-3.3.1-9]
  for (const i of [0, 1, 2]) await publisher.publish(run.topic(`kept/${i}`), "", 1, { retain: true });
  await publisher.publish(run.topic("kept/3"), "the only one", 1, { retain: true });
  const late = await run.subscriber(run.topic("kept/#"));
  assert.deepEqual(await late.takeTexts(), ["the only one"]);
  await publisher.publish(run.topic("kept/3"), "", 1, { retain: true });
});

scenario("will: published when the socket goes, not after DISCONNECT", all, async (run) => {
  const watcher = await run.subscriber(run.topic("#"));
  const will = (text) => ({ will: { topic: run.topic("will"), payload: Buffer.from(text), qos: 1, retain: true,
                                    ...run.in5({ properties: { userProperties: { last: "words" } } }, {}) } });
  const polite = await run.connect("polite", will("never"));
  await polite.leave();
  const lost = await run.connect("lost", will("gone"));
  await lost.cut();
  const [m] = await watcher.take();
  assert.deepEqual([m.text, m.qos, m.retain], ["gone", 1, false]);
  assert.deepEqual({ ...m.properties.userProperties }, run.in5({ last: "words" }, {}));
  const late = await run.subscriber(run.topic("will"));
  assert.deepEqual((await late.take()).map((k) => [k.text, k.retain]), [["gone", true]]);
  await late.publish(run.topic("will"), "", 1, { retain: true });
});

scenario("a kept session gets what it missed, in each QoS's order, without subscribing again", all, async (run) => {
  const first = await run.connect("kept", { kept: 3600 });
  assert.equal(first.present, false);
  await first.subscribe(run.topic());
  await first.cut();
  const publisher = await run.connect();
  await publisher.publish(run.topic(), "not stored", 0);
  const expected = Array.from({ length: 20 }, (_, i) => `${i}`);
  for (const [i, text] of expected.entries()) await publisher.publish(run.topic(), text, 1 + (i % 2));
  const again = await run.connect("kept", { kept: 3600, resubscribe: false });
  assert.equal(again.present, run.version !== 3); // 3.1 cannot say so
  assert.deepEqual((await again.takeTexts(expected.length)).sort(), expected.toSorted());
  for (const qos of [1, 2]) {
    assert.deepEqual(again.packets.filter((p) => p.qos === qos).map((p) => p.payload.toString()),
                     expected.filter((_, i) => 1 + (i % 2) === qos));
  }
  await publisher.publish(run.topic(), "live");
  assert.deepEqual(await again.takeTexts(), ["live"]);
  await again.leave();
  const clean = await run.connect("kept");
  assert.equal(clean.present, false);
  await clean.leave();
  await publisher.publish(run.topic(), "to nobody");
  const fresh = await run.connect("kept", { kept: 3600 });
  assert.equal(fresh.present, false);
  await fresh.subscribe(run.topic());
  await publisher.publish(run.topic(), "end");
  assert.deepEqual(await fresh.takeTexts(), ["end"]);
  await fresh.leave(run.in5({ sessionExpiryInterval: 0 }));
});

scenario("what was not acknowledged comes again, marked, with its packet id", all, async (run) => {
  const first = await run.connect("kept", { kept: 3600, holds: true });
  await first.subscribe(run.topic());
  const publisher = await run.connect();
  await publisher.publish(run.topic(), "1", 1);
  await publisher.publish(run.topic(), "2", 2);
  await until(() => first.held.length === 2, "two acknowledgements held back");
  const ids = first.packets.map((p) => p.messageId);
  await first.cut();
  const again = await run.connect("kept", { kept: 3600 });
  assert.deepEqual(await again.takeTexts(2), ["1", "2"]);
  assert.deepEqual(again.packets.map((p) => [p.messageId, p.dup]), ids.map((id) => [id, true]));
  await publisher.publish(run.topic(), "end");
  assert.deepEqual(await again.takeTexts(), ["end"]);
});

scenario("takeover: the same client id again", all, async (run) => {
  const watcher = await run.subscriber(run.topic("will"));
  const first = await run.connect("same", { kept: 3600, will: { topic: run.topic("will"), payload: Buffer.from("taken over"), qos: 1 } });
  await first.subscribe(run.topic());
  const second = await run.connect("same", { kept: 3600 });
  await first.closed();
  assert.equal(first.goodbye, run.in5(0x8e, undefined));
  assert.equal(second.present, run.version !== 3);
  const publisher = await run.connect();
  await publisher.publish(run.topic(), "to the second");
  assert.deepEqual(await second.takeTexts(), ["to the second"]);
  assert.deepEqual(first.texts(), []);
  assert.deepEqual(await watcher.takeTexts(), ["taken over"]);
});

scenario("shared subscriptions: each message to one member, to the others when one goes", all, async (run) => {
  const filter = `$share/group/${run.topic()}`;
  const plain = await run.subscriber(run.topic());
  const members = [await run.subscriber(filter), await run.subscriber(filter)];
  const other = await run.subscriber(`$share/other/${run.topic()}`);
  const publisher = await run.connect();
  const texts = Array.from({ length: 20 }, (_, i) => `${i}`);
  for (const text of texts) await publisher.publish(run.topic(), text);
  assert.deepEqual(await plain.takeTexts(20), texts);
  assert.deepEqual(await other.takeTexts(20), texts);
  await until(() => members[0].messages.length + members[1].messages.length >= 20, "the group's messages");
  assert.deepEqual([...members[0].texts(), ...members[1].texts()].sort(), texts.toSorted());
  assert.ok(members.every((m) => m.messages.length >= 5), "both had their share");
  for (const m of members) m.messages.length = 0;
  await members[0].leave();
  for (const text of texts) await publisher.publish(run.topic(), text);
  assert.deepEqual(await members[1].takeTexts(20), texts);
});

scenario("shared subscriptions: what a dead member held goes to the others", all, async (run) => {
  const filter = `$share/group/${run.topic()}`;
  const dying = await run.connect("dying", { holds: true });
  await dying.subscribe(filter);
  const living = await run.subscriber(filter);
  const publisher = await run.connect();
  const texts = Array.from({ length: 10 }, (_, i) => `${i}`);
  for (const text of texts) await publisher.publish(run.topic(), text);
  await until(() => dying.held.length + living.messages.length >= 10, "every message at one of them");
  assert.ok(dying.held.length > 0);
  await dying.cut();
  await until(() => living.messages.length >= 10, "the dead member's messages");
  assert.deepEqual(living.texts().sort(), texts);
});

scenario("shared subscriptions: groups beside plain subscriptions; nothing retained, nobody else's", all, async (run) => {
  const publisher = await run.connect();
  await publisher.publish(run.topic(), "retained", 1, { retain: true });
  const groups = await Promise.all(["g", "g", "h"].map(async (group, i) => {
    const member = await run.connect(`member${i}`);
    await member.subscribe(`$share/${group}/${run.topic()}`);
    return member;
  }));
  const plain = await run.subscriber(run.topic());
  assert.deepEqual(await plain.takeTexts(), ["retained"]);
  const texts = Array.from({ length: 10 }, (_, i) => `${i}`);
  for (const text of texts) await publisher.publish(run.topic(), text);
  assert.deepEqual(await plain.takeTexts(10), texts);
  assert.deepEqual(await groups[2].takeTexts(10), texts);
  await until(() => groups[0].messages.length + groups[1].messages.length >= 10, "one copy for the first group");
  assert.deepEqual([...groups[0].texts(), ...groups[1].texts()].sort(), texts);
  await publisher.publish(run.topic(), "", 1, { retain: true });
});

scenario("large payloads pass; one over the limit ends the connection", all, async (run) => {
  const subscriber = await run.subscriber(run.topic());
  const publisher = await run.connect();
  const large = Buffer.alloc(packet_max - 1000, "äöü");
  await publisher.publish(run.topic(), large, 2);
  const [m] = await subscriber.take();
  assert.ok(m.payload.equals(large));
  publisher.publish(run.topic(), Buffer.alloc(packet_max + 1), 1).catch(() => {}); // never acknowledged
  await publisher.closed();
  assert.equal(publisher.goodbye, run.in5(0x95, undefined));
  assert.equal(publisher.connack.properties?.maximumPacketSize, run.in5(packet_max, undefined));
});

scenario("keep alive: a silent client is closed, its will published", all, async (run) => {
  const watcher = await run.subscriber(run.topic());
  const silent = await run.connect("silent", { keepalive: 1, will: { topic: run.topic(), payload: Buffer.from("silent"), qos: 1 } });
  silent.mqtt.sendPing = () => {};
  silent.mqtt.onKeepaliveTimeout = () => {};
  await silent.closed();
  assert.equal(silent.goodbye, run.in5(0x8d, undefined));
  assert.deepEqual(await watcher.takeTexts(), ["silent"]);
});

scenario("client ids: none, long ones, odd ones", all, async (run) => {
  const long = await run.connect(`long ${"ä".repeat(200)}`);
  const odd = await run.connect("with spaces/#+ and 'quotes'");
  await odd.subscribe(run.topic());
  await long.publish(run.topic(), "hello");
  assert.deepEqual(await odd.takeTexts(), ["hello"]);
  if (run.version === 3) return; // 3.1 needs one
  const nameless = await run.connect("", { id: "" });
  if (run.version === 5) assert.ok(nameless.connack.properties.assignedClientIdentifier.length > 0);
});

scenario("the server's topics: read at once and at each interval, not written, not matched by leading wildcards", all, async (run) => {
  const watcher = await run.connect();
  await watcher.subscribe("$SYS/broker/uptime");
  assert.equal((await watcher.take())[0].retain, true);
  const [next] = await watcher.take();
  assert.equal(next.retain, false);
  assert.match(next.text, /^\d+ seconds$/);
  const wild = await run.subscriber(["+/broker/uptime", `${run.topic()}`]);
  await watcher.take(); // one more interval
  const writer = await run.connect();
  await writer.publish("$SYS/broker/uptime", "forged", 0);
  await writer.publish("$SYS/broker/uptime", "forged", 1).catch((error) => { assert.equal(error.code, 0x87); });
  await writer.publish(run.topic(), "end");
  assert.deepEqual(await wild.takeTexts(), ["end"]);
  assert.match((await watcher.take())[0].text, /^\d+ seconds$/);
});

// --- version 5 ---

scenario("properties are passed on: order, duplicates, request and response", v5, async (run) => {
  const responder = await run.subscriber(run.topic("request"));
  const requester = await run.connect();
  await requester.subscribe(run.topic("response"));
  const properties = { payloadFormatIndicator: true, contentType: "application/json", responseTopic: run.topic("response"),
                       correlationData: Buffer.from([0, 1, 255]), userProperties: { twice: ["1", "2"], once: "ü" } };
  await requester.publish(run.topic("request"), "{}", 1, { properties });
  const [request] = await responder.take();
  assert.deepEqual({ ...request.properties, userProperties: { ...request.properties.userProperties } }, properties);
  await responder.publish(request.properties.responseTopic, "done", 1, { properties: { correlationData: request.properties.correlationData } });
  const [response] = await requester.take();
  assert.deepEqual(response.properties.correlationData, properties.correlationData);
});

scenario("topic aliases, both ways", v5, async (run) => {
  const subscriber = await run.connect("sub", { properties: { topicAliasMaximum: 2 } });
  await subscriber.subscribe(run.topic("#"));
  const publisher = await run.connect();
  const send = (topic, payload, topicAlias) => publisher.publish(topic, payload, 1, { properties: { topicAlias } });
  assert.ok(publisher.connack.properties.topicAliasMaximum >= 1);
  await send(run.topic("a"), "1", 1);
  publisher.raw({ cmd: "publish", topic: "", payload: "2", qos: 0, properties: { topicAlias: 1 } });
  await send(run.topic("b"), "3", 1); // the alias gets another topic
  publisher.raw({ cmd: "publish", topic: "", payload: "4", qos: 0, properties: { topicAlias: 1 } });
  const got = await subscriber.take(4);
  assert.deepEqual(got.map((m) => [m.topic, m.text]), [["a", "1"], ["a", "2"], ["b", "3"], ["b", "4"]].map(([t, p]) => [run.topic(t), p]));
  const aliases = subscriber.packets.map((p) => [p.topic === "", p.properties?.topicAlias]);
  assert.ok(aliases.some(([empty, alias]) => empty && alias >= 1), "the server uses aliases as well");
  assert.ok(aliases.every(([, alias]) => alias === undefined || alias <= 2));
  publisher.raw({ cmd: "publish", topic: "", payload: "x", qos: 0, properties: { topicAlias: publisher.connack.properties.topicAliasMaximum + 1 } });
  await publisher.closed();
  assert.equal(publisher.goodbye, 0x94);
});

scenario("message expiry: counted down, and dropped when it is over", v5, async (run) => {
  const kept = await run.connect("kept", { kept: 3600 });
  await kept.subscribe(run.topic());
  await kept.cut();
  const publisher = await run.connect();
  await publisher.publish(run.topic(), "short", 1, { properties: { messageExpiryInterval: 1 } });
  await publisher.publish(run.topic(), "long", 1, { properties: { messageExpiryInterval: 1000 } });
  await publisher.publish(run.topic("r"), "short", 1, { retain: true, properties: { messageExpiryInterval: 1 } });
  await new Promise((resolve) => setTimeout(resolve, 1100)); // the second that is asked for
  const again = await run.connect("kept", { kept: 3600 });
  const [m] = await again.take();
  assert.equal(m.text, "long");
  assert.ok(m.properties.messageExpiryInterval <= 999 && m.properties.messageExpiryInterval > 900);
  await again.subscribe(run.topic("r"));
  await publisher.publish(run.topic("r"), "end");
  assert.deepEqual(await again.takeTexts(), ["end"]);
});

scenario("receive maximum: no more unacknowledged than the client allows", v5, async (run) => {
  const subscriber = await run.connect("sub", { holds: true, properties: { receiveMaximum: 2 } });
  await subscriber.subscribe(run.topic());
  await subscriber.subscribe(run.topic("fence"), 0);
  const publisher = await run.connect();
  for (const text of ["1", "2", "3"]) await publisher.publish(run.topic(), text);
  await publisher.publish(run.topic("fence"), "end", 0);
  assert.deepEqual(await subscriber.takeTexts(3), ["1", "2", "end"]);
  subscriber.letGo(1);
  assert.deepEqual(await subscriber.takeTexts(), ["3"]);
  assert.ok(publisher.connack.properties.receiveMaximum > 0);
});

scenario("maximum packet size: what is too large for the client is not sent to it", v5, async (run) => {
  const subscriber = await run.connect("sub", { properties: { maximumPacketSize: 200 } });
  // mqtt.js takes the server's limit for its own; it is larger, so nothing is refused on this side.
  await subscriber.subscribe(run.topic());
  const publisher = await run.connect();
  for (const qos of [0, 1, 2]) await publisher.publish(run.topic(), "x".repeat(300), qos);
  await publisher.publish(run.topic(), "end");
  assert.deepEqual(await subscriber.takeTexts(), ["end"]);
});

scenario("no local", v5, async (run) => {
  const client = await run.connect();
  await client.subscribe(run.topic(), 1, { nl: true });
  const other = await run.connect();
  await client.publish(run.topic(), "own");
  await other.publish(run.topic(), "other's");
  assert.deepEqual(await client.takeTexts(), ["other's"]);
});

scenario("retain as published, retain handling", v5, async (run) => {
  const publisher = await run.connect();
  await publisher.publish(run.topic("kept"), "kept", 1, { retain: true });
  const as_published = await run.subscriber(run.topic("#"), 1, { rap: true });
  assert.deepEqual((await as_published.take()).map((m) => [m.text, m.retain]), [["kept", true]]);
  await publisher.publish(run.topic("a"), "1", 1, { retain: true });
  await publisher.publish(run.topic("a"), "2", 1);
  assert.deepEqual((await as_published.take(2)).map((m) => m.retain), [true, false]);
  await publisher.publish(run.topic("a"), "", 1, { retain: true });

  const expectation = { 0: [1, 1], 1: [1, 0], 2: [0, 0] }; // retained messages at the first and the second SUBSCRIBE
  for (const [rh, counts] of Object.entries(expectation)) {
    const client = await run.connect(`rh${rh}`);
    for (const [round, count] of counts.entries()) {
      await client.subscribe(run.topic("kept"), 1, { rh: Number(rh) });
      await publisher.publish(run.topic("kept"), `end ${rh}.${round}`, 1);
      assert.deepEqual(await client.takeTexts(count + 1), [...Array(count).fill("kept"), `end ${rh}.${round}`]);
    }
  }
  await publisher.publish(run.topic("kept"), "", 1, { retain: true });
});

scenario("server keep alive", v5, async (run) => {
  assert.equal((await run.connect("", { keepalive: 60 })).connack.properties.serverKeepAlive, undefined);
  assert.equal((await run.connect("", { keepalive: 600 })).connack.properties.serverKeepAlive, keep_alive_max_s);
});

scenario("session expiry: by its time, by DISCONNECT, kept without it at reconnect", v5, async (run) => {
  const soon = await run.connect("soon", { kept: 1 });
  await soon.cut();
  const changed = await run.connect("changed", { kept: 3600 });
  await changed.leave({ sessionExpiryInterval: 0 });
  const missed = await run.connect("missed", { kept: 3600 });
  await missed.subscribe(run.topic());
  await missed.leave();
  await (await run.connect()).publish(run.topic(), "missed");
  assert.equal((await run.connect("changed", { clean: false })).present, false);
  const last = await run.connect("missed", { clean: false }); // expiry 0: the session ends with this connection
  assert.equal(last.present, true);
  assert.deepEqual(await last.takeTexts(), ["missed"]);
  await last.leave();
  assert.equal((await run.connect("missed", { clean: false })).present, false);
  await new Promise((resolve) => setTimeout(resolve, 1100)); // the second that is asked for
  assert.equal((await run.connect("soon", { clean: false })).present, false);
});

scenario("will delay: cancelled by coming back, due when its time is over", v5, async (run) => {
  const watcher = await run.subscriber(run.topic());
  const will = (text, willDelayInterval) => ({ will: { topic: run.topic(), payload: Buffer.from(text), qos: 1, properties: { willDelayInterval } } });
  const back = await run.connect("back", { kept: 3600, ...will("came back", 1) });
  await back.cut();
  await run.connect("back", { kept: 3600 });
  const gone = await run.connect("gone", { kept: 3600, ...will("late", 1) });
  const cut_at = Date.now();
  await gone.cut();
  assert.deepEqual(await watcher.takeTexts(), ["late"]);
  assert.ok(Date.now() - cut_at >= 900);
});

scenario("reason strings and response information: for those who ask for them", v5, async (run) => {
  for (const wanted of [true, false]) {
    const client = await run.connect(`wants ${wanted}`, { properties: { requestProblemInformation: wanted, requestResponseInformation: wanted } });
    assert.equal(client.connack.properties.responseInformation !== undefined, wanted);
    assert.equal(client.connack.properties.reasonString, undefined);
    const not_text = { properties: { payloadFormatIndicator: true } };
    await assert.rejects(client.publish(run.topic(), Buffer.from([0xff]), 1, not_text), { code: 0x99 });
    assert.equal(client.acks[0].properties?.reasonString !== undefined, wanted);
  }
});

scenario("reason codes: nobody there, not there, not allowed", v5, async (run) => {
  const client = await run.connect();
  for (const qos of [1, 2]) await client.publish(run.topic(), "to nobody", qos);
  assert.deepEqual(client.acks.map((a) => a.reasonCode), [0x10, 0x10]);
  const unsuback = await new Promise((resolve) => { client.mqtt.unsubscribe(run.topic(), (_error, packet) => resolve(packet)); });
  assert.deepEqual(unsuback.granted, [0x11]);
  await assert.rejects(client.publish("$SYS/x", "no", 2), { code: 0x87 });
  await assert.rejects(client.subscribe("$share/g/" + run.topic(), 1, { nl: true })); // the connection ends
  await client.closed();
  assert.equal(client.goodbye, 0x82);
});

// --- the table against every version and transport ---

for (const transport of ["ws", "tcp"]) {
  describe(`MQTT over ${transport}`, { concurrency: 6 }, () => {
    for (const { name, versions, run } of scenarios) {
      for (const version of versions) {
        test(`${names[version]}: ${name}`, async () => {
          const here = new Run(name, version, transport);
          try { await run(here); } finally { await here.end(); }
        });
      }
    }
  });
}
