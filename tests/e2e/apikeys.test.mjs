// API keys and users that the store keeps, against the running server: made, used in both protocols, taken away, over restarts.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { pbkdf2Sync, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, writeFile, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import WebSocket from "ws";
import { Broker, brokerctl, brokerd, command } from "./support/broker.mjs";
import { MqttClient, until } from "./support/mqtt_client.mjs";

const moment_ms = 1000 * Number(process.env.SLOWNESS ?? 1);

let broker;
let files;
before(async () => {
  files = await mkdtemp(path.join(os.tmpdir(), "brokerd-keys-"));
  await writeFile(path.join(files, "brokerd.toml"), `
[auth]
store = true
jwt.on_expiry.grace = "0s"
[[role]]
name = "reader"
rules = ["allow subscribe news/#"]
users = ["apikey:reader", "anna"]
`);
  broker = await Broker.start({ flags: ["--config", path.join(files, "brokerd.toml")] });
});
after(async () => {
  await broker?.dispose();
  await rm(files, { recursive: true, force: true });
});

const secrets = [];
async function create(name, ...more) {
  const { code, stdout, stderr } = await broker.ctl("apikey", "create", name, ...more);
  assert.equal(code, 0, stderr);
  secrets.push(stdout.trim().slice(-43));
  return stdout.trim();
}

// Whether a STOMP client with this comes in.
async function stomp({ query = "", headers = {}, subprotocols = [], login, passcode }) {
  const socket = new WebSocket(`${broker.wsUrl}${query}`, ["v12.stomp", ...subprotocols], { headers });
  try {
    await once(socket, "open");
    socket.send(`CONNECT\naccept-version:1.2\nhost:h\n${login === undefined ? "" : `login:${login}\n`}` +
      `${passcode === undefined ? "" : `passcode:${passcode}\n`}\n\0`);
    const [answer] = await once(socket, "message");
    return answer.toString().startsWith("CONNECTED\n");
  } finally {
    socket.terminate();
  }
}

test("a key comes in by every source, and may what its scopes and its roles say", async () => {
  await assert.rejects(MqttClient.connect(broker.wsUrl, 5));
  const key = await create("reader", "--scope", "publish:out/#");
  assert.match(key, /^bk_reader_[A-Za-z0-9_-]{43}$/);
  for (const by of [{ headers: { authorization: `Bearer ${key}` } }, { query: `?access_token=${key}` }, { subprotocols: [`bearer.${key}`] },
                    { headers: { authorization: `Basic ${Buffer.from(`apikey:${key}`).toString("base64")}` } },
                    { login: "reader", passcode: key }, { login: "apikey", passcode: key }, { passcode: key }]) {
    assert.equal(await stomp(by), true, Object.keys(by)[0]);
  }
  assert.equal(await stomp({ login: "anna", passcode: key }), false);
  assert.equal(await stomp({ login: "reader", passcode: `${key.slice(0, -1)}${key.endsWith("A") ? "B" : "A"}` }), false);

  const client = await MqttClient.connect(broker.wsUrl, 5, { username: "reader", password: key });
  const may = async (...args) => (await broker.ctl("acl", "test", "--user", "apikey:reader", ...args)).code;
  assert.deepEqual([await may("news/today"), await may("--action", "publish", "out/a"), await may("--action", "publish", "news/today"), await may("#")], [0, 0, 2, 2]);
  assert.deepEqual(await client.subscribe("news/today", 1), [1]);
  await client.publish("out/a", "x", 1);
  await assert.rejects(client.publish("news/today", "x", 1));
  await assert.rejects(client.subscribe("out/a", 1));
  await client.cut();
});

