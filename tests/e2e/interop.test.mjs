// The clients people have: mosquitto_pub/sub, paho-mqtt, stomp.py, libmosquitto, mqtt.js and brokerctl.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { fileURLToPath } from "node:url";
import { Broker, command, python } from "./support/broker.mjs";

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
let broker;

before(async () => { broker = await Broker.start(); });
after(async () => { await broker?.dispose(); });

// Starts a subscriber and resolves once it is subscribed, which its debug output says.
async function mosquittoSub(...args) {
  const child = spawn("stdbuf", ["-oL", "mosquitto_sub", "-p", String(broker.ports.mqtt), "-d", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const exited = once(child, "close"); // not "exit": output may still be on its way then
  let out = "";
  const subscribed = new Promise((resolve) => {
    const look = (chunk) => { out += chunk; if (out.includes("SUBACK")) resolve(); };
    child.stdout.on("data", look);
    child.stderr.on("data", look);
  });
  await subscribed;
  return { child, async output() { await exited; return out; } };
}

for (const version of ["mqttv31", "mqttv311", "mqttv5"]) {
  for (const qos of ["0", "1", "2"]) {
    test(`mosquitto_pub to mosquitto_sub: ${version}, QoS ${qos}`, async () => {
      const topic = `interop/${version}/${qos}`;
      const sub = await mosquittoSub("-V", version, "-q", qos, "-t", topic, "-C", "1", "-W", "10");
      const pub = await command("mosquitto_pub", ["-p", String(broker.ports.mqtt), "-V", version, "-q", qos, "-t", topic, "-m", "hello"]);
      assert.equal(pub.code, 0, pub.stderr);
      assert.match(await sub.output(), /^hello$/m);
    });
  }
}

test("mosquitto: retained, will, large payload, the tcp listener", async () => {
  const port = ["-p", String(broker.ports.tcp)];
  assert.equal((await command("mosquitto_pub", [...port, "-r", "-q", "1", "-t", "kept/one", "-m", "still here"])).code, 0);
  const kept = await command("mosquitto_sub", [...port, "-t", "kept/#", "-C", "1", "-W", "10"]);
  assert.equal(kept.stdout.trim(), "still here");
  const large = "x".repeat(300_000);
  const sub = await mosquittoSub("-t", "large", "-C", "1", "-W", "10");
  assert.equal((await command("mosquitto_pub", [...port, "-s", "-t", "large", "-q", "1"], { input: large })).code, 0);
  assert.ok((await sub.output()).includes(large));
});

test("paho-mqtt and stomp.py exchange messages", async () => {
  const run = await command(python, [here("interop_clients.py"), String(broker.ports.mqtt), String(broker.ports.stomp)]);
  assert.equal(run.code, 0, run.stdout + run.stderr);
});

test("paho-mqtt: its scenarios in 3.1, 3.1.1 and 5, over TCP and WebSocket", async () => {
  const run = await command(python, [here("paho_scenarios.py"), String(broker.ports.mqtt), String(broker.ports.ws)]);
  assert.equal(run.code, 0, run.stdout + run.stderr);
});

test("libmosquitto: its scenarios in 3.1, 3.1.1 and 5", async () => {
  const run = await command(process.env.LIBMOSQUITTO_CLIENT ?? here("../../build/release/tests/libmosquitto_client"), [String(broker.ports.mqtt)]);
  assert.equal(run.code, 0, run.stdout + run.stderr);
});

test("brokerctl: status, pub, sub, lists, kick, and a useful error without a broker", async () => {
  const status = await broker.ctl("status", "-o", "json");
  assert.equal(status.code, 0, status.stderr);
  JSON.parse(status.stdout);
  const sub = await mosquittoSub("-i", "victim", "-t", "from/ctl", "-q", "1", "-C", "1", "-W", "10");
  const clients = JSON.parse((await broker.ctl("client", "list", "-o", "json")).stdout);
  assert.ok(JSON.stringify(clients).includes("victim"));
  assert.equal((await broker.ctl("pub", "/topic/from/ctl", "-m", "by hand", "--qos", "1")).code, 0);
  assert.match(await sub.output(), /by hand/);
  assert.equal((await broker.ctl("pub", "kept/two", "-m", "r", "--retain")).code, 0);
  assert.match((await broker.ctl("retained", "get", "kept/two")).stdout, /r/);
  assert.equal((await broker.ctl("retained", "delete", "kept/two", "--yes")).code, 0);
  assert.equal((await broker.ctl("retained", "get", "kept/two")).code, 1);
  assert.equal((await broker.ctl("client", "kick", "nobody")).code, 1);
  assert.equal((await broker.ctl("pub", "/queue/jobs", "-m", "job")).code, 0);
  assert.match((await broker.ctl("queue", "list")).stdout, /jobs/);
  const lost = await command((await import("./support/broker.mjs")).brokerctl, ["--socket", "/nonexistent/admin.sock", "status"]);
  assert.equal(lost.code, 3);
  assert.match(lost.stderr, /nonexistent/);
});

test("brokerctl session: a durable MQTT session and a durable STOMP subscription", async () => {
  const kept = ["-i", "phone", "-V", "mqttv5", "-c", "-x", "3600", "-q", "1", "-t", "a/+", "-E"];
  assert.equal((await command("mosquitto_sub", ["-p", String(broker.ports.mqtt), ...kept])).code, 0);
  const socket = net.connect(broker.ports.stomp, "127.0.0.1");
  socket.write("CONNECT\naccept-version:1.2\nhost:h\nclient-id:shop\n\n\0" +
               "SUBSCRIBE\nid:1\ndestination:/topic/news/>\ndurable-subscription-name:news\nack:client\nreceipt:r\n\n\0");
  let answer = "";
  while (!answer.includes("RECEIPT")) answer += (await once(socket, "data"))[0];
  socket.end("DISCONNECT\n\n\0");
  await once(socket, "close");
  for (const topic of ["a/1", "news/2"]) assert.equal((await broker.ctl("pub", topic, "-m", "x")).code, 0);
  const listed = JSON.parse((await broker.ctl("session", "list", "-o", "json")).stdout);
  for (const [id, filter] of [["phone", "a/+"], ["shop/news", "news/#"]]) {
    assert.ok(listed.some((s) => s.id === id && s.durable && s.queued === 1), JSON.stringify(listed));
    const shown = JSON.parse((await broker.ctl("session", "show", id, "-o", "json")).stdout);
    assert.equal(shown.state, "offline");
    assert.deepEqual(shown.subscriptions.map((s) => [s.filter, s.qos]), [[filter, 1]]);
    assert.match((await broker.ctl("session", "show", id)).stdout, /FILTER/);
  }
  assert.equal((await broker.ctl("session", "show", "nobody")).code, 1);
});

test("brokerctl queue: declare, peek, move, purge, delete", async () => {
  const ctl = async (...args) => {
    const run = await broker.ctl("queue", ...args, "-o", "json");
    assert.equal(run.code, 0, run.stderr);
    return JSON.parse(run.stdout);
  };
  const declared = await ctl("declare", "work", "--messages", "100", "--policy", "drop-oldest", "--ttl", "1h", "--bytes", "1MB");
  assert.equal(declared.messages_max, 100);
  assert.equal(declared.bytes_max, 1048576);
  assert.equal(declared.ttl_s, 3600);
  for (const n of [1, 2, 3]) await broker.ctl("pub", "/queue/work", "-m", `job ${n}`, "--header", `priority=${n}`);
  assert.deepEqual((await ctl("peek", "/queue/work")).map((m) => m.payload), ["job 3", "job 2", "job 1"]);
  assert.deepEqual(await ctl("move", "work", "aside", "--limit", "1"), { moved: 1 });
  assert.deepEqual((await ctl("peek", "aside")).map((m) => m.payload), ["job 3"]);
  assert.equal((await ctl("show", "work")).messages, 2);
  assert.deepEqual(await ctl("purge", "work", "--yes"), { purged: 2 });
  const consumer = await mosquittoSub("-t", "$queue/work", "-q", "1", "-C", "1", "-W", "10");
  const refused = await broker.ctl("queue", "delete", "work", "--yes");
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /consumer/);
  await ctl("delete", "work", "--yes", "--force");
  await broker.ctl("pub", "/queue/work", "-m", "after");
  assert.match(await consumer.output(), /after/);
  assert.equal((await broker.ctl("queue", "show", "nothing")).code, 1);
});

test("metrics and health", async () => {
  const get = (path) => fetch(`http://127.0.0.1:${broker.ports.admin}${path}`);
  assert.equal((await get("/healthz")).status, 200);
  assert.equal((await get("/readyz")).status, 200);
  const metrics = await (await get("/metrics")).text();
  for (const series of ["broker_connections", "broker_messages_received_total", "broker_messages_dropped_total",
                        "broker_store_commit_seconds_count", "process_resident_memory_bytes"]) {
    assert.ok(metrics.includes(series), series);
  }
  const received = /broker_messages_received_total\{[^}]*protocol="mqtt"[^}]*\} (\d+)/.exec(metrics);
  assert.ok(received && Number(received[1]) > 0);
});
