// brokerctl bench against the running server: every verb, both protocols, WebSocket, TCP and TLS, and what goes wrong.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { pbkdf2Sync, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { once } from "node:events";
import os from "node:os";
import tls from "node:tls";
import path from "node:path";
import { Broker, brokerctl, command, freePorts } from "./support/broker.mjs";
import { until } from "./support/mqtt_client.mjs";

let files;
let broker;
let wss;
const file = (name) => path.join(files, name);

before(async () => {
  files = await mkdtemp(path.join(os.tmpdir(), "brokerd-bench-"));
  const made = await command("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", file("key"),
    "-out", file("cert"), "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
  assert.equal(made.code, 0, made.stderr);
  [wss] = await freePorts(1);
  broker = await Broker.start({ flags: ["--listen", `wss://127.0.0.1:${wss}`, "--tls-cert", file("cert"), "--tls-key", file("key")] });
});
after(async () => {
  await broker?.dispose();
  await rm(files, { recursive: true, force: true });
});

const bench = (...args) => command(brokerctl, ["-o", "json", "--timeout", "30s", "bench", ...args]); // sanitizers take their time
const url = (transport) => (transport === "ws" ? broker.wsUrl : `tcp://127.0.0.1:${broker.ports.tcp}`);
async function figures(...args) {
  const run = await bench(...args);
  assert.equal(run.code, 0, run.stdout + run.stderr);
  assert.equal(run.stderr, "", "no progress line where there is no terminal");
  return JSON.parse(run.stdout);
}

const runs = [
  ["conn", "--clients", "30", "--topic", "own/topic"],
  ["pub", "--clients", "3", "--qos", "1"],
  ["fanout", "--publishers", "2", "--subscribers", "20"],
  ["pairs", "--clients", "5", "--qos", "1", "--payload", "2KiB"],
  ["latency", "--rate", "200", "--qos", "1"],
];
for (const [verb, ...args] of runs) {
  for (const protocol of verb === "latency" ? ["mqtt", "mqtt311", "stomp"] : ["mqtt", "stomp"]) {
    for (const transport of ["ws", "tcp"]) {
      test(`${verb}, ${protocol}, ${transport}`, async () => {
        const d = await figures(verb, url(transport), "--protocol", protocol, "--duration", "300ms", ...args);
        assert.equal(d.verb, verb);
        assert.equal(d.protocol, protocol === "mqtt" ? "mqtt5" : protocol);
        assert.equal(d.connect.opened, d.connections);
        assert.equal(d.connect.failed + d.closed_by_broker, 0);
        assert.equal(d.connect.latency_us.count, d.connections);
        assert.equal(d.first_trouble, null);
        assert.ok(d.seconds >= 0.3 && !d.interrupted);
        if (verb === "conn") return;
        assert.ok(d.published > 0 && d.published_per_second > 0);
        assert.equal(d.lost + d.duplicates + d.out_of_order + d.foreign + d.refused + d.unacknowledged, 0, JSON.stringify(d));
        assert.equal(d.acknowledged, d.qos === 0 ? 0 : d.published);
        assert.equal(d.expected, d.published * { pub: 0, fanout: 20, pairs: 1, latency: 1 }[verb]);
        assert.equal(d.delivered, d.expected);
        for (const [count, of] of [[d.acknowledged, d.acknowledge_latency_us], [d.delivered, d.delivery_latency_us]]) {
          if (count === 0) {
            assert.equal(of, null);
            continue;
          }
          assert.equal(of.count, count);
          const points = [of.p50, of.p90, of.p99, of["p99.9"], of.max];
          assert.ok(points[0] > 0);
          assert.deepEqual(points, points.toSorted((a, b) => a - b));
        }
      });
    }
  }
}

test("QoS 2, several threads, a queue and a rate", async () => {
  const twice = await figures("fanout", url("ws"), "--qos", "2", "--publishers", "3", "--subscribers", "10", "--threads", "2", "--duration", "300ms");
  assert.equal(twice.delivered, 10 * twice.acknowledged);
  const queue = await figures("pairs", url("tcp"), "--protocol", "stomp", "--clients", "2", "--topic", "/queue/bench", "--duration", "300ms");
  assert.equal(queue.delivered, queue.published);
  const rate = await figures("pairs", url("ws"), "--clients", "7", "--rate", "500", "--duration", "1s");
  assert.ok(rate.published + rate.behind >= 500 && rate.window === null, JSON.stringify(rate));
});

test("over TLS: a certificate that is trusted, one that is not, and --insecure", async () => {
  const to = `wss://localhost:${wss}`;
  const trusted = await figures("fanout", to, "--ca", file("cert"), "--subscribers", "10", "--payload", "100KiB", "--duration", "300ms");
  assert.ok(trusted.delivered > 0);
  await figures("pub", to, "--insecure", "--duration", "100ms", "--protocol", "stomp");
  const strange = await bench("pub", to);
  assert.equal(strange.code, 3, strange.stderr);
  assert.match(strange.stderr, /certificate: .*--ca FILE/);
  assert.equal(strange.stdout, "");

  // Who asked for --insecure is not told about certificates when something else is wrong.
  const rude = tls.createServer({ key: await readFile(file("key")), cert: await readFile(file("cert")) }, (socket) => socket.destroy());
  rude.listen(0, "127.0.0.1");
  await once(rude, "listening");
  const cut = await bench("pub", `mqtts://127.0.0.1:${rude.address().port}`, "--insecure");
  rude.close();
  assert.equal(cut.code, 3, cut.stderr);
  assert.match(cut.stderr, /could not connect: (?!.*certificate)/);
});

test("what cannot be reached, and what cannot be meant", async () => {
  const [nobody] = await freePorts(1);
  for (const [status, pattern, ...args] of [
    [3, /could not connect: Connection refused/, "pub", `mqtt://127.0.0.1:${nobody}`],
    [3, /nowhere\.invalid/, "pub", "ws://nowhere.invalid"],
    [3, /ended the connection|reset/, "pub", `ws://127.0.0.1:${broker.ports.mqtt}`],
    [4, /WebSocket: 403/, "pub", `ws://127.0.0.1:${broker.ports.admin}`],
    [64, /write ws:\/\/HOST/, "pub", "127.0.0.1:1883"],
    [64, /URL/, "pub"],
    [64, /payload/, "pub", broker.wsUrl, "--payload", "1"],
    [64, /unit/, "pub", broker.wsUrl, "--duration", "5"],
    [64, /wildcard/, "pub", broker.wsUrl, "--topic", "a/#"],
    [64, /no such command/, "conn", broker.wsUrl, "--qos", "1"],
  ]) {
    const run = await bench(...args);
    assert.equal(run.code, status, run.stdout + run.stderr);
    assert.match(run.stderr, pattern);
    assert.equal(run.stdout, "");
  }
});

test("logins: by password and by token, and refused ones", async () => {
  const salt = randomBytes(12);
  const hash = pbkdf2Sync("anna's", salt, 101, 64, "sha512").toString("base64");
  await writeFile(file("users"), `anna:$7$101$${salt.toString("base64")}$${hash}\n`, { mode: 0o600 });
  await writeFile(file("acl"), "user anna\ntopic readwrite bench/#\n");
  const secret = "a secret of more than thirty-two bytes, for tests";
  await writeFile(file("secret"), secret, { mode: 0o600 });
  await writeFile(file("keys"), JSON.stringify({ keys: [{ kty: "oct", alg: "HS256", k: Buffer.from(secret).toString("base64url") }] }), { mode: 0o600 });
  await writeFile(file("auth.toml"), `[auth]\npassword_file = "${file("users")}"\nacl_file = "${file("acl")}"\njwt.jwks_file = "${file("keys")}"\n`);
  const strict = await Broker.start({ flags: ["--config", file("auth.toml")] });
  try {
    const minted = await command(brokerctl, ["token", "mint", "--key", file("secret"), "--sub", "anna", "--publish", "#", "--subscribe", "#"]);
    assert.equal(minted.code, 0, minted.stderr);
    const env = (more) => ({ env: { ...process.env, ...more } });
    const run = (more, ...args) => command(brokerctl, ["--timeout", "30s", "bench", ...args, "--duration", "100ms"], env(more));
    await writeFile(file("password"), "anna's\n", { mode: 0o600 });
    await writeFile(file("token"), minted.stdout, { mode: 0o600 });
    const tcp = `tcp://127.0.0.1:${strict.ports.tcp}`;
    for (const protocol of ["mqtt311", "stomp"]) {
      for (const to of [strict.wsUrl, tcp]) {
        const words = ["fanout", to, "--subscribers", "2", "--protocol", protocol];
        for (const [status, more, ...args] of [
          [0, {}, "--user", "anna", "--password-file", file("password")],
          [0, { BROKERCTL_BENCH_PASSWORD: "anna's" }, "--user", "anna"],
          [0, {}, "--token", file("token")],
          [0, { BROKERCTL_BENCH_TOKEN: minted.stdout.trim() }],
          [4, {}, "--user", "anna", "--password", "wrong"],
          [4, {}],
          [4, { BROKERCTL_BENCH_TOKEN: "wrong" }],
        ]) {
          const got = await run(more, ...words, ...args);
          assert.equal(got.code, status, `${words.join(" ")} ${args.join(" ")}: ${got.stdout}${got.stderr}`);
          if (status === 4) assert.match(got.stderr, /could not connect: \S/);
        }
      }
    }
    const elsewhere = await run({ BROKERCTL_BENCH_PASSWORD: "anna's" }, "pub", tcp, "--user", "anna", "--topic", "secret", "--qos", "1", "--rate", "100");
    assert.equal(elsewhere.code, 2, elsewhere.stdout + elsewhere.stderr);
    assert.match(elsewhere.stdout, /publication: not authorized \(0x87\)/);
  } finally {
    await strict.dispose();
  }
});

// Runs until something has been published; then `what` happens. Resolves with its status and its figures.
async function whileRunning(on, what) {
  const child = spawn(brokerctl, ["-o", "json", "--timeout", "30s", "bench", "pairs", on.wsUrl, "--clients", "4", "--qos", "1", "--duration", "10m"]);
  let stdout = "";
  child.stdout.on("data", (chunk) => { stdout += chunk; });
  const closed = once(child, "close");
  await until(async () => (await on.metrics())("broker_messages_sent_total") > 100, "messages");
  await what(child);
  const [code] = await closed;
  return { code, ...JSON.parse(stdout) };
}

test("SIGINT ends it with the figures so far", async () => {
  const own = await Broker.start();
  try {
    const d = await whileRunning(own, (child) => child.kill("SIGINT"));
    assert.equal(d.code, 0, JSON.stringify(d));
    assert.ok(d.interrupted && d.seconds < 300 && d.delivered === d.published && d.published > 0, JSON.stringify(d));
  } finally {
    await own.dispose();
  }
});

test("a broker that dies: exit status 2, and what is missing is counted", async () => {
  const own = await Broker.start();
  try {
    const d = await whileRunning(own, () => own.kill());
    assert.equal(d.code, 2);
    assert.equal(d.closed_by_broker, 8);
    assert.equal(d.lost, d.published - d.delivered);
    assert.ok(!d.interrupted && d.seconds < 300 && d.delivered > 0, JSON.stringify(d));
    assert.match(d.first_trouble, /ended the connection|reset/);
  } finally {
    await own.dispose();
  }
});
