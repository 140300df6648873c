// Every row of "One message, two protocols" in docs/mapping.md with the clients people have: mqtt.js (3.1.1 and 5), stompjs over
// WebSocket and stomp.py over TCP. (tests/protocols/stomp/mapping_test.cpp has the rows byte for byte.)
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { Broker } from "./support/broker.mjs";
import { until } from "./support/mqtt_client.mjs";
import { Parties } from "./support/parties.mjs";
import { StompPy } from "./support/stomp_py.mjs";

let broker;
let python;
before(async () => { broker = await Broker.start(); python = new StompPy(); });
after(async () => { await python?.stop(); await broker?.dispose(); });

function row(name, run) {
  test(name, async () => {
    const parties = await Parties.meet(broker, python);
    try { await run(parties); } finally { await parties.part(); }
  });
}

// Everybody who is not `one`.
const others = (p, one) => p.all.filter((x) => x !== one);
async function one_inbox_each(p, place, options = {}) {
  return new Map(await Promise.all(p.all.map(async (x) => [x, await x.subscribe(place, options[x.protocol])])));
}

row("topic: what anybody publishes everybody has, under the name it has in their protocol", async (p) => {
  const inboxes = await one_inbox_each(p, p.topic("a/b"));
  for (const publisher of p.all) {
    await publisher.publish(p.topic("a/b"), `by ${publisher.name}`);
    for (const [receiver, inbox] of inboxes) {
      const [m] = await inbox.take();
      assert.equal(m.text, `by ${publisher.name}`);
      assert.equal(m.name, p.topic("a/b")[receiver.protocol]);
    }
  }
});

row("wildcards: one level, and the rest", async (p) => {
  const one = { mqtt: `${p.prefix}/+/x`, stomp: `/topic/${p.prefix}/*/x` };
  const rest = { mqtt: `${p.prefix}/deep/#`, stomp: `/topic/${p.prefix}/deep/>` };
  for (const receiver of p.all) {
    const single = await receiver.subscribe(one);
    for (const publisher of others(p, receiver)) await publisher.publish(p.topic("a/x"), publisher.name);
    await p.mqtt5.publish(p.topic("a/b/x"), "two levels");
    await p.mqtt5.publish(p.topic("last/x"), "last");
    assert.deepEqual((await single.take(4)).map((m) => m.text), [...others(p, receiver).map((x) => x.name), "last"]);
    await single.unsubscribe();
    const all = await receiver.subscribe(rest);
    await p.js.publish(p.topic("deep/1/2/3"), "far down");
    assert.deepEqual((await all.take()).map((m) => [m.text, m.name]), [["far down", p.topic("deep/1/2/3")[receiver.protocol]]]);
    await all.unsubscribe();
  }
});

row("queue: kept until somebody consumes, whoever published, whoever consumes, and then for one", async (p) => {
  for (const publisher of p.all) {
    for (const consumer of p.all) {
      await publisher.publish(p.queue(), `${publisher.name} to ${consumer.name}`);
      const inbox = await consumer.subscribe(p.queue());
      const [m] = await inbox.take();
      assert.equal(m.text, `${publisher.name} to ${consumer.name}`);
      assert.equal(m.name, p.queue()[consumer.protocol]);
      await inbox.unsubscribe();
    }
  }
});

row("temporary queue, reply address, correlation: a STOMP client asks, a service of either protocol answers", async (p) => {
  for (const asker of [p.js, p.py]) {
    const answers = await asker.subscribe({ stomp: "/temp-queue/answers" });
    for (const service of [p.mqtt5, ...others(p, asker).filter((x) => x.protocol === "stomp")]) {
      const requests = await service.subscribe(p.topic("service"));
      await asker.publish(p.topic("service"), "what?", { stomp: { "reply-to": "/temp-queue/answers", "correlation-id": "7" } });
      const [request] = await requests.take();
      if (service === p.mqtt5) {
        const { responseTopic, correlationData } = request.properties;
        assert.equal(correlationData.toString(), "7");
        await service.publish({ mqtt: responseTopic }, "that", { mqtt: { properties: { correlationData } } });
      } else {
        await service.publish({ stomp: request.headers["reply-to"] }, "that", { stomp: { "correlation-id": request.headers["correlation-id"] } });
      }
      const [answer] = await answers.take();
      assert.deepEqual([answer.text, answer.headers["correlation-id"]], ["that", "7"]);
      await requests.unsubscribe();
    }
  }
});

