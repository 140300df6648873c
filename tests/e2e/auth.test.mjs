// Who comes in and what he may, against the running server: every kind of token through every source in both protocols; passwords,
// rights, reload, the end of a token.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, pbkdf2Sync, randomBytes, sign } from "node:crypto";
import { mkdtemp, readFile, writeFile, rm } from "node:fs/promises";
import { once } from "node:events";
import os from "node:os";
import path from "node:path";
import WebSocket from "ws";
import { Broker, brokerctl, command, refused } from "./support/broker.mjs";
import { MqttClient, until } from "./support/mqtt_client.mjs";

const secret = "a secret of more than thirty-two bytes, for tests";
const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const pem = publicKey.export({ type: "spki", format: "pem" });

let broker;
let files;
const config = (more = "") => `
[auth]
password_file = "${files}/passwords"
acl_file = "${files}/acl"
jwt.jwks_file = "${files}/keys"
jwt.issuer = "https://issuer.example"
jwt.audience = ["brokerd", "other"]
jwt.on_expiry.grace = "0s"
jwt.leeway = "0s"
jwt.sources = ["header", "query:access_token", "subprotocol", "password", "cookie:__Host-token"]
[ws]
allowed_origins = ["same-origin", "https://*.app.example"]
[[role]]
name = "own"
rules = ["allow publish,subscribe,retain own/%u/#", "allow subscribe $SYS/clients/%c/#", "allow queue_read,queue_write $queue/%u"]
everybody = true
${more}`;

before(async () => {
  files = await mkdtemp(path.join(os.tmpdir(), "brokerd-auth-"));
  await writeFile(path.join(files, "keys"), JSON.stringify({ keys: [
    { kty: "oct", alg: "HS256", kid: "s", k: Buffer.from(secret).toString("base64url") },
    { ...publicKey.export({ format: "jwk" }), alg: "RS256", kid: "r" },
  ] }), { mode: 0o600 });
  // As mosquitto_passwd writes it.
  const hashed = (user, password) => {
    const salt = randomBytes(12);
    return `${user}:$7$101$${salt.toString("base64")}$${pbkdf2Sync(password, salt, 101, 64, "sha512").toString("base64")}\n`;
  };
  await writeFile(path.join(files, "passwords"), hashed("anna", "anna's") + hashed("bob", "bob's"), { mode: 0o600 });
  await writeFile(path.join(files, "acl"), "user anna\ntopic readwrite a/#\nuser bob\ntopic read a/+\ntopic write b/#\n");
  await writeFile(path.join(files, "brokerd.toml"), config());
  broker = await Broker.start({ flags: ["--config", path.join(files, "brokerd.toml")] });
});
after(async () => {
  await broker?.dispose();
  await rm(files, { recursive: true, force: true });
});

const encode = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const now = () => Math.floor(Date.now() / 1000);
const usual = () => ({ sub: "tom", iss: "https://issuer.example", aud: "brokerd", exp: now() + 300 });
function signed(head, body, { by = secret, hash = "sha256" } = {}) {
  const text = `${encode(head)}.${encode(body)}`;
  return `${text}.${createHmac(hash, by).update(text).digest("base64url")}`;
}
const hs256 = (claims, head = {}) => signed({ alg: "HS256", typ: "JWT", ...head }, { ...usual(), ...claims });
function rs256(claims, key = privateKey) {
  const text = `${encode({ alg: "RS256" })}.${encode({ ...usual(), ...claims })}`;
  return `${text}.${sign("sha256", Buffer.from(text), key).toString("base64url")}`;
}
const part = (token, i, change) => token.split(".").map((p, at) => (at === i ? change(p) : p)).join(".");

