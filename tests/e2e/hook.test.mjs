// A web server that says who comes in: what it is asked, what its answers mean, and what happens when it does not answer.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { pbkdf2Sync, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { Broker, refused } from "./support/broker.mjs";
import { Peer, SigningKey } from "./support/issuer.mjs";
import { MqttClient, until } from "./support/mqtt_client.mjs";

let files;
let key;
const ours = new SigningKey("ours");
before(async () => {
  files = await mkdtemp(path.join(os.tmpdir(), "brokerd-hook-"));
  key = path.join(files, "keys");
  await writeFile(key, JSON.stringify({ keys: [ours.jwk] }));
  await writeFile(path.join(files, "secret"), "between us\n", { mode: 0o600 });
  const salt = randomBytes(12);
  const hash = pbkdf2Sync("filed", salt, 101, 64, "sha512").toString("base64");
  await writeFile(path.join(files, "passwords"), `filed:$7$101$${salt.toString("base64")}$${hash}\n`, { mode: 0o600 });
});
after(async () => rm(files, { recursive: true, force: true }));

let made = 0;
async function start(server, more = "") {
  const file = path.join(files, `${++made}.toml`);
  await writeFile(file, `[auth]\njwt.jwks_file = "${key}"\nhttp.url = "${server.url("/auth")}"\n${more}\n[[role]]\nname = "driver"\nrules = ["allow publish cars/%u"]\n`);
  return Broker.start({ flags: ["--config", file] });
}
const json = (answer) => ({ headers: { "content-type": "application/json" }, body: JSON.stringify(answer) });
const login = (user, password, id = `c${Math.random()}`) => ({ id, username: user, password });
const verdict = async (broker, who, version = 5) => {
  try {
    const client = await MqttClient.connect(broker.wsUrl, version, who);
    await client.cut();
    return "let in";
  } catch (error) {
    return /Quota exceeded|Server unavailable/.test(error.message) ? "come again" : "refused";
  }
};
const stomp = async (broker, user, password) => {
  const { default: WebSocket } = await import("ws");
  const { once } = await import("node:events");
  const socket = new WebSocket(broker.wsUrl, ["v12.stomp"]);
  await once(socket, "open");
  socket.send(`CONNECT\naccept-version:1.2\nhost:h\nlogin:${user}\npasscode:${password}\n\n\0`);
  const [answer] = await once(socket, "message");
  socket.terminate();
  return answer.toString().split("\n")[0];
};
const counted = async (broker, result) => (await broker.metrics())("broker_hook_requests_total", "auth", result);

test("allow, deny, roles, rules, another name: what the hook says is what the client is and may", async () => {
  const server = await Peer.start(({ body }) => {
    const { user, password } = JSON.parse(body);
    if (password !== `${user}'s`) return json({ result: "deny" });
    return json({ result: "allow", user: user === "alias" ? "anna" : user, roles: ["driver"], acl: { sub: ["in/${clientid}"] } });
  });
  const broker = await start(server, `http.secret = "file:${files}/secret"\nhttp.headers = ["X-Tenant: one"]`);
  try {
    const anna = await MqttClient.connect(broker.wsUrl, 5, login("alias", "alias's", "phone"));
    await anna.publish("cars/anna", "x", 1);
    await assert.rejects(anna.publish("cars/alias", "x", 1));
    assert.deepEqual(await anna.subscribe("in/phone", 1), [1]);
    await assert.rejects(anna.subscribe("in/other", 1));
    await anna.cut();
    const [asked] = server.requests;
    assert.deepEqual(JSON.parse(asked.body), { client_id: "phone", user: "alias", password: "alias's", protocol: "mqtt", address: "127.0.0.1", listener: "ws" });
    assert.deepEqual([asked.method, asked.url, asked.headers.authorization, asked.headers["x-tenant"], asked.headers["content-type"]],
                     ["POST", "/auth", "Bearer between us", "one", "application/json"]);
    for (const version of [3, 4, 5]) assert.equal(await verdict(broker, login("anna", "wrong"), version), "refused");
    assert.equal(await stomp(broker, "anna", "anna's"), "CONNECTED");
    assert.equal(await stomp(broker, "anna", "wrong"), "ERROR");
    assert.equal(JSON.parse(server.requests.at(-1).body).protocol, "stomp");
    // Tokens are not its business, and neither is who brings nothing.
    const before = server.requests.length;
    assert.equal(await verdict(broker, login("token", ours.token())), "let in");
    assert.equal(await verdict(broker, {}), "refused");
    assert.equal(server.requests.length, before);
    for (const secret of ["alias's", "between us"]) assert.ok(!broker.log.includes(secret));
  } finally {
    await broker.dispose();
    await server.stop();
  }
});