row("reply address: an MQTT 5 client asks, a STOMP service answers", async (p) => {
  const answers = await p.mqtt5.subscribe(p.topic("answers"));
  for (const service of [p.js, p.py]) {
    const requests = await service.subscribe(p.topic("service"));
    await p.mqtt5.publish(p.topic("service"), "what?", { mqtt: { properties: { responseTopic: p.topic("answers").mqtt, correlationData: Buffer.from("8") } } });
    const [request] = await requests.take();
    assert.equal(request.headers["reply-to"], p.topic("answers").stomp);
    await service.publish({ stomp: request.headers["reply-to"] }, "that", { stomp: { "correlation-id": request.headers["correlation-id"] } });
    const [answer] = await answers.take();
    assert.deepEqual([answer.text, answer.properties.correlationData.toString()], ["that", "8"]);
    await requests.unsubscribe();
  }
});

row("correlation: bytes that are no text travel as base64url", async (p) => {
  const bytes = Buffer.from([0, 255, 1, 254]);
  for (const receiver of [p.js, p.py]) {
    const inbox = await receiver.subscribe(p.topic());
    await p.mqtt5.publish(p.topic(), "x", { mqtt: { properties: { correlationData: bytes } } });
    const [m] = await inbox.take();
    assert.equal(m.headers["correlation-id"], bytes.toString("base64url"));
    assert.equal(m.headers["x-correlation-encoding"], "base64url");
    await inbox.unsubscribe();
  }
  const inbox = await p.mqtt5.subscribe(p.topic("back"));
  for (const sender of [p.js, p.py]) {
    await sender.publish(p.topic("back"), "x", { stomp: { "correlation-id": bytes.toString("base64url"), "x-correlation-encoding": "base64url" } });
    assert.deepEqual((await inbox.take())[0].properties.correlationData, bytes);
  }
});

row("shared group: x-group and $share are one group", async (p) => {
  const members = [await p.mqtt5.subscribe({ mqtt: `$share/${p.prefix}/${p.prefix}/jobs` }), await p.mqtt4.subscribe({ mqtt: `$share/${p.prefix}/${p.prefix}/jobs` }),
                   await p.js.subscribe(p.topic("jobs"), { "x-group": p.prefix }), await p.py.subscribe(p.topic("jobs"), { "x-group": p.prefix })];
  const publisher = await p.stompjs();
  const texts = Array.from({ length: 40 }, (_, i) => `${i}`);
  for (const text of texts) await publisher.publish(p.topic("jobs"), text);
  const shares = await Promise.all(members.map((inbox) => inbox.take(10)));
  assert.deepEqual(shares.flat().map((m) => Number(m.text)).sort((a, b) => a - b), texts.map(Number));
});

row("at most once: ack:auto and QoS 0", async (p) => {
  const inboxes = await one_inbox_each(p, p.topic(), { mqtt: { qos: 0 }, stomp: { ack: "auto" } });
  for (const publisher of p.all) {
    await publisher.publish(p.topic(), publisher.name, { mqtt: { qos: 0 } });
    for (const [receiver, inbox] of inboxes) {
      const [m] = await inbox.take();
      assert.equal(m.text, publisher.name);
      if (receiver.protocol === "mqtt") assert.equal(m.qos, 0);
      else assert.equal(m.headers.ack, undefined);
    }
  }
});