test("what cannot be a key is said, and lists have no secrets", async () => {
  for (const [args, pattern] of [[["a b"], /letters, digits/], [["reader"], /already/], [["x", "--scope", "fly:a"], /its actions are some of/]]) {
    const { code, stderr } = await broker.ctl("apikey", "create", ...args);
    assert.equal(code, 1);
    assert.match(stderr, pattern);
  }
  assert.equal((await broker.ctl("apikey", "create", "x", "--ttl", "5")).code, 64);
  const listed = JSON.parse((await broker.ctl("apikey", "list", "-o", "json")).stdout);
  assert.deepEqual(listed.map(({ name, scopes, expires_at, expired }) => ({ name, scopes, expires_at, expired })),
                   [{ name: "reader", scopes: ["publish:out/#"], expires_at: null, expired: false }]);
  assert.equal((await broker.ctl("apikey", "delete", "nobody")).code, 1);
});

test("a deleted key ends who came with it; a kept one is good after a kill", async () => {
  const goes = await create("goes", "--scope", "publish:a");
  const stays = await create("stays", "--scope", "publish:a");
  const gil = await MqttClient.connect(broker.wsUrl, 5, { id: "gil", username: "goes", password: goes });
  const sam = await MqttClient.connect(broker.wsUrl, 5, { id: "sam", username: "stays", password: stays });
  const began = Date.now();
  assert.equal((await broker.ctl("apikey", "delete", "goes")).code, 0);
  await gil.closed();
  assert.ok(Date.now() - began < moment_ms);
  assert.equal(gil.goodbye, 0x87);
  assert.equal(sam.ended, false);
  await sam.cut();
  await broker.kill();
  await broker.run();
  assert.equal(await stomp({ passcode: goes }), false);
  assert.equal(await stomp({ passcode: stays }), true);
  assert.equal((await broker.ctl("store", "verify")).code, 0);
});

test("a connection ends with its key", async () => {
  const key = await create("short", "--ttl", "2s");
  const client = await MqttClient.connect(broker.wsUrl, 5, { username: "short", password: key });
  await client.closed();
  assert.equal(client.goodbye, 0x87);
  await assert.rejects(MqttClient.connect(broker.wsUrl, 5, { username: "short", password: key }));
  assert.equal(JSON.parse((await broker.ctl("apikey", "list", "-o", "json")).stdout).find(({ name }) => name === "short").expired, true);
});

// brokerctl user ..., with a password on standard input.
const user = (args, password) => command(brokerctl, ["--socket", broker.socket, "user", ...args], { input: password === undefined ? "" : `${password}\n` });