test("a connection ends when the hook said it would", async () => {
  const server = await Peer.start(() => json({ result: "allow", expires_at: Math.floor(Date.now() / 1000) + 2 }));
  const broker = await start(server, 'jwt.on_expiry.grace = "0s"');
  try {
    const client = await MqttClient.connect(broker.wsUrl, 5, login("anna", "x"));
    await client.closed();
    assert.equal(client.goodbye, 0x87);
  } finally {
    await broker.dispose();
    await server.stop();
  }
});

test("the order decides: a hook that ignores leaves it to the methods behind it", async () => {
  const server = await Peer.start(({ body }) => json({ result: JSON.parse(body).user === "filed" ? "ignore" : "allow" }));
  const broker = await start(server, `order = ["jwt", "http", "users"]\npassword_file = "${files}/passwords"`);
  try {
    assert.equal(await verdict(broker, login("filed", "filed")), "let in");
    assert.equal(await verdict(broker, login("filed", "x")), "refused");
    assert.equal(await verdict(broker, login("other", "x")), "let in");
  } finally {
    await broker.dispose();
    await server.stop();
  }
});

test("whatever is no answer lets nobody in", async () => {
  let answer;
  const server = await Peer.start(() => answer);
  const broker = await start(server, 'http.timeout = "300ms"');
  try {
    let failures = 0;
    for (answer of [{ status: 500 }, { status: 204 }, { status: 302, headers: { location: "/allow" } }, { body: "allow" }, { body: "{}" }, json({ result: "ALLOW" }),
                    json({ result: "allow", acl: 7 }), { body: JSON.stringify({ result: "allow", x: "y".repeat(1_000_000) }) }]) {
      assert.equal(await verdict(broker, login("anna", "x")), "come again", JSON.stringify(answer).slice(0, 80));
      assert.equal(await counted(broker, "failed"), ++failures);
    }
    assert.equal(broker.said(/auth\.http\.url: .*clients that need it are not let in/).length, 1); // said once
    answer = undefined;
    const began = Date.now();
    assert.equal(await verdict(broker, login("anna", "x")), "come again");
    assert.ok(Date.now() - began < 2000 * Number(process.env.SLOWNESS ?? 1));
    assert.equal(await counted(broker, "timeout"), 1);
    answer = json({ result: "allow" });
    assert.equal(await verdict(broker, login("anna", "x")), "let in");
    assert.equal(broker.said(/answers again/).length, 1);
    await server.stop();
    assert.equal(await verdict(broker, login("bert", "x")), "come again");
    assert.match(broker.log, /Connection refused/);
    assert.equal(await verdict(broker, login("token", ours.token())), "let in");
  } finally {
    await broker.dispose();
    await server.stop().catch(() => {});
  }
});