// name, token, whether it lets in
const tokens = () => [
  ["HS256", hs256({}), true],
  ["HS256 with kid", hs256({}, { kid: "s" }), true],
  ["RS256", rs256({}), true],
  ["audience in a list", hs256({ aud: ["x", "other"] }), true],
  ["already valid", hs256({ nbf: now() - 10 }), true],
  ["issued a while ago", hs256({ iat: now() - 1000 }), true],
  ["with an id", hs256({ jti: "1" }), true],
  ["exp with a fraction", hs256({ exp: now() + 100.5 }), true],
  ["expired", hs256({ exp: now() - 1 }), false],
  ["expires now", hs256({ exp: now() }), false],
  ["exp 0", hs256({ exp: 0 }), false],
  ["exp negative", hs256({ exp: -1 }), false],
  ["exp a text", hs256({ exp: `${now() + 100}` }), false],
  ["exp missing", hs256({ exp: undefined }), false],
  ["exp null", hs256({ exp: null }), false],
  ["not yet valid", hs256({ nbf: now() + 100 }), false],
  ["nbf a text", hs256({ nbf: "soon" }), false],
  ["wrong issuer", hs256({ iss: "https://other.example" }), false],
  ["issuer missing", hs256({ iss: undefined }), false],
  ["issuer with a slash more", hs256({ iss: "https://issuer.example/" }), false],
  ["wrong audience", hs256({ aud: "somebody" }), false],
  ["audience missing", hs256({ aud: undefined }), false],
  ["empty audience", hs256({ aud: [] }), false],
  ["audience a number", hs256({ aud: 5 }), false],
  ["no user", hs256({ sub: undefined }), false],
  ["empty user", hs256({ sub: "" }), false],
  ["user a number", hs256({ sub: 7 }), false],
  ["user with a NUL", hs256({ sub: "to\0m" }), false],
  ["id a number", hs256({ jti: 7 }), false],
  ["another secret", signed({ alg: "HS256" }, usual(), { by: `${secret}!` }), false],
  ["empty secret", signed({ alg: "HS256" }, usual(), { by: "" }), false],
  ["HS512", signed({ alg: "HS512" }, usual(), { hash: "sha512" }), false],
  ["HMAC over the public key", signed({ alg: "HS256", kid: "r" }, usual(), { by: pem }), false],
  ["HMAC over the public key as RS256", signed({ alg: "RS256", kid: "r" }, usual(), { by: pem }), false],
  ["another RSA key", rs256({}, generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey), false],
  ["alg none", `${encode({ alg: "none" })}.${encode(usual())}.`, false],
  ["alg nOnE", `${encode({ alg: "nOnE" })}.${encode(usual())}.`, false],
  ["alg none, signed", signed({ alg: "none" }, usual()), false],
  ["alg missing", signed({ typ: "JWT" }, usual()), false],
  ["alg lower case", signed({ alg: "hs256" }, usual()), false],
  ["unknown kid", hs256({}, { kid: "x" }), false],
  ["crit", hs256({}, { crit: ["exp"] }), false],
  ["another type", hs256({}, { typ: "at+jwt+x" }), false],
  ["brings its own key", signed({ alg: "HS256", jwk: { kty: "oct", k: encode("k".repeat(32)) } }, usual(), { by: "k".repeat(32) }), false],
  ["claims changed", part(hs256({}), 1, () => encode({ ...usual(), sub: "root" })), false],
  ["header changed", part(hs256({}), 0, () => encode({ alg: "HS256", kid: "s", x: 1 })), false],
  ["no signature", part(hs256({}), 2, () => ""), false],
  ["half a signature", part(hs256({}), 2, (p) => p.slice(0, 20)), false],
  ["padded", part(hs256({}), 2, (p) => `${p}=`), false],
  ["claims no object", signed({ alg: "HS256" }, [1]), false],
  ["claims no JSON", signed({ alg: "HS256" }, "{sub"), false],
  ["header no JSON", signed("{alg", usual()), false],
];

const utf = (text) => { const b = Buffer.from(text); return Buffer.concat([Buffer.from([b.length >> 8, b.length & 255]), b]); };
function mqttConnect(user, password) {
  const flags = 0x02 | (user === undefined ? 0 : 0x80) | (password === undefined ? 0 : 0x40);
  const body = Buffer.concat([utf("MQTT"), Buffer.from([5, flags, 0, 60, 0]), utf(`c${Math.random()}`),
                              ...[user, password].filter((x) => x !== undefined).map(utf)]);
  const size = [];
  for (let n = body.length; size.length === 0 || n > 0; n >>= 7) size.push((n & 127) | (n > 127 ? 128 : 0));
  return Buffer.concat([Buffer.from([0x10, ...size]), body]);
}
const stompConnect = (user, password) => `CONNECT\naccept-version:1.2\nhost:h\n${user === undefined ? "" : `login:${user}\n`}` +
  `${password === undefined ? "" : `passcode:${password}\n`}\n\0`;