test("users of the store: the first one, changed and taken away while they are connected, over a kill", async () => {
  assert.equal((await user(["add", "anna"], "pw-one")).code, 0);
  assert.match((await user(["add", "anna"], "x")).stderr, /already/);
  assert.match((await user(["add", "a:b"], "x")).stderr, /cannot be a user's name/);
  assert.equal((await user(["add", "anna"])).code, 1); // no password
  assert.equal((await user(["set-password", "nobody"], "x")).code, 1);
  const connect = (password, name = "anna") => MqttClient.connect(broker.wsUrl, 5, { id: `of ${name}`, username: name, password });
  let anna = await connect("pw-one");
  assert.deepEqual(await anna.subscribe("news/#", 1), [1]);
  await assert.rejects(anna.publish("a", "x", 1));

  for (const [args, password] of [[["set-password", "anna"], "pw-two"], [["disable", "anna"]], [["delete", "anna"]]]) {
    const began = Date.now();
    assert.equal((await user(args, password)).code, 0);
    await anna.closed();
    assert.ok(Date.now() - began < moment_ms);
    assert.equal(anna.goodbye, 0x87);
    if (args[0] === "set-password") await assert.rejects(connect("pw-one"));
    if (args[0] === "disable") {
      await assert.rejects(connect("pw-two"));
      await broker.kill();
      await broker.run();
      await assert.rejects(connect("pw-two"));
      assert.equal((await user(["enable", "anna"])).code, 0);
    }
    if (args[0] !== "delete") anna = await connect("pw-two");
  }
  await assert.rejects(connect("pw-two"));
  assert.equal((await user(["delete", "anna"])).code, 1);
});

test("users of a password file are imported with their passwords", async () => {
  const file = path.join(files, "mosquitto");
  const salt = randomBytes(12);
  const hash = pbkdf2Sync("bob's", salt, 101, 64, "sha512");
  await writeFile(file, `# users\nbob:$7$101$${salt.toString("base64")}$${hash.toString("base64")}\n`);
  for (let i = 0; i < 2; i += 1) assert.match((await user(["import", "--file", file])).stdout, /1 users imported/);
  const bob = await MqttClient.connect(broker.wsUrl, 5, { username: "bob", password: "bob's" });
  await bob.cut();
  assert.deepEqual(JSON.parse((await broker.ctl("-o", "json", "user", "list")).stdout).map(({ user: name, source, hash: kind }) => [name, source, kind]),
                   [["bob", "store", "mosquitto"]]);
  assert.match((await broker.ctl("user", "show", "bob")).stdout, /source +store/);
  await writeFile(file, "carl:plain\n");
  assert.match((await user(["import", "--file", file])).stderr, /mosquitto:1: the hash of 'carl'/);
});

test("the HTTP API answers to keys, each as far as it may, for as long as it is good", async () => {
  const base = `http://127.0.0.1:${broker.ports.admin}`;
  const ask = (where, key, options = {}) => fetch(`${base}${where}`, { ...options, headers: key ? { authorization: `Bearer ${key}` } : {} });
  const boss = await create("boss", "--scope", "manage");
  const app = await create("app", "--scope", "publish:out/#", "--scope", "subscribe:out/#");
  const publish = (key, destination) => ask("/api/v1/publish", key, { method: "POST", body: JSON.stringify({ destination, payload: "hi" }) });

  const refused = await ask("/api/v1/status");
  assert.equal(refused.status, 401);
  assert.match(refused.headers.get("www-authenticate"), /^Bearer/);
  assert.equal(refused.headers.get("x-content-type-options"), "nosniff");
  assert.equal((await ask("/api/v1/status", `${app}x`)).status, 401);
  assert.equal((await ask("/api/v1/status", app)).status, 403);
  assert.equal((await ask("/api/v1/status", boss)).status, 200);
  assert.equal((await ask("/metrics")).status, 200);
  assert.equal((await publish(app, "news/today")).status, 403);
  assert.equal((await ask("/api/v1/stream?topic=news/%23", app)).status, 403);

  const stream = await ask("/api/v1/stream?topic=out/%23", app);
  assert.equal(stream.status, 200);
  const reader = stream.body.pipeThrough(new TextDecoderStream()).getReader();
  assert.equal((await publish(app, "out/a")).status, 200);
  let text = "";
  while (!text.includes("data: ")) text += (await reader.read()).value;
  assert.match(text, /"topic":"out\/a".*"payload":"hi"/);

  const made = await ask("/api/v1/apikeys", boss, { method: "POST", body: JSON.stringify({ name: "made", scopes: ["manage:clients/#"] }) });
  assert.equal(made.status, 201);
  const { key } = await made.json();
  secrets.push(key.slice(-43));
  assert.equal((await ask("/api/v1/clients", key)).status, 200);
  assert.equal((await ask("/api/v1/sessions", key)).status, 403);

  const refresh = (id, by, token) => ask(`/api/v1/clients/${id}/token`, by, { method: "POST", body: JSON.stringify({ token }) });
  const helper = await create("helper", "--scope", "manage:clients/+/token");
  const client = await MqttClient.connect(broker.wsUrl, 5, { id: "one", username: "app", password: app });
  assert.equal((await refresh("one", app, app)).status, 403);
  assert.deepEqual(await (await refresh("one", helper, app)).json(), { id: "one", user: "apikey:app", expires_at: null });
  assert.equal((await refresh("two", helper, app)).status, 404);
  assert.equal((await ask("/api/v1/clients", helper)).status, 403);
  const other = await refresh("one", helper, helper); // another user's
  assert.equal(other.status, 403);
  assert.equal((await other.json()).code, "forbidden");
  await client.closed();
  assert.equal(client.goodbye, 0x87);

  const began = Date.now();
  assert.equal((await ask("/api/v1/apikeys/app", boss, { method: "DELETE" })).status, 200);
  while (!(await reader.read()).done);
  assert.ok(Date.now() - began < moment_ms);
  assert.equal((await publish(app, "out/a")).status, 401);
});

test("brokerctl over HTTP, with a key in a file", async () => {
  const file = path.join(files, "key");
  await writeFile(file, `${await create("remote", "--scope", "manage")}\n`, { mode: 0o600 });
  const url = `http://127.0.0.1:${broker.ports.admin}`;
  const remote = (...args) => command(brokerctl, ["--url", url, "--token", file, ...args]);
  assert.match((await remote("status")).stdout, /node +brokerd/);
  assert.equal((await remote("pub", "a", "-m", "x")).code, 0);
  assert.equal((await remote("apikey", "delete", "remote")).code, 0);
  assert.equal((await remote("status")).code, 4);
  assert.equal((await remote("sub", "a", "--for", "1")).code, 4);
  assert.match((await command(brokerctl, ["--url", url, "status"])).stderr, /--token FILE/);
  assert.match((await command(brokerctl, ["--url", "ftp://x", "--token", file, "status"])).stderr, /write http:/);
});

test("admin.http over TLS: brokerctl trusts its certificate, which is read anew", async () => {
  const dir = await mkdtemp(path.join(os.tmpdir(), "brokerd-admin-tls-"));
  const at = (name) => path.join(dir, name);
  const makeCertificate = () => command("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                                                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", at("key.pem"), "-out", at("cert.pem")]);
  await makeCertificate();
  await writeFile(at("brokerd.toml"), `[auth]\nstore = true\n[admin]\ntls_cert = "${at("cert.pem")}"\ntls_key = "${at("key.pem")}"\n`);
  const secure = await Broker.start({ flags: ["--config", at("brokerd.toml")] });
  try {
    const { stdout } = await secure.ctl("apikey", "create", "boss", "--scope", "manage");
    await writeFile(at("key"), stdout, { mode: 0o600 });
    const remote = (...args) => command(brokerctl, ["--url", `https://127.0.0.1:${secure.ports.admin}`, "--token", at("key"), ...args]);
    assert.equal((await remote("--ca", at("cert.pem"), "status")).code, 0);
    const untrusted = await remote("status");
    assert.equal(untrusted.code, 3);
    assert.match(untrusted.stderr, /certificate.*--ca FILE/);
    await makeCertificate();
    secure.process.kill("SIGHUP");
    await until(() => secure.log.includes("TLS is read again"), "the new certificate");
    assert.equal((await remote("--ca", at("cert.pem"), "status")).code, 0);
  } finally {
    await secure.dispose();
    await rm(dir, { recursive: true, force: true });
  }
  const { code, stderr } = await (async () => {
    const file = path.join(files, "half.toml");
    await writeFile(file, '[admin]\ntls_cert = "/x"\n');
    return command(brokerd, ["--config", file, "--check"]);
  })();
  assert.notEqual(code, 0);
  assert.match(stderr, /admin.tls_cert and admin.tls_key belong together/);
});

test("a broker without authentication says how to get some", async () => {
  const open = await Broker.start();
  for (const args of [["apikey", "create", "x"], ["user", "list"], ["token", "revoked", "list"], ["client", "refresh", "x", "--token-file", new URL(import.meta.url).pathname]]) {
    const { code, stderr } = await open.ctl(...args);
    assert.equal(code, 1);
    assert.match(stderr, /auth\.store = true/);
  }
  await open.dispose();
});

test("no secret is in the log", () => {
  assert.ok(secrets.length > 0);
  for (const secret of [...secrets, "pw-two", "bob's"]) assert.ok(!broker.log.includes(secret));
});