row("at least once: ack:client-individual and QoS 1; of QoS 2 STOMP gets QoS 1", async (p) => {
  const inboxes = await one_inbox_each(p, p.topic(), { mqtt: { qos: 1 }, stomp: { ack: "client-individual" } });
  for (const publisher of p.all) {
    await publisher.publish(p.topic(), publisher.name, { mqtt: { qos: 2 } });
    for (const [receiver, inbox] of inboxes) {
      const [m] = await inbox.take();
      assert.equal(m.text, publisher.name);
      if (receiver.protocol === "mqtt") assert.equal(m.qos, 1);
      else await m.ack();
    }
  }
});

row("once into the broker: BEGIN to COMMIT, and QoS 2", async (p) => {
  const inboxes = await one_inbox_each(p, p.topic());
  for (const publisher of [p.js, p.py]) {
    await publisher.begin("t");
    for (const text of ["1", "2"]) await publisher.publish(p.topic(), text, { stomp: { transaction: "t" } });
    await p.mqtt5.publish(p.topic(), "between", { mqtt: { qos: 2 } });
    for (const inbox of inboxes.values()) assert.equal((await inbox.take())[0].text, "between");
    await publisher.commit("t");
    for (const inbox of inboxes.values()) assert.deepEqual((await inbox.take(2)).map((m) => m.text), ["1", "2"]);
  }
});

row("kept while away: a durable subscription is a session, and an MQTT client of its name takes it over", async (p) => {
  for (const one of [p.js, p.py]) {
    const id = `${p.prefix}-${one.name}`;
    const durable = await p.another(one, { headers: { "client-id": id } });
    await durable.subscribe(p.topic(), { "durable-subscription-name": "news", ack: "client-individual" });
    await durable.leave();
    const expected = [];
    for (const publisher of p.all) {
      await publisher.publish(p.topic(), publisher.name);
      expected.push(publisher.name);
    }
    const sessions = JSON.parse((await broker.ctl("session", "list", "-o", "json")).stdout);
    assert.ok(sessions.some((s) => s.id === `${id}/news` && s.state === "offline" && s.queued === 4), JSON.stringify(sessions));
    const heir = await p.mqtt(5, { id: `${id}/news`, kept: 3600, clean: false });
    assert.equal(heir.client.present, true);
    assert.deepEqual((await heir.client.take(4)).map((m) => m.text), expected);
    await heir.leave();
  }
});

row("expiry: ttl, expires and the message expiry interval", async (p) => {
  const inboxes = await one_inbox_each(p, p.topic());
  const in_ms = Date.now() + 100_000;
  for (const [publisher, options] of [[p.mqtt5, { mqtt: { properties: { messageExpiryInterval: 100 } } }], [p.js, { stomp: { ttl: "100000" } }],
                                      [p.py, { stomp: { expires: `${in_ms}` } }]]) {
    await publisher.publish(p.topic(), "x", options);
    for (const [receiver, inbox] of inboxes) {
      const [m] = await inbox.take();
      if (receiver === p.mqtt5) assert.ok(m.properties.messageExpiryInterval > 90 && m.properties.messageExpiryInterval <= 100, `${m.properties.messageExpiryInterval}`);
      if (receiver.protocol === "stomp") assert.ok(Math.abs(Number(m.headers.expires) - in_ms) < 10_000, m.headers.expires);
    }
  }
});

row("persistent:false arrives as everything does", async (p) => {
  const inboxes = await one_inbox_each(p, p.topic());
  for (const publisher of [p.js, p.py]) {
    await publisher.publish(p.topic(), publisher.name, { stomp: { persistent: "false" } });
    for (const inbox of inboxes.values()) assert.equal((await inbox.take())[0].text, publisher.name);
  }
});