// What the server makes of it: { admitted, code } or { refused: HTTP status }.
async function attempt(protocol, { query = "", headers = {}, subprotocols = [], user, password } = {}) {
  const socket = new WebSocket(`${broker.wsUrl}${query}`, [protocol === "mqtt" ? "mqtt" : "v12.stomp", ...subprotocols], { headers });
  try {
    const [event] = await Promise.race([
      once(socket, "open").then(() => ["open"]),
      once(socket, "unexpected-response").then(([, response]) => [{ refused: response.statusCode }]),
    ]);
    if (event !== "open") return event;
    assert.equal(socket.protocol, protocol === "mqtt" ? "mqtt" : "v12.stomp");
    socket.send(protocol === "mqtt" ? mqttConnect(user, password) : stompConnect(user, password));
    const [answer] = await once(socket, "message");
    const text = answer.toString("latin1");
    if (protocol !== "mqtt") {
      if (text.startsWith("CONNECTED\n")) return { admitted: true };
      const code = /^code:(.*)$/m.exec(text)?.[1];
      const [close] = await once(socket, "close");
      return { admitted: false, code, close };
    }
    if (answer[3] === 0) return { admitted: true };
    const [close] = await once(socket, "close");
    return { admitted: false, code: answer[3], close };
  } finally {
    socket.on("error", () => {});
    socket.terminate();
  }
}

const sources = {
  header: (t) => ({ headers: { authorization: `Bearer ${t}` } }),
  basic: (t) => ({ headers: { authorization: `Basic ${Buffer.from(`token:${t}`).toString("base64")}` } }),
  query: (t) => ({ query: `?access_token=${encodeURIComponent(t)}` }),
  subprotocol: (t) => ({ subprotocols: [`bearer.${t}`] }),
  cookie: (t) => ({ headers: { cookie: `theme=dark; __Host-token=${t}`, origin: "https://www.app.example" } }),
  password: (t) => ({ user: "token", password: t }),
  "password of its user": (t) => ({ user: "tom", password: t }),
};

for (const protocol of ["mqtt", "stomp"]) {
  for (const [source, by] of Object.entries(sources)) {
    test(`tokens over ${protocol}, in the ${source}`, async () => {
      const all = tokens();
      assert.ok(all.length >= 40);
      for (const [name, token, good] of all) {
        if (source === "subprotocol" && !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(token)) continue; // no token of HTTP: the library refuses it
        const got = await attempt(protocol, by(token));
        if (good) {
          assert.deepEqual(got, { admitted: true }, name);
        } else if (got.refused !== undefined) {
          assert.equal(got.refused, 401, name);
        } else {
          const expired = ["token_expired", 0x87];
          const invalid = ["token_invalid", 0x86];
          const [word, code] = name.startsWith("exp") && (got.code === "token_expired" || got.code === 0x87) ? expired : invalid;
          assert.deepEqual(got, { admitted: false, code: protocol === "mqtt" ? code : word, close: 4401 }, name);
        }
      }
      for (const [, token] of all) assert.ok(!broker.log.includes(token), "a token is in the log");
    });
  }
  test(`without credentials, and with those of two users, over ${protocol}`, async () => {
    assert.equal((await attempt(protocol)).admitted, false);
    assert.equal((await attempt(protocol, { user: "anna" })).admitted, false);
    assert.equal((await attempt(protocol, { user: "anna", password: "wrong" })).admitted, false);
    assert.equal((await attempt(protocol, { user: "nobody", password: "anna's" })).admitted, false);
    assert.equal((await attempt(protocol, { user: "anna", password: "anna's" })).admitted, true);
    assert.equal((await attempt(protocol, { headers: { authorization: `Basic ${Buffer.from("anna:anna's").toString("base64")}` } })).admitted, true);
    assert.equal((await attempt(protocol, { ...sources.header(hs256({})), user: "anna", password: "anna's" })).admitted, false);
    assert.equal((await attempt(protocol, { ...sources.header(hs256({})), user: "anna" })).admitted, false);
    assert.equal((await attempt(protocol, { ...sources.header(hs256({})), user: "tom" })).admitted, true);
    assert.equal((await attempt(protocol, { headers: { authorization: "Digest x" } })).refused, 401);
    assert.equal((await attempt(protocol, { ...sources.header(hs256({})), ...sources.query(hs256({ jti: "2" })) })).refused, 401);
  });
}