test("the same client with the same credentials is not asked for again for a moment; a reload forgets", async () => {
  const server = await Peer.start(({ body }) => json({ result: JSON.parse(body).password === "right" ? "allow" : "deny" }));
  const broker = await start(server);
  try {
    for (let i = 0; i < 3; ++i) {
      assert.equal(await verdict(broker, login("anna", "right", "phone")), "let in");
      assert.equal(await verdict(broker, login("anna", "wrong", "phone")), "refused");
    }
    assert.equal(server.requests.length, 2);
    assert.equal(await counted(broker, "remembered"), 4);
    assert.equal(await verdict(broker, login("anna", "right", "tablet")), "let in");
    assert.equal(server.requests.length, 3);
    server.answer = () => json({ result: "deny" });
    broker.process.kill("SIGHUP");
    await until(() => broker.log.includes("read anew"), "the reload");
    assert.equal(await verdict(broker, login("anna", "right", "phone")), "refused");
  } finally {
    await broker.dispose();
    await server.stop();
  }
});

test("a hundred clients wait for a slow hook, and nobody else does", async () => {
  let go;
  const held = new Promise((resolve) => { go = resolve; });
  const server = await Peer.start(async () => { await held; return json({ result: "allow" }); });
  const broker = await start(server, 'http.timeout = "10s"');
  try {
    let there = 0;
    const waiting = Array.from({ length: 100 }, (_, i) => verdict(broker, login(`u${i}`, "x")).then((v) => { ++there; return v; }));
    await until(() => server.requests.length === 32, "as many as are asked for at the same time");
    const began = Date.now();
    for (let i = 0; i < 20; ++i) assert.equal(await verdict(broker, login("token", ours.token())), "let in");
    assert.ok(Date.now() - began < 3000 * Number(process.env.SLOWNESS ?? 1));
    assert.equal(there, 0);
    go();
    assert.deepEqual(new Set(await Promise.all(waiting)), new Set(["let in"]));
    assert.equal(await counted(broker, "allow"), 100);
    assert.equal((await broker.metrics())("broker_hook_seconds_count"), 100);
  } finally {
    await broker.dispose();
    await server.stop();
  }
});

test("more clients than may wait are told to come again", async () => {
  const server = await Peer.start(() => undefined);
  const broker = await start(server, 'http.timeout = "10s"');
  const field = (text) => Buffer.concat([Buffer.from([0, text.length]), Buffer.from(text)]);
  const sockets = [];
  try {
    let told = 0;
    for (let i = 0; i < 32 + 256 + 5; ++i) { // under way, waiting, too many
      const socket = net.connect(broker.ports.mqtt, "127.0.0.1");
      socket.on("error", () => {});
      socket.on("data", (bytes) => { if (bytes[0] === 0x20 && bytes[3] === 0x97) ++told; });
      const body = Buffer.concat([field("MQTT"), Buffer.from([5, 0xc2, 0, 60, 0]), field(`c${i}`), field("u"), field("p")]);
      socket.write(Buffer.concat([Buffer.from([0x10, body.length]), body]));
      sockets.push(socket);
      if (i === 31) await until(() => server.requests.length === 32, "as many as are asked for at the same time");
    }
    await until(() => told === 5, "those who are too many");
    assert.equal(await counted(broker, "busy"), 5);
    assert.equal(await verdict(broker, login("token", ours.token())), "let in");
  } finally {
    for (const socket of sockets) socket.destroy();
    await broker.dispose();
    await server.stop();
  }
});

test("what is wrong with the hook's keys is found before the start", async () => {
  const file = path.join(files, "wrong.toml");
  for (const [auth, said] of [['http.url = "http://elsewhere.example/"', /auth\.http\.url: .*auth\.plain_http = true/],
                              ['http.url = "https://h.example/"\nhttp.secret = "written out"', /auth\.http\.secret: .*file:\/PATH or env:NAME/],
                              ['jwt.jwks_url = "ftp://h.example/"', /auth\.jwt\.jwks_url: .*neither https:/]]) {
    await writeFile(file, `[auth]\n${auth}\n`);
    await refused(["--config", file, "--check"], 78, [said]);
    await refused(["--config", file, "--data-dir", path.join(files, "data")], 71, [said]);
  }
});
