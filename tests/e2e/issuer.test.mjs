// Keys of an issuer that are fetched: the first time, when it rotates them, through its outages, while it is slow.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { Broker, command, freePort } from "./support/broker.mjs";
import { Peer, SigningKey, jwks } from "./support/issuer.mjs";
import { MqttClient, until } from "./support/mqtt_client.mjs";

let files;
before(async () => { files = await mkdtemp(path.join(os.tmpdir(), "brokerd-issuer-")); });
after(async () => rm(files, { recursive: true, force: true }));

let made = 0;
// A broker with this in [auth].
async function start(auth) {
  const file = path.join(files, `${++made}.toml`);
  await writeFile(file, `[auth]\n${auth}\n`);
  const broker = await Broker.start({ flags: ["--config", file] });
  broker.file = file;
  return broker;
}
const come = async (broker, token, version = 5) => {
  const client = await MqttClient.connect(broker.wsUrl, version, { username: "token", password: token });
  await client.cut();
};
const refusal = async (broker, token) => {
  try {
    await come(broker, token);
  } catch (error) {
    return error.message;
  }
  return "(let in)";
};
const key_file = async (key) => {
  const file = path.join(files, `key${++made}`);
  await writeFile(file, JSON.stringify({ keys: [key.jwk] }));
  return file;
};
const fetches = async (broker, result) => (await broker.metrics())("broker_jwks_fetches_total", result);

test("keys are fetched, and anew for a token that names one nobody knows, but not at once for each", async () => {
  const [first, second] = [new SigningKey("first"), new SigningKey("second")];
  let answer = jwks(first);
  const issuer = await Peer.start(() => answer);
  const broker = await start(`jwt.jwks_url = "${issuer.url("/keys?x=1")}"`);
  try {
    await come(broker, first.token());
    assert.match(await refusal(broker, second.token()), /Not authorized|Bad User Name/);
    assert.deepEqual(issuer.requests.map((r) => `${r.method} ${r.url}`), ["GET /keys?x=1"]); // not for every name somebody invents
    assert.equal(await fetches(broker, "ok"), 1);
    assert.equal(broker.said(/keys fetched: first/).length, 1);

    answer = jwks(second); // its first token has asked for it already, and nobody else is needed
    await until(() => broker.said(/keys fetched: second/).length === 1, "the new key");
    await come(broker, second.token());
    assert.match(await refusal(broker, first.token()), /Not authorized|Bad User Name/); // its key is gone
    assert.equal(issuer.requests.length, 2);

    answer = jwks(first, second);
    broker.process.kill("SIGHUP"); // fetches anew
    await until(() => broker.said(/keys fetched: first, second/).length === 1, "both keys");
    await come(broker, first.token());
  } finally {
    await broker.dispose();
    await issuer.stop();
  }
});

test("whoever comes before the keys are there waits for them; others do not", async () => {
  const [theirs, ours] = [new SigningKey("theirs"), new SigningKey("ours")];
  let go;
  const held = new Promise((resolve) => { go = resolve; });
  const issuer = await Peer.start(async () => { await held; return jwks(theirs); });
  const broker = await start(`jwt.jwks_file = "${await key_file(ours)}"\njwt.jwks_url = "${issuer.url()}"`);
  try {
    await until(() => issuer.requests.length === 1, "the fetch");
    let there = 0;
    const early = Array.from({ length: 20 }, (_, i) => come(broker, theirs.token(), [4, 5][i % 2]).then(() => { ++there; }));
    for (let i = 0; i < 20; ++i) await come(broker, ours.token());
    assert.equal(there, 0);
    go();
    await Promise.all(early);
    assert.equal(issuer.requests.length, 1);
  } finally {
    await broker.dispose();
    await issuer.stop();
  }
});

test("the issuer is down: brokerd starts and says so, keeps its last keys, and recovers by itself", async () => {
  const key = new SigningKey("k");
  const ours = new SigningKey("ours");
  const port = await freePort();
  const broker = await start(`jwt.jwks_file = "${await key_file(ours)}"\njwt.jwks_url = "http://127.0.0.1:${port}/keys"`);
  let issuer;
  try {
    await until(() => broker.said(/connect to 127\.0\.0\.1:\d+: Connection refused; without its keys tokens are refused/).length === 1, "a word of it");
    assert.match(await refusal(broker, key.token()), /Quota exceeded/); // come again: nothing is wrong with the token
    await come(broker, ours.token());
    assert.equal((await broker.metrics())("broker_alarms", "jwks_unavailable"), 1);
    assert.ok(await fetches(broker, "failed") >= 1);

    issuer = await Peer.start(() => jwks(key), { port });
    await until(async () => (await refusal(broker, key.token())) === "(let in)", "the next try");
    await until(async () => (await broker.metrics())("broker_alarms", "jwks_unavailable") === undefined, "the end of the alarm");

    for (const garbage of [{ body: "<html>login</html>" }, { body: '{"keys":[]}' }, { status: 503 }, { status: 302, headers: { location: "/" } },
                           { body: " ".repeat(1_000_000) }]) {
      issuer.answer = () => garbage;
      const before = await fetches(broker, "failed");
      broker.process.kill("SIGHUP");
      await until(async () => await fetches(broker, "failed") > before, "the failure");
      await come(broker, key.token());
      assert.equal((await broker.metrics())("broker_alarms", "jwks_unavailable"), 1);
    }
    assert.equal(broker.said(/the keys fetched last are used for a day at most/).length, 5); // one for each reload
    await issuer.stop();
    await come(broker, key.token());
    assert.ok(!broker.log.includes(key.token().split(".")[1]));
  } finally {
    await broker.dispose();
    await issuer?.stop().catch(() => {});
  }
});

test("https: only from a server whose certificate is trusted, for its name", async () => {
  const key = new SigningKey("k");
  const certificate = async (name, names) => {
    const [pem, own] = [path.join(files, `${name}.pem`), path.join(files, `${name}.key`)];
    const run = await command("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", own, "-out", pem,
                                          "-days", "2", "-subj", `/CN=${name}`, "-addext", `subjectAltName=${names}`]);
    assert.equal(run.code, 0, run.stderr);
    return { pem, cert: await readFile(pem), key: await readFile(own) };
  };
  const good = await certificate("good", "DNS:localhost");
  const other = await certificate("other", "DNS:elsewhere.example");
  for (const [tls, ca, said] of [[good, good.pem, /keys fetched: k/], [good, other.pem, /its certificate is not trusted for this name: self[- ]signed certificate/],
                                 [good, "", /its certificate is not trusted for this name: self[- ]signed certificate/],
                                 [other, other.pem, /its certificate is not trusted for this name: hostname mismatch/]]) {
    const issuer = await Peer.start(() => jwks(key), { tls });
    const broker = await start(`jwt.jwks_url = "${issuer.url("/", "localhost")}"\njwt.jwks_ca = "${ca}"`);
    try {
      await until(() => broker.said(said).length === 1, `${said} in ${broker.log}`);
      assert.equal(await refusal(broker, key.token()) === "(let in)", said.source.includes("fetched"));
    } finally {
      await broker.dispose();
      await issuer.stop();
    }
  }
});