test("a cookie is one of our own pages' alone; a configuration that lets in those of others is refused", async () => {
  const cookie = `__Host-token=${hs256({})}`;
  for (const protocol of ["mqtt", "stomp"]) {
    assert.equal((await attempt(protocol, { headers: { cookie, origin: `http://127.0.0.1:${broker.ports.ws}` } })).admitted, true);
    assert.equal((await attempt(protocol, { headers: { cookie, origin: "https://evil.example" } })).refused, 403);
    assert.equal((await attempt(protocol, { headers: { cookie, origin: "null" } })).refused, 403);
    assert.equal((await attempt(protocol, { headers: { cookie } })).admitted, false); // as if it were not there
    assert.equal((await attempt(protocol, { headers: { cookie: "other=x", origin: "https://www.app.example" } })).admitted, false);
  }
  const file = path.join(files, "open.toml");
  await writeFile(file, config().replace("allowed_origins = [", 'allowed_origins = ["*", '));
  await refused(["--config", file, "--listen", "ws://127.0.0.1:0"], 78, [/listener ws: ws\.allowed_origins has "\*" and auth\.jwt\.sources a cookie/]);
});

test("what tokens of `brokerctl token mint` say is what their client may", async () => {
  const key = path.join(files, "secret");
  await writeFile(key, secret, { mode: 0o600 });
  const { stdout, code } = await command(brokerctl, ["token", "mint", "--key", key, "--kid", "s", "--sub", "tim", "--iss", "https://issuer.example",
                                                    "--aud", "brokerd", "--ttl", "1m", "--publish", "t/out", "--subscribe", "t/in/#"]);
  assert.equal(code, 0);
  const client = await MqttClient.connect(broker.wsUrl, 5, { id: "minted", username: "token", password: stdout.trim() });
  assert.deepEqual(await client.subscribe("t/in/x", 1), [1]);
  assert.deepEqual(await client.subscribe("own/tim/x", 1), [1]);
  await assert.rejects(client.subscribe("t/out", 1));
  await client.publish("t/out", "x", 1);
  await assert.rejects(client.publish("t/in/x", "x", 1));
  await client.cut();
});

test("rules that change are the rules of who is connected, and of who comes", async () => {
  const anna = await MqttClient.connect(broker.wsUrl, 5, { id: "anna", username: "anna", password: "anna's" });
  const bob = await MqttClient.connect(broker.wsUrl, 5, { id: "bob", username: "bob", password: "bob's" });
  await bob.subscribe("a/#", 1); // of which a/+ is allowed
  await anna.publish("a/1", "one", 1);
  await anna.publish("a/1/2", "held back", 1);
  await anna.publish("a/2", "two", 1);
  assert.deepEqual((await bob.take(2)).map((m) => m.text), ["one", "two"]);
  await assert.rejects(MqttClient.connect(broker.wsUrl, 5, { id: "anna", username: "bob", password: "bob's" })); // hers

  await writeFile(path.join(files, "acl"), "user anna\ntopic readwrite a/#\nuser bob\ntopic write b/#\n");
  broker.process.kill("SIGHUP");
  await until(() => broker.log.includes("read anew"));
  await anna.publish("a/1", "not for bob any more", 1);
  await assert.rejects(bob.subscribe("a/1", 1));

  await writeFile(path.join(files, "acl"), "user\n");
  broker.process.kill("SIGHUP");
  await until(() => broker.log.includes("everything stays as it was"));
  await anna.publish("a/1", "still", 1);

  await writeFile(path.join(files, "acl"), "user anna\ntopic readwrite a/#\n");
  const passwords = await readFile(path.join(files, "passwords"), "utf8");
  await writeFile(path.join(files, "passwords"), passwords.replace(/^bob:.*\n/m, ""));
  broker.process.kill("SIGHUP");
  await bob.closed();
  assert.equal((await attempt("mqtt", { user: "bob", password: "bob's" })).admitted, false);
  await anna.publish("a/1", "still", 1);
  await anna.cut();
  await bob.cut();
});

