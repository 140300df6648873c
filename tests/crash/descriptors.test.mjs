// Few descriptors: whoever is connected is served, the store has its share, a shortage is said once, and when connections leave
// others are accepted.
import { test } from "node:test";
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import net from "node:net";
import { Broker, brokerd, freePorts, refused } from "../e2e/support/broker.mjs";
import { MqttClient, until } from "../e2e/support/mqtt_client.mjs";
import { MqttLoad, checkReceived, leaveReceiver, numbered, roomy } from "./support/load.mjs";
import { run, scratch } from "./support/place.mjs";

const limit = 128;
const tcp = (broker) => `mqtt://127.0.0.1:${broker.ports.mqtt}`;
const open_files = async (broker) => (await readdir(`/proc/${broker.process.pid}/fd`)).length;

// Connections that say nothing.
function flood(port, count) {
  return Array.from({ length: count }, () => {
    const one = { ended: false, socket: net.connect(port, "127.0.0.1") };
    one.socket.on("error", () => {}).on("connect", () => { one.connected = true; }).on("close", () => { one.ended = true; });
    return one;
  });
}

async function limited(body) {
  const broker = await Broker.start({
    env: { ...roomy, BROKERD__LIMITS__HANDSHAKE_TIMEOUT: "60s", BROKERD__LIMITS__CONNECT_TIMEOUT: "60s" },
    through: ["prlimit", `--nofile=${limit}:${limit}`],
  });
  try { await body(broker); } finally { await broker.dispose(); }
}

test("a flood: more than can be served are closed at once, everybody else and the store are not disturbed", () => limited(async (broker) => {
  await until(() => broker.said(/may open 128 files/).length === 1, "the warning");
  const [{ msg }] = broker.said(/may open 128 files/);
  const served = Number(/limits\.max_connections is 200000, but the process may open 128 files: (\d+) connections are served/.exec(msg)[1]);
  assert.ok(served >= 16 && served < limit, msg);
  await leaveReceiver(tcp(broker));
  // More than the memtables hold: data files are written and compacted meanwhile.
  const load = await MqttLoad.start(tcp(broker), 5, "steady", { most: 10, body: numbered(64 * 1024) });
  for (const round of [1, 2]) {
    const crowd = [broker.ports.mqtt, broker.ports.ws, broker.ports.stomp, broker.ports.tcp].flatMap((port) => flood(port, 100));
    await until(() => crowd.filter((one) => one.ended).length >= 400 - served, "most of the crowd to be sent away");
    await load.more(200);
    const kept = crowd.filter((one) => !one.ended).length;
    assert.ok(kept >= served - 4, `${kept} of ${served} are kept`);
    assert.ok(await open_files(broker) < limit);
    const metrics = await broker.metrics();
    assert.equal(metrics("broker_alarms", "connections_full"), 1);
    assert.ok(metrics("broker_limit_refusals_total", "limits.max_connections") >= 400 - served);
    assert.equal((await broker.ctl("status")).code, 0);
    assert.equal(broker.said(/connections are open, more are closed at once: the process may open 128 files/).length, round, broker.log);
    for (const { socket } of crowd) socket.destroy();
    await until(async () => (await broker.metrics())("broker_alarms", "connections_full") === undefined, "the end of the alarm");
    await (await MqttClient.connect(broker.wsUrl, 5)).leave();
    assert.equal(broker.said(/new ones are served again/).length, round, broker.log);
  }
  assert.equal((await broker.ctl("store", "verify")).code, 0);
  await load.stop();
  assert.equal(load.refused.size, 0);
  assert.deepEqual(broker.said(/accept|store/).filter(({ level }) => level !== "info"), [], broker.log);
  await broker.kill();
  await broker.run();
  await (await checkReceived(tcp(broker), [load])).away.leave();
}));

test("no descriptor left: said once, those connected are served, and who waits is accepted when there is one", () => limited(async (broker) => {
  const client = await MqttClient.connect(tcp(broker), 5);
  await client.subscribe("t", 1);
  const most = (n) => run("prlimit", "--pid", String(broker.process.pid), `--nofile=${n}:`);
  const { messages } = client;
  await most(await open_files(broker));
  const waiting = flood(broker.ports.mqtt, 3);
  await until(() => waiting.every((one) => one.connected), "connections that wait");
  await until(() => broker.said(/cannot be accepted/).length !== 0, "the shortage to be said");
  // It is tried again ten times a second, and not said again; messages flow meanwhile.
  for (const end = Date.now() + 1000; Date.now() < end;) {
    await client.publish("t", "goes on", 1);
    await client.take();
  }
  assert.equal(messages.length, 0);
  const [said, ...more] = broker.said(/cannot be accepted/);
  assert.match(said.msg, /listener \S+: a connection waits that cannot be accepted: Too many open files/);
  assert.deepEqual(more, []);
  await most(limit);
  await until(() => broker.said(/every waiting connection has been accepted/).length === 1, "the end of the shortage");
  assert.equal((await broker.metrics())("broker_alarms", "accept_failed"), undefined);
  assert.equal(waiting.filter((one) => one.ended).length, 0);
  for (const { socket } of waiting) socket.destroy();
  await client.leave();
}));

test("too few to begin with: refused; what may be raised is raised", () => scratch(async (dir) => {
  const [mqtt, admin] = await freePorts(2);
  const args = ["--data-dir", `${dir}/data`, "--listen", `mqtt://127.0.0.1:${mqtt}`, "--admin-socket", `${dir}/sock`, "--admin-http", `127.0.0.1:${admin}`, "--threads", "2"];
  await refused(args, 71, [/the process may open 64 files, and brokerd needs \d+ for itself and 16 for connections/, /ulimit -n/], ["prlimit", "--nofile=64:64", brokerd]);
  const broker = await Broker.start({ through: ["prlimit", "--nofile=64:4096"] });
  try {
    assert.equal((await broker.metrics())("process_max_fds"), 4096);
  } finally {
    await broker.dispose();
  }
}));