row("content type, text or bytes", async (p) => {
  const inboxes = await one_inbox_each(p, p.topic());
  const seen = async () => {
    const found = {};
    for (const [receiver, inbox] of inboxes) {
      const [m] = await inbox.take();
      found[receiver.name] = receiver.protocol === "stomp" ? [m.headers["content-type"], m.body.toString("hex")]
        : [m.properties.contentType, m.properties.payloadFormatIndicator === true, m.body.toString("hex")];
    }
    return found;
  };
  const text = Buffer.from("grüß");
  const bytes = Buffer.from([0, 255, 7]);
  for (const publisher of [p.js, p.py]) {
    await publisher.publish(p.topic(), text, { stomp: { "content-type": "text/plain" } });
    let got = await seen();
    assert.deepEqual(got["mqtt.js 5"], ["text/plain", true, text.toString("hex")]);
    for (const name of ["stompjs", "stomp.py"]) assert.deepEqual(got[name], ["text/plain", text.toString("hex")]);
    await publisher.publish(p.topic(), bytes, { stomp: { "content-type": "application/octet-stream" } });
    got = await seen();
    assert.deepEqual(got["mqtt.js 5"], ["application/octet-stream", false, bytes.toString("hex")]);
    for (const name of ["stompjs", "stomp.py"]) assert.deepEqual(got[name], ["application/octet-stream", bytes.toString("hex")]);
  }
  await p.mqtt5.publish(p.topic(), text, { mqtt: { properties: { payloadFormatIndicator: true, contentType: "text/markdown" } } });
  let got = await seen();
  assert.deepEqual(got.stompjs, ["text/markdown", text.toString("hex")]);
  assert.deepEqual(got["mqtt.js 5"], ["text/markdown", true, text.toString("hex")]);
  await p.mqtt5.publish(p.topic(), text, { mqtt: { properties: { payloadFormatIndicator: true } } });
  got = await seen();
  assert.deepEqual(got["stomp.py"], ["text/plain", text.toString("hex")]); // whose encoding is UTF-8
  await p.mqtt4.publish(p.topic(), bytes);
  got = await seen();
  assert.deepEqual(got.stompjs, [undefined, bytes.toString("hex")]);
});

row("reply address: a topic and a queue, in either spelling", async (p) => {
  const inboxes = await one_inbox_each(p, p.topic());
  for (const place of [p.topic("answers"), p.queue("answers")]) {
    for (const publisher of [p.mqtt5, p.js, p.py]) {
      await publisher.publish(p.topic(), "x", { mqtt: { properties: { responseTopic: place.mqtt } }, stomp: { "reply-to": place.stomp } });
      for (const [receiver, inbox] of inboxes) {
        const [m] = await inbox.take();
        if (receiver === p.mqtt5) assert.equal(m.properties.responseTopic, place.mqtt);
        if (receiver.protocol === "stomp") assert.equal(m.headers["reply-to"], place.stomp);
      }
    }
  }
});

// stompjs and stomp.py show the first of a name; mqtt.js all of a name together, and no order between names.
row("free headers: names, values, the first of repeated ones, and what a version cannot express", async (p) => {
  const inboxes = await one_inbox_each(p, p.topic());
  const old = await p.stomp_py({}, "1.0");
  const old_inbox = await old.subscribe(p.topic());
  await p.mqtt5.publish(p.topic(), "x", { mqtt: { properties: { userProperties: { zeta: ["1", "2"], alpha: "ü = 3", "with:colon": "4" } } } });
  assert.deepEqual({ ...(await inboxes.get(p.mqtt5).take())[0].free }, { zeta: ["1", "2"], alpha: "ü = 3", "with:colon": "4" });
  for (const receiver of [p.js, p.py]) {
    const [m] = await inboxes.get(receiver).take();
    assert.deepEqual([m.headers.zeta, m.headers.alpha], ["1", "ü = 3"]);
    assert.ok(m.names.indexOf("zeta") < m.names.indexOf("alpha"), `${m.names}`);
  }
  const [m] = await old_inbox.take();
  assert.equal(m.headers.zeta, "1");
  assert.ok(!m.names.some((name) => name.includes("with")), `${m.names}`); // 1.0 cannot escape it: it is left out
  await inboxes.get(p.mqtt4).take();
  await p.py.publish(p.topic(), "y", { stomp: { shade: ["blue", "green"], size: "5" } });
  const { shade, size } = (await inboxes.get(p.mqtt5).take())[0].free;
  assert.deepEqual([shade, size], [["blue", "green"], "5"]);
  assert.equal((await inboxes.get(p.js).take())[0].headers.shade, "blue");
});