test("a client is told before its token ends, and not of others' tokens", async () => {
  const token = () => hs256({ exp: now() + 64 }); // the warning is due 60 s before, in three seconds
  const told = async (client, id) => {
    const [warning] = await client.take(1);
    assert.equal(warning.topic, `$SYS/clients/${id}/token_expiring`);
    const said = JSON.parse(warning.text);
    assert.deepEqual([said.client_id, said.user], [id, "tom"]);
    assert.ok(said.expires_in_s <= 60 && said.expires_in_s >= 50 && Math.abs(said.expires_at - now() - said.expires_in_s) <= 2, warning.text);
  };
  const mine = await MqttClient.connect(broker.wsUrl, 5, { id: "warned", username: "token", password: token() });
  await mine.subscribe("$SYS/clients/warned/token_expiring", 1);
  await assert.rejects(mine.subscribe("$SYS/clients/other/#", 1));
  const socket = new WebSocket(broker.wsUrl, ["v12.stomp"], { headers: { authorization: `Bearer ${token()}` } });
  let frames = "";
  socket.on("message", (data) => { frames += data; });
  await once(socket, "open");
  socket.send("CONNECT\naccept-version:1.2\nhost:x\nclient-id:stomper\n\n\0");
  socket.send("SUBSCRIBE\nid:1\ndestination:/topic/$SYS/clients/stomper/token_expiring\n\n\0");
  await told(mine, "warned");
  await until(() => /MESSAGE\n[^\0]*destination:\/topic\/\$SYS\/clients\/stomper\/token_expiring\n[^\0]*"expires_in_s":(60|5\d)}/m.test(frames), "the warning over STOMP");
  socket.terminate();
  await mine.cut();
});

test("a connection ends with its token", async () => {
  for (const protocol of ["mqtt", "v12.stomp"]) {
    const socket = new WebSocket(broker.wsUrl, [protocol], { headers: { authorization: `Bearer ${hs256({ exp: now() + 2 })}` } });
    const said = [];
    socket.on("message", (data) => said.push(data));
    await once(socket, "open");
    socket.send(protocol === "mqtt" ? mqttConnect() : stompConnect());
    const [code] = await once(socket, "close");
    assert.equal(code, 4401);
    assert.equal(said.length, 2);
    if (protocol === "mqtt") assert.deepEqual([said[1][0], said[1][2]], [0xe0, 0x87]);
    else assert.match(said[1].toString(), /^ERROR\n[^]*^code:token_expired$/m);
  }
});

const refresh = (id, token) => command(brokerctl, ["--socket", broker.socket, "-o", "json", "client", "refresh", id, "--token-file", "-"], { input: `${token}\n` });

// A STOMP client that is in, with the id as its client id.
async function stomp(id, token) {
  const socket = new WebSocket(broker.wsUrl, ["v12.stomp"], { headers: { authorization: `Bearer ${token}` } });
  const client = { socket, frames: "" };
  socket.on("message", (data) => { client.frames += data; });
  socket.on("close", (code) => { client.code = code; });
  await once(socket, "open");
  socket.send(`CONNECT\naccept-version:1.2\nhost:x\nclient-id:${id}\n\n\0`);
  await until(() => client.frames.startsWith("CONNECTED\n"), "CONNECTED");
  return client;
}

