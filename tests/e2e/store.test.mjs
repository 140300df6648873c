// brokerctl store, as an operator uses it: a backup while messages flow, a damaged file, a repair, a restore.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import mqtt from "mqtt";
import { Broker, brokerd, command } from "./support/broker.mjs";
import { until } from "./support/mqtt_client.mjs";

let broker;
before(async () => { broker = await Broker.start(); });
after(async () => { await broker?.dispose(); });

const data = () => path.join(broker.dataDir, "data");
const beside = (name) => path.join(broker.dataDir, name);

function connect(id, clean = false) {
  return mqtt.connectAsync(`mqtt://127.0.0.1:${broker.ports.mqtt}`, {
    protocolVersion: 5, clientId: id, clean, reconnectPeriod: 0, ...(clean ? {} : { properties: { sessionExpiryInterval: 3600 } }),
  });
}

async function fill(count) {
  const away = await connect("away");
  await away.subscribeAsync("jobs/#", { qos: 1 });
  await away.endAsync();
  const publisher = await connect("publisher", true);
  for (let i = 0; i < count; ++i) await publisher.publishAsync(`jobs/${i}`, `job ${i}`, { qos: 1, retain: i % 2 === 0 });
  await publisher.endAsync();
}

// The first 20 messages "away" gets when it comes back.
async function waiting() {
  const got = [];
  const client = mqtt.connect(`mqtt://127.0.0.1:${broker.ports.mqtt}`, {
    protocolVersion: 5, clientId: "away", clean: false, reconnectPeriod: 0, properties: { sessionExpiryInterval: 3600 },
  });
  client.on("message", (_topic, payload) => got.push(`${payload}`));
  await until(() => got.length >= 20, "20 messages");
  await client.endAsync();
  return got.slice(0, 20);
}

test("a backup is made while messages flow, verifies and can be restored", async () => {
  await fill(20);
  const publisher = await connect("busy", true);
  let flowing = true;
  const flow = (async () => { while (flowing) await publisher.publishAsync("jobs/more", "more", { qos: 1 }); })();
  const made = await broker.ctl("store", "backup", beside("backup"));
  assert.equal(made.code, 0, made.stderr);
  flowing = false;
  await flow;
  await publisher.endAsync();
  const checked = await broker.ctl("-o", "json", "store", "verify", beside("backup"));
  assert.equal(checked.code, 0, checked.stdout + checked.stderr);
  const found = JSON.parse(checked.stdout);
  assert.ok(found.intact);
  assert.ok(found.rows.entries >= 20 && found.rows.retained === 10, checked.stdout);
  assert.equal((await stat(beside("backup"))).mode & 0o777, 0o700);

  const again = await broker.ctl("store", "backup", beside("backup"));
  assert.equal(again.code, 1);
  assert.match(again.stderr, /exists already/);
  const over = await broker.ctl("store", "restore", beside("backup"), "--data-dir", data());
  assert.equal(over.code, 1);
  assert.match(over.stderr, /not empty/);
  const restored = await broker.ctl("store", "restore", beside("backup"), "--data-dir", beside("restored"));
  assert.equal(restored.code, 0, restored.stderr);
});

test("the running broker verifies itself and shows its store; a directory in use is refused", async () => {
  const own = await broker.ctl("store", "verify");
  assert.equal(own.code, 0, own.stdout + own.stderr);
  assert.match(own.stdout, /^intact: /);
  assert.ok(!(await readdir(data())).includes("verified"));
  const used = await broker.ctl("store", "verify", data());
  assert.equal(used.code, 1);
  assert.match(used.stderr, new RegExp(`process ${broker.process.pid}`));
  const status = JSON.parse((await broker.ctl("-o", "json", "store", "status")).stdout);
  assert.equal(status.state, "ok");
  assert.ok(status.columns.find((c) => c.column === "retained").rows >= 10);
  assert.ok(status.disk_free_bytes > 0);
});

test("a damaged log: the start names it, a repair keeps the rest and the broker serves it", async () => {
  // Only this message is in the log: what was before is in data files since the store was verified.
  const publisher = await connect("publisher", true);
  await publisher.publishAsync("jobs/last", "the last one", { qos: 1 });
  await broker.kill();
  publisher.end(true);
  const logs = (await readdir(data())).filter((name) => name.endsWith(".log")).sort();
  const log = path.join(data(), logs.at(-1));
  const bytes = await readFile(log);
  assert.ok(bytes.length > 100);
  bytes[40] ^= 1;
  await writeFile(log, bytes);
  const start = await command(brokerd, ["--data-dir", data(), "--listen", `mqtt://127.0.0.1:${broker.ports.mqtt}`, "--admin-socket", broker.socket, "--admin-http", "off"]);
  assert.equal(start.code, 71);
  assert.match(start.stderr, new RegExp(`${logs.at(-1)} is damaged.*brokerctl store repair ${data()}`));

  const before = (await readdir(broker.dataDir)).sort();
  const dry = await broker.ctl("store", "repair", data(), "--dry-run");
  assert.equal(dry.code, 2, dry.stdout + dry.stderr);
  assert.match(dry.stdout, new RegExp(`lost: ${logs.at(-1)}: what was written in \\d+ bytes`));
  assert.deepEqual((await readdir(broker.dataDir)).sort(), before);
  const repaired = await broker.ctl("store", "repair", data());
  assert.equal(repaired.code, 2, repaired.stdout + repaired.stderr);
  assert.match(repaired.stdout, /what was there is now .*data\.damaged/);
  assert.equal((await broker.ctl("store", "verify", data())).code, 0);
  const intact = await broker.ctl("store", "repair", data());
  assert.equal(intact.code, 0);
  assert.match(intact.stdout, /^intact, nothing was done/);

  await broker.run();
  const expected = Array.from({ length: 20 }, (_, i) => `job ${i}`);
  assert.deepEqual(await waiting(), expected);
});

test("what was restored is served", async () => {
  await broker.stop();
  const broken = await broker.ctl("store", "restore", beside("backup"), "--data-dir", data());
  assert.equal(broken.code, 1);
  await command("mv", [data(), beside("old")]);
  assert.equal((await broker.ctl("store", "restore", beside("backup"), "--data-dir", data())).code, 0);
  await broker.run();
  assert.deepEqual(await waiting(), Array.from({ length: 20 }, (_, i) => `job ${i}`));
});