row("priority: a header or a user property, in one queue", async (p) => {
  await p.mqtt4.publish(p.queue(), "usual");
  await p.js.publish(p.queue(), "low", { stomp: { priority: "0" } });
  await p.mqtt5.publish(p.queue(), "high", { mqtt: { properties: { userProperties: { priority: "8" } } } });
  await p.py.publish(p.queue(), "highest", { stomp: { priority: "9" } });
  const inbox = await p.js.subscribe(p.queue());
  assert.deepEqual((await inbox.take(4)).map((m) => m.text), ["highest", "high", "usual", "low"]);
});

row("retained: by anybody, for anybody who comes later", async (p) => {
  for (const publisher of p.all) {
    const place = p.topic(`kept/${publisher.name}`);
    await publisher.publish(place, "still here", { mqtt: { retain: true }, stomp: { retain: "true" } });
    for (const receiver of p.all) {
      const inbox = await receiver.subscribe(place);
      const [m] = await inbox.take();
      assert.equal(m.text, "still here");
      if (receiver.protocol === "mqtt") assert.equal(m.retain, true);
      else assert.equal(m.headers.retain, "true");
      await inbox.unsubscribe();
    }
  }
});

row("delivered before: what a consumer of one protocol leaves comes to the other's, marked", async (p) => {
  for (const one of [p.js, p.py]) {
    const first = await p.another(one);
    const held = await first.subscribe(p.queue(one.name), { ack: "client-individual" });
    await p.mqtt5.publish(p.queue(one.name), "x");
    await held.take();
    await first.cut();
    const inbox = await p.mqtt5.subscribe(p.queue(one.name));
    const [m] = await inbox.take();
    assert.deepEqual([m.text, m.dup, m.free["x-redelivery"]], ["x", true, "1"]);
    await inbox.unsubscribe();
  }
  const consumer = await p.another(p.mqtt5, { holds: true }); // it never acknowledges
  await consumer.subscribe(p.queue("mqtt"));
  await p.js.publish(p.queue("mqtt"), "y");
  await until(() => consumer.client.messages.length === 1, "the first delivery");
  await consumer.cut();
  const inbox = await p.py.subscribe(p.queue("mqtt"));
  const [m] = await inbox.take();
  assert.deepEqual([m.text, m.headers.redelivered, m.headers["redelivery-count"]], ["y", "true", "1"]);
});

row("will: on CONNECT of either protocol, for everybody, when the connection is lost", async (p) => {
  const inboxes = await one_inbox_each(p, p.topic("wills"));
  const wills = [
    (text) => p.mqtt(4, { will: { topic: p.topic("wills").mqtt, payload: Buffer.from(text), qos: 1 } }),
    (text) => p.mqtt(5, { will: { topic: p.topic("wills").mqtt, payload: Buffer.from(text), qos: 1 } }),
    (text) => p.stompjs({ "will-destination": p.topic("wills").stomp, "will-body": text }),
    (text) => p.stomp_py({ "will-destination": p.topic("wills").stomp, "will-body": text }),
  ];
  for (const [i, connect] of wills.entries()) {
    const leaves = await connect("not published");
    await leaves.leave();
    const dies = await connect(`gone ${i}`);
    await dies.cut();
    for (const inbox of inboxes.values()) assert.equal((await inbox.take())[0].text, `gone ${i}`);
  }
});

// Last: the broker is killed.
row("confirmed to the publisher: what PUBACK, PUBCOMP and RECEIPT said is there after SIGKILL", async (p) => {
  const expected = [];
  for (const publisher of p.all) {
    for (const qos of publisher.protocol === "mqtt" ? [1, 2] : [1]) {
      await publisher.publish(p.queue(), `${publisher.name} ${qos}`, { mqtt: { qos } });
      expected.push(`${publisher.name} ${qos}`);
    }
  }
  await broker.kill();
  await broker.run();
  const consumer = await p.mqtt(5);
  const inbox = await consumer.subscribe(p.queue());
  assert.deepEqual((await inbox.take(expected.length)).map((m) => m.text), expected);
});