test("a token is refreshed over HTTP: its end and its rights are those of the connection, in every protocol", async () => {
  const better = { exp: now() + 600, acl: { sub: ["t/new"] } };
  const done = (id) => ({ id, user: "tom", expires_at: new Date(better.exp * 1000).toISOString() });
  for (const version of [4, 5]) {
    const id = `fresh/${version}`;
    const tom = await MqttClient.connect(broker.wsUrl, version, { id, username: "token", password: hs256({}) });
    await assert.rejects(tom.subscribe("t/new", 1));
    const { code, stdout, stderr } = await refresh(id, hs256(better));
    assert.equal(code, 0, stderr);
    assert.deepEqual(JSON.parse(stdout), done(id));
    assert.deepEqual(await tom.subscribe("t/new", 1), [1]);
    assert.equal((await refresh(id, hs256({ exp: now() + 2 }))).code, 0); // the shorter one ends it
    await tom.closed();
    assert.deepEqual([tom.closeCode, tom.goodbye], [4401, version === 5 ? 0x87 : undefined]);
  }
  const sue = await stomp("fresh", hs256({}));
  assert.deepEqual(JSON.parse((await refresh("fresh", hs256(better))).stdout), done("fresh"));
  sue.socket.send("SUBSCRIBE\nid:1\ndestination:/topic/t/new\nreceipt:r\n\n\0");
  await until(() => sue.frames.includes("RECEIPT\n"), "RECEIPT");
  assert.equal((await refresh("fresh", hs256({ exp: now() + 2, acl: better.acl }))).code, 0);
  await until(() => sue.code, "the connection's end");
  assert.match(sue.frames, /ERROR\n[^]*^code:token_expired$/m);
});

test("a token that is refused over HTTP ends the connection, as one that its client brings", async () => {
  for (const [bad, said] of [[hs256({ sub: "eve" }), /is not good for this client/], ["nonsense", /is not good for this client/], [hs256({ exp: now() - 1 }), /has expired/]]) {
    const tom = await MqttClient.connect(broker.wsUrl, 5, { id: "refused", username: "token", password: hs256({}) });
    const { code, stderr } = await refresh("refused", bad);
    assert.equal(code, 4);
    assert.match(stderr, said);
    assert.ok(!stderr.includes("eve"));
    await tom.closed();
    assert.deepEqual([tom.closeCode, tom.goodbye], [4401, 0x87]);
  }
  const sue = await stomp("refused", hs256({}));
  assert.equal((await refresh("refused", hs256({ sub: "eve" }))).code, 4);
  await until(() => sue.code, "the connection's end");
  assert.equal(sue.code, 4401);
  assert.match(sue.frames, /ERROR\n[^]*^code:token_invalid$/m);
  const gone = await refresh("refused", hs256({}));
  assert.deepEqual([gone.code, /no connected client/.test(gone.stderr)], [1, true]);
  assert.equal((await refresh("refused", "")).code, 1);
});

test("logins are counted by method and result, each once", async () => {
  const counts = async () => {
    const metrics = await broker.metrics();
    return Object.fromEntries([["jwt", "allowed"], ["jwt", "denied"], ["jwt", "expired"], ["users", "allowed"], ["users", "denied"], ["none", "denied"], ["apikeys", "denied"]]
      .map((words) => [words.join(" "), metrics("broker_auth_total", ...words)]));
  };
  const before = await counts();
  const tom = await MqttClient.connect(broker.wsUrl, 5, { id: "counted", username: "token", password: hs256({}) });
  assert.equal((await refresh("counted", hs256({}))).code, 0); // no login
  for (const protocol of ["mqtt", "stomp"]) {
    await attempt(protocol, sources.header("nonsense"));
    await attempt(protocol, sources.header(hs256({ exp: now() - 1 })));
    await attempt(protocol, { user: "anna", password: "anna's" });
    await attempt(protocol, { user: "anna", password: "bob's" });
    await attempt(protocol);
    await attempt(protocol, sources.header(`bk_sensor_${"x".repeat(43)}`));
  }
  const after = await counts();
  assert.deepEqual(Object.fromEntries(Object.entries(after).map(([name, n]) => [name, n - before[name]])),
                   { "jwt allowed": 1, "jwt denied": 2, "jwt expired": 2, "users allowed": 2, "users denied": 2, "none denied": 2, "apikeys denied": 2 });
  await tom.cut();
});

