// Single flipped bits, cut, empty and missing files in the directory of a killed brokerd. The next start refuses within two
// seconds, names the file and the way out, and a repair keeps nothing that is wrong and says what is lost; or every message,
// subscription and retained value is there as it was.
import { test } from "node:test";
import assert from "node:assert/strict";
import { cp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { Broker, refusal_within_ms } from "../e2e/support/broker.mjs";
import { MqttClient, until } from "../e2e/support/mqtt_client.mjs";
import { scratch } from "./support/place.mjs";

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
let state = seed;
function below(n) { // mulberry32
  state = (state + 0x6d2b79f5) | 0;
  let x = Math.imul(state ^ (state >>> 15), state | 1);
  x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
  return ((x ^ (x >>> 14)) >>> 0) % n;
}
const pick = (list, count) => Array.from({ length: Math.min(count, list.length) }, () => list.splice(below(list.length), 1)[0]);

const tcp = (broker) => `mqtt://127.0.0.1:${broker.ports.mqtt}`;
const sessions = [["once", 5, 1, "jobs/#"], ["twice", 4, 2, "jobs/+"]];

async function add(broker, generation) {
  for (const [id, version, qos, filter] of generation === 0 ? sessions : []) {
    const session = await MqttClient.connect(tcp(broker), version, { id, kept: 3600 });
    await session.subscribe(filter, qos);
    await session.leave();
  }
  const publisher = await MqttClient.connect(tcp(broker), 5);
  const text = (i) => `${generation}-${i} ${"abcdefghijklmnopqrstuvwxyz".repeat(below(40))}`;
  for (let i = 0; i !== 12; ++i) {
    await publisher.publish(`jobs/${i}`, text(i), 2);
    await publisher.publish("$queue/work", text(i), 1);
    await publisher.publish(`kept/${below(8)}`, text(i), 1, { retain: true });
  }
  await publisher.publish(`kept/${generation}`, "", 1, { retain: true });
  await publisher.leave();
}

// Everything clients can get, in order.
async function contents(broker) {
  const found = {};
  const end = await MqttClient.connect(tcp(broker), 5);
  const all = async (name, client, to) => {
    await end.publish(to, "the end", 2); // one of QoS 1 may overtake those of QoS 2 in mqtt.js
    await until(() => client.messages.at(-1)?.text === "the end", `the end of ${name}`);
    found[name] = client.messages.slice(0, -1).map(({ topic, text, qos, retain }) => ({ topic, text, qos, retain }));
    await client.leave();
  };
  for (const [id, version] of sessions) {
    const session = await MqttClient.connect(tcp(broker), version, { id, kept: 3600 });
    await session.subscribe(`end/${id}`, 2); // a repair may have lost what it had subscribed to
    await all(id, session, `end/${id}`);
  }
  const retained = await MqttClient.connect(tcp(broker), 5);
  await retained.subscribe("kept/#", 1);
  await all("retained", retained, "kept/end");
  found.retained.sort((a, b) => (a.topic < b.topic ? -1 : 1));
  const worker = await MqttClient.connect(tcp(broker), 5);
  await worker.subscribe("$queue/work", 1);
  await all("queue", worker, "$queue/work");
  await end.leave();
  return found;
}

// A broker over `data`, or the line with which it refused, after so many milliseconds.
async function start(data) {
  const started = Date.now();
  try {
    return { broker: await Broker.start({ data }) };
  } catch (error) {
    const line = /^brokerd: .*$/m.exec(error.message)?.[0];
    assert.ok(line, error.message);
    return { line, after: Date.now() - started };
  }
}

// Reads everything from a start over `data` that must succeed.
async function served(data) {
  const { broker, line } = await start(data);
  assert.ok(broker, line);
  try { return await contents(broker); } finally { await broker.dispose(); }
}

// The directory of a killed brokerd: data files of two starts, and a log with the rest, which SEAL says is on disk.
async function make(dir) {
  const broker = await Broker.start({ data: path.join(dir, "made") });
  try {
    await add(broker, 0);
    for (const generation of [1, 2]) {
      await broker.stop();
      await broker.run();
      await add(broker, generation);
    }
    await until(async () => {
      const seal = await readFile(path.join(broker.data, "SEAL"), "utf8");
      const sealed = new Map([...seal.matchAll(/^(?:wal|manifest) (\S+) (\d+)$/gm)].map(([, name, size]) => [name, Number(size)]));
      const logs = (await readdir(broker.data)).filter((name) => /^(\d+\.log|MANIFEST-\d+)$/.test(name));
      const now = await Promise.all(logs.map((name) => stat(path.join(broker.data, name))));
      return now.every(({ size }, i) => size === 0 || size - (sealed.get(logs[i]) ?? 0) <= 19); // an empty group is SEAL's own sync
    }, "SEAL to name all that is on disk");
    await broker.kill();
    await cp(broker.data, path.join(dir, "good"), { recursive: true });
  } finally {
    await broker.dispose();
  }
}

// What is done to a file: name → [what, how].
function damages(bytes) {
  const flips = Array.from({ length: 4 }, () => [below(bytes.length), below(8)]);
  return [
    ...flips.map(([at, bit]) => [`bit ${bit} of byte ${at} flipped`, async (file) => {
      const changed = Buffer.from(bytes);
      changed[at] ^= 1 << bit;
      await writeFile(file, changed);
    }]),
    ...[0, below(bytes.length)].map((size) => [`cut to ${size} of ${bytes.length} bytes`, (file) => truncate(file, size)]),
    ["removed", (file) => rm(file)],
  ];
}

// A repaired store serves nothing that was not there, in the order it had, and what is missing was said.
async function repaired(broker, data, expected) {
  const run = async (...options) => {
    const { code, stdout, stderr } = await broker.ctl("store", "repair", data, ...options);
    assert.equal(code, /^lost: /m.test(stdout) ? 2 : 0, stdout + stderr);
    return stdout;
  };
  await run("--dry-run");
  const said = await run();
  const found = await served(data);
  const may_be_back = /what was erased lately may be back/.test(said);
  for (const [where, messages] of Object.entries(expected)) {
    const texts = messages.map((m) => JSON.stringify(m));
    const places = found[where].map((m) => texts.indexOf(JSON.stringify(m))).filter((place) => place !== -1 || !may_be_back);
    assert.ok(!places.includes(-1), `${where}: ${JSON.stringify(found[where][places.indexOf(-1)])} was not there before`);
    assert.deepEqual(places, [...places].sort((a, b) => a - b), `${where}: in order`);
    if (places.length < texts.length) assert.match(said, /^lost: /m, `${where}: ${texts.length - places.length} fewer`);
  }
}

test(`damaged files (SEED=${seed})`, () => scratch(async (dir) => {
  await make(dir);
  const good = path.join(dir, "good");
  const data = path.join(dir, "data");
  const again = async () => {
    await rm(data, { recursive: true, force: true });
    for (const name of await readdir(dir)) if (name.startsWith("data.")) await rm(path.join(dir, name), { recursive: true });
    await cp(good, data, { recursive: true });
  };
  await again();
  const expected = await served(data);
  for (const [where, count] of [["once", 36], ["twice", 36], ["queue", 36]]) assert.equal(expected[where].length, count, where);
  assert.ok(expected.retained.length >= 3, "retained");

  const control = await Broker.start();
  try {
    const files = [];
    for (const name of await readdir(good)) if ((await stat(path.join(good, name))).size !== 0) files.push(name);
    const kinds = {
      "data file": pick(files.filter((name) => name.endsWith(".sst")), 3), log: files.filter((name) => /^\d+\.log$/.test(name)),
      MANIFEST: files.filter((name) => name.startsWith("MANIFEST")), CURRENT: ["CURRENT"], SEAL: ["SEAL"],
      OPTIONS: pick(files.filter((name) => name.startsWith("OPTIONS")), 1), IDENTITY: ["IDENTITY"],
    };
    for (const [kind, names] of Object.entries(kinds)) {
      assert.ok(names.length !== 0, kind);
      let refusals = 0;
      for (const name of names) {
        for (const [what, how] of damages(await readFile(path.join(good, name)))) {
          const title = `${name} ${what}`;
          await again();
          await how(path.join(data, name));
          const { broker, line, after } = await start(data);
          if (broker) {
            try {
              if (kind === "SEAL") assert.equal(broker.said(/SEAL is (damaged|missing); the files are checked without it/).length, 1, `${title}: ${broker.log}`);
              assert.deepEqual(await contents(broker), expected, title);
            } finally {
              await broker.dispose();
            }
            continue;
          }
          assert.ok(after < refusal_within_ms, `${title}: refused after ${after} ms`);
          assert.match(line, new RegExp(`data directory ${data}: .*${name}.*brokerctl store repair ${data}`), title);
          if (++refusals === 1) await repaired(control, data, expected).catch((error) => { error.message = `${title}: ${error.message}`; throw error; });
        }
      }
      const vital = ["data file", "log", "MANIFEST", "CURRENT"].includes(kind);
      assert.ok(vital ? refusals !== 0 : refusals === 0, `${kind}: ${refusals} refused`);
    }
  } finally {
    await control.dispose();
  }
}));
