// A full disk under the real server, docs/decisions/0005: what is durable is refused in each protocol's words, everything else
// goes on, it is said from its beginning to its end, service returns by itself, and what was acknowledged is there.
import { test } from "node:test";
import assert from "node:assert/strict";
import { rm, stat, statfs } from "node:fs/promises";
import path from "node:path";
import { Broker, command, freePorts, refused } from "../e2e/support/broker.mjs";
import { MqttClient, until } from "../e2e/support/mqtt_client.mjs";
import { stompWorld } from "../e2e/support/parties.mjs";
import { StompClient } from "../e2e/support/stomp_scenarios.mjs";
import { MqttLoad, StompLoad, checkReceived, leaveReceiver, numbered, roomy } from "./support/load.mjs";
import { smallDisk } from "./support/place.mjs";

const quota_exceeded = 0x97;
const MiB = 1 << 20;
const filler = (disk) => path.join(disk, "filler");

async function free(disk) {
  const { bavail, bsize } = await statfs(disk);
  return bavail * bsize;
}

// Somebody else's file takes what there is at once, but for `leave` bytes.
async function fill(disk, leave) {
  const has = await stat(filler(disk)).then(({ size }) => size, () => 0);
  const wanted = has + (await free(disk)) - leave;
  if (wanted > has) await command("fallocate", ["-l", String(wanted), filler(disk)]); // or not, when it is no longer there
}

const body = numbered(32 * 1024);
const tcp = (broker) => `mqtt://127.0.0.1:${broker.ports.mqtt}`;
const alarms = async (broker) => JSON.parse((await broker.ctl("-o", "json", "status")).stdout).alarms;

async function onSmallDisk(env, run) {
  await smallDisk("64m", async (disk) => {
    const broker = await Broker.start({ data: path.join(disk, "data"), env: { ...roomy, ...env } });
    try { await run(broker, disk); } finally { await broker.dispose(); }
  });
}

// QoS 0 arrives, whatever becomes of the store.
async function live(broker) {
  const client = await MqttClient.connect(tcp(broker), 5);
  await client.subscribe("live", 0);
  return async () => {
    await client.publish("live", "still", 0);
    assert.deepEqual(await client.takeTexts(), ["still"]);
  };
}

// What clients are told while there is too little room.
async function checkRefusals(broker) {
  const v5 = await MqttClient.connect(tcp(broker), 5, { id: "v5", kept: 60 }); // a kept session may come
  const v3 = await MqttClient.connect(tcp(broker), 4, { id: "v3", kept: 60 });
  await assert.rejects(v5.subscribe("a", 1), { code: quota_exceeded });
  await assert.rejects(v3.subscribe("a", 1), { code: 0x80 });
  for (const qos of [1, 2]) await assert.rejects(v5.publish("load/a", "no", qos), { code: quota_exceeded });
  await assert.rejects(v5.publish("kept", "no", 1, { retain: true }), { code: quota_exceeded });
  v3.publish("load/a", "no", 1).catch(() => {});
  await v3.closed();
  const stomp = await StompLoad.start(broker.ports.stomp, "s", { window: 1 });
  await until(() => stomp.ended, "the end of the STOMP client");
  assert.equal(stomp.error.code, "disk_full");
  const begun = await StompClient.connect(stompWorld(broker, "full"));
  const transaction = begun.stomp.begin();
  begun.stomp.publish({ destination: "/topic/load/s", body: "no", headers: { transaction: transaction.id } });
  transaction.commit({ receipt: "commit" });
  await until(() => begun.errors.length === 1, "ERROR");
  assert.equal(begun.errors[0].code, "disk_full");
  const clean = await MqttClient.connect(tcp(broker), 5);
  assert.deepEqual(await clean.subscribe("unkept", 1), [1]);
  await clean.publish("unkept", "needs no store", 1);
  assert.deepEqual(await clean.takeTexts(), ["needs no store"]);
  for (const client of [v5, clean]) await client.leave();
}