test("the running broker says what somebody may, and by which rule", async () => {
  await writeFile(path.join(files, "acl"), "user anna\ntopic readwrite a/#\n");
  broker.process.kill("SIGHUP");
  const ask = async (...args) => {
    const { code, stdout, stderr } = await broker.ctl("-o", "json", "acl", "test", ...args);
    assert.ok([0, 2].includes(code), stderr);
    return [code, JSON.parse(stdout)];
  };
  await until(async () => (await ask("--user", "bob", "a/1"))[0] === 2, "the rules of now");
  assert.deepEqual(await ask("--user", "anna", "a/1"), [0, { verdict: "allowed", rule: "allow publish,subscribe,retain a/#", origin: `${files}/acl:2` }]);
  assert.deepEqual(await ask("--user", "bob", "a/1"), [2, { verdict: "denied", rule: "none: no rule allows it" }]);
  const [code, own] = await ask("--user", "tom", "--action", "publish", "own/tom/x");
  assert.deepEqual([code, own.rule, /own/.test(own.origin)], [0, "allow publish,subscribe,retain own/%u/#", true]);
  assert.deepEqual((await ask("--user", "tom", "#"))[1].verdict, "part");
  assert.equal((await ask("--user", "tom", "--client-id", "c", "$SYS/clients/c/x"))[0], 0);
  assert.equal((await ask("--action", "publish", "$SYS/x"))[0], 2);
  assert.match((await broker.ctl("acl", "test", "a/#/b")).stderr, /is no topic filter/);
  assert.match((await broker.ctl("acl", "test", "--user", "apikey:gone", "a")).stderr, /there is no API key/);
});

async function revoked(...more) {
  const { code, stdout, stderr } = await broker.ctl("token", "revoked", "list", "-o", "json", ...more);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout).map(({ kind, name, issued_before, until }) => {
    if (kind === "token") assert.deepEqual([issued_before, until], [null, null]);
    else assert.ok(Math.abs(Date.parse(issued_before) - Date.now()) < 60_000 && until === null, issued_before);
    return [kind, name];
  });
}

test("revoked tokens: whoever came with one is cut off, and nobody comes with it again, after a restart too", async () => {
  const stays = hs256({ jti: "stays", sub: "sam", iat: now() });
  const goes = hs256({ jti: "goes", sub: "gil", iat: now() - 10 });
  const by = (t) => ({ username: "token", password: t });
  const sam = await MqttClient.connect(broker.wsUrl, 5, { id: "sam", ...by(stays) });
  let gil = await MqttClient.connect(broker.wsUrl, 5, { id: "gil", ...by(goes) });
  const began = Date.now();
  assert.equal((await broker.ctl("token", "revoke", "--jti", "goes")).code, 0);
  await gil.closed();
  assert.ok(Date.now() - began < 1000 * Number(process.env.SLOWNESS ?? 1));
  assert.equal(gil.goodbye, 0x87);
  assert.equal((await attempt("mqtt", sources.password(goes))).admitted, false);
  const earlier = now() - 5;
  gil = await MqttClient.connect(broker.wsUrl, 5, { id: "gil", ...by(hs256({ jti: "newer", sub: "gil", iat: earlier })) });
  assert.equal((await broker.ctl("token", "revoke", "--user", "gil")).code, 0);
  await gil.closed();
  assert.equal(sam.ended, false);
  await sam.cut();
  assert.equal((await broker.ctl("token", "revoke")).code, 64);
  assert.equal((await broker.ctl("token", "revoke", "--jti", "x", "--user", "y")).code, 1);
  assert.deepEqual(await revoked(), [["user", "gil"], ["token", "goes"]]);
  await broker.kill();
  await broker.run();
  assert.deepEqual(await revoked(), [["user", "gil"], ["token", "goes"]]);
  assert.deepEqual(await revoked("--limit", "1"), [["user", "gil"]]);
  assert.deepEqual(await revoked("--after", "user:gil"), [["token", "goes"]]);
  assert.equal((await broker.ctl("token", "revoked", "list", "--after", "gil")).code, 1);
  for (const protocol of ["mqtt", "stomp"]) {
    assert.equal((await attempt(protocol, sources.header(goes))).admitted, false);
    assert.equal((await attempt(protocol, sources.header(hs256({ sub: "gil", iat: earlier })))).admitted, false);
    assert.equal((await attempt(protocol, sources.header(hs256({ sub: "gil", iat: now() + 5 })))).admitted, true);
    assert.equal((await attempt(protocol, sources.header(stays))).admitted, true);
  }
});