test("too little room: refused, said, and over when there is room again; filled by others and by publishing", () => onSmallDisk({}, async (broker, disk) => {
  await leaveReceiver(tcp(broker));
  const goesOn = await live(broker);
  const loads = [];
  for (const round of [1, 2]) {
    if (round === 1) await fill(disk, 20 * MiB);
    const load = await MqttLoad.start(tcp(broker), 5, `round${round}`, { body });
    loads.push(load);
    await until(() => load.refused.size !== 0, "the first refusal");
    await load.stop();
    assert.deepEqual(new Set(load.refused.values()), new Set([quota_exceeded]));
    assert.ok(load.acknowledged.size > 100, `${load.acknowledged.size} acknowledged`);
    await fill(disk, 4 * MiB); // data files replace logs: for a moment there may be room again
    await until(async () => (await alarms(broker)).length === 1, "the alarm");
    await goesOn();
    await checkRefusals(broker);
    const metrics = await broker.metrics();
    assert.equal(metrics("broker_alarms", "disk_full"), 1);
    assert.equal(metrics("broker_store_failed"), 1);
    assert.ok(metrics("broker_messages_dropped_total", "storage") !== undefined);
    const [alarm, ...more] = await alarms(broker);
    assert.equal(alarm.name, "disk_full");
    assert.match(alarm.detail, /of 64 MiB are free, 6\.4 must stay so \(limits\.disk_free\) and 8\.0 end this; durable messages are refused/);
    assert.deepEqual(more, []);
    assert.equal(broker.said(/are free/).length, broker.said(/accepted again/).length + 1, broker.log);
    if (round === 2) break;
    await rm(filler(disk));
    await until(async () => (await alarms(broker)).length === 0, "the end of the alarm");
    assert.equal((await broker.metrics())("broker_alarms", "disk_full"), undefined);
  }
  // What the receiver takes makes room: nobody else does.
  const { away } = await checkReceived(tcp(broker), loads);
  await until(async () => (await alarms(broker)).length === 0, "the end of the alarm");
  await away.leave();
  const last = await MqttLoad.start(tcp(broker), 5, "last");
  await last.acknowledges(100);
  await last.stop();
  await broker.kill();
  await broker.run();
  await (await checkReceived(tcp(broker), [last])).away.leave();
}));

// With this nothing is refused before a write fails; who is to be kept, and cannot be, is told after a second.
const careless = { BROKERD__LIMITS__DISK_FREE: "0B", BROKERD__LIMITS__CONNECT_TIMEOUT: "1s" };
async function failWriting(broker, disk) {
  const failing = () => broker.said(/No space left.*nothing is acknowledged until writing works again/).length;
  await until(async () => {
    await fill(disk, 0);
    return failing() !== 0;
  }, "a write that fails");
  await assert.rejects(MqttClient.connect(tcp(broker), 5, { id: "kept", kept: 60 }), /Quota exceeded/);
  assert.equal(failing(), 1, broker.log);
}

test("no room at all: writes fail, nothing is acknowledged that is not there, and all goes on with room", () =>
  onSmallDisk(careless, async (broker, disk) => {
    await leaveReceiver(tcp(broker));
    const goesOn = await live(broker);
    const loads = [await MqttLoad.start(tcp(broker), 5, "one", { body }), await MqttLoad.start(tcp(broker), 5, "two", { qos: 2, body })];
    for (const load of loads) await load.acknowledges(100);
    await failWriting(broker, disk);
    for (const load of loads) load.stopping = true;
    await goesOn();
    assert.equal((await broker.metrics())("broker_alarms", "disk_full"), 1);
    assert.equal((await fetch(`http://127.0.0.1:${broker.ports.admin}/readyz`)).status, 503);
    assert.equal((await fetch(`http://127.0.0.1:${broker.ports.admin}/healthz`)).status, 200);
    await assert.rejects(MqttClient.connect(tcp(broker), 4, { id: "kept", kept: 60 }), /Server unavailable/);
    await (await MqttClient.connect(tcp(broker), 5)).leave(); // is not kept
    await rm(filler(disk));
    for (const load of loads) await load.stop(); // every answer that is owed comes
    await until(async () => (await alarms(broker)).length === 0, "the end of the alarm");
    const after = await MqttLoad.start(tcp(broker), 5, "after", { most: 200, body });
    await after.acknowledges(200);
    await broker.kill();
    await broker.run();
    await (await checkReceived(tcp(broker), [...loads, after])).away.leave();
  }));

test("killed while there is no room: the next start says so, and with room everything is there", () =>
  onSmallDisk(careless, async (broker, disk) => {
    await leaveReceiver(tcp(broker));
    const load = await MqttLoad.start(tcp(broker), 5, "killed", { body });
    await load.acknowledges(200);
    await failWriting(broker, disk);
    await broker.kill();
    await until(() => load.ended, "the end of the load");
    await fill(disk, 0);
    const [mqtt] = await freePorts(1);
    await refused(["--data-dir", broker.data, "--listen", `mqtt://127.0.0.1:${mqtt}`, "--admin-socket", `${broker.socket}2`, "--admin-http", "off"],
                  71, [new RegExp(broker.data), /No space left/, /make room/]);
    await rm(filler(disk));
    await broker.run();
    await (await checkReceived(tcp(broker), [load])).away.leave();
  }));
