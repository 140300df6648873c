// The client's address behind proxies: the PROXY protocol in front of MQTT, WebSocket and TLS, and the headers of upgrade requests.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import net from "node:net";
import tls from "node:tls";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import WebSocket from "ws";
import { Broker, command, freePorts } from "./support/broker.mjs";
import { until } from "./support/mqtt_client.mjs";

let dir, broker, ports;

const listener = (name, port, protocol, more) => `[[listener]]\nname = "${name}"\nbind = "127.0.0.1:${port}"\nprotocols = ["${protocol}"]\n${more}\n`;

before(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), "brokerd-proxy-"));
  const made = await command("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path.join(dir, "key.pem"),
                                         "-out", path.join(dir, "cert.pem"), "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
  assert.equal(made.code, 0, made.stderr);
  const [optional, required, strange, secure, web, standard, both] = await freePorts(7);
  ports = { optional, required, strange, secure, web, standard, both };
  const trusted = 'trusted = ["127.0.0.0/8", "10.0.0.0/8"]';
  broker = await Broker.start({ listeners:
    listener("optional", optional, "mqtt", `proxy = { ${trusted}, protocol = "optional" }`) +
    listener("required", required, "mqtt", `proxy = { ${trusted}, protocol = "required" }`) +
    listener("strange", strange, "mqtt", 'proxy = { trusted = ["10.0.0.0/8"], protocol = "optional" }') +
    listener("secure", secure, "mqtt", `proxy = { ${trusted}, protocol = "required" }\ntls = { cert = "${dir}/cert.pem", key = "${dir}/key.pem" }`) +
    listener("web", web, "ws", `proxy = { ${trusted} }`) +
    listener("standard", standard, "ws", `proxy = { ${trusted}, headers = ["forwarded"] }`) +
    listener("both", both, "ws", `proxy = { ${trusted}, protocol = "optional" }\nmax_connections = 2`) });
});
after(async () => {
  await broker?.dispose();
  await rm(dir, { recursive: true, force: true });
});

const connect = (id) => Buffer.concat([Buffer.from([0x10, 12 + id.length, 0, 4]), Buffer.from("MQTT"), Buffer.from([4, 2, 0, 0, 0, id.length]), Buffer.from(id)]);
const v2 = (hex, body) => Buffer.concat([Buffer.from("0d0a0d0a000d0a515549540a" + hex, "hex"), Buffer.from([body.length >> 8, body.length & 255]), body]);
const v4 = Buffer.from("c0000207c00002011f900050", "hex"); // 192.0.2.7:8080 → 192.0.2.1:80
const v6 = Buffer.concat([Buffer.from("20010db8000000000000000000000007", "hex"), Buffer.from("20010db8000000000000000000000001", "hex"), Buffer.from("1f900050", "hex")]);
const tlv = (type, value) => Buffer.concat([Buffer.from([type, value.length >> 8, value.length & 255]), value]);
const certificate = tlv(0x20, Buffer.concat([Buffer.from("0700000000", "hex"), tlv(0x22, Buffer.from("device-7"))]));

// What the broker lists of this client once it is in; or nothing, if the socket ends. With ca: over TLS, behind the header.
async function seen(id, header, { on = "optional", bytewise = false, ca } = {}) {
  const socket = net.connect(ports[on], "127.0.0.1").setNoDelay(true);
  let ended = false;
  let answered = false;
  socket.on("close", () => { ended = true; });
  socket.on("error", () => {});
  try {
    const bytes = ca ? header : Buffer.concat([header, connect(id)]);
    if (bytewise) {
      for (const byte of bytes) await new Promise((resolve) => { socket.write(Buffer.from([byte]), resolve); });
    } else {
      socket.write(bytes);
    }
    const stream = ca ? tls.connect({ socket, ca, servername: "localhost" }) : socket;
    stream.on("error", () => {});
    stream.on("data", () => { answered = true; });
    if (ca) stream.write(connect(id));
    await until(() => answered || ended, `an answer to ${id}`);
    if (!answered) return undefined;
    return JSON.parse((await broker.ctl("-o", "json", "client", "show", id)).stdout)[0];
  } finally {
    socket.destroy();
  }
}

test("the PROXY protocol in front of MQTT", async () => {
  const table = [
    ["none", "", "127.0.0.1"],
    ["v1", "PROXY TCP4 192.0.2.7 192.0.2.1 8080 80\r\n", "192.0.2.7:8080"],
    ["v1six", "PROXY TCP6 2001:db8::7 2001:db8::1 8080 80\r\n", "[2001:db8::7]:8080"],
    ["v1unknown", "PROXY UNKNOWN\r\n", "127.0.0.1"],
    ["v1bad", "PROXY TCP4 192.0.2.7 nonsense 1 2\r\n", undefined],
    ["v1long", `PROXY TCP4 ${"1".repeat(120)}`, undefined],
    ["v2", v2("2111", v4), "192.0.2.7:8080"],
    ["v2six", v2("2121", v6), "[2001:db8::7]:8080"],
    ["v2local", v2("2000", Buffer.alloc(0)), "127.0.0.1"],
    ["v2unix", v2("2131", Buffer.alloc(216)), "127.0.0.1"],
    ["v2cut", v2("2111", v4.subarray(0, 6)), undefined],
    ["v2version", v2("3111", v4), undefined],
    ["v2named", v2("2111", Buffer.concat([v4, certificate])), "192.0.2.7:8080"],
  ];
  for (const [id, header, address] of table) {
    for (const bytewise of [false, true]) {
      const row = await seen(id, Buffer.from(header), { bytewise });
      assert.equal(row?.address?.slice(0, address?.length), address, `${id} in ${bytewise ? "single bytes" : "one piece"}`);
      if (id === "v2named") assert.equal(row.identity, "device-7");
    }
  }
});

test("a header that is required, or comes from somebody who is not trusted", async () => {
  assert.equal(await seen("bare", Buffer.alloc(0), { on: "required" }), undefined);
  assert.equal((await seen("proxied", v2("2111", v4), { on: "required" })).address, "192.0.2.7:8080");
  assert.equal(await seen("liar", v2("2111", v4), { on: "strange" }), undefined); // it is the client's own bytes, and no MQTT
  assert.match((await seen("honest", Buffer.alloc(0), { on: "strange" })).address, /^127\.0\.0\.1:/);
});

test("in front of TLS", async () => {
  const ca = await readFile(path.join(dir, "cert.pem"));
  const row = await seen("deep", v2("2111", v4), { on: "secure", ca });
  assert.equal(row.address, "192.0.2.7:8080");
  assert.equal(row.transport, "tls");
});

async function web(on, headers) {
  const socket = new WebSocket(`ws://127.0.0.1:${ports[on]}/`, "mqtt", { headers });
  const opened = await new Promise((resolve, reject) => {
    socket.on("open", () => resolve(true));
    socket.on("unexpected-response", (_, response) => resolve(response.statusCode));
    socket.on("error", reject);
  });
  return { socket, opened };
}
let count = 0;
async function address(on, headers) {
  const { socket, opened } = await web(on, headers);
  assert.equal(opened, true);
  const id = `w${++count}`;
  const answered = new Promise((resolve) => { socket.on("message", resolve); });
  socket.send(connect(id));
  await answered;
  const row = JSON.parse((await broker.ctl("-o", "json", "client", "show", id)).stdout)[0];
  socket.terminate();
  return row.address;
}

test("headers of the upgrade request, the one that is configured", async () => {
  for (const [on, headers, expected] of [
    ["web", {}, /^127\.0\.0\.1:/],
    ["web", { "X-Forwarded-For": "192.0.2.7" }, /^192\.0\.2\.7:0$/],
    ["web", { "X-Forwarded-For": "203.0.113.9, 192.0.2.7, 10.1.2.3" }, /^192\.0\.2\.7:/],
    ["web", { "X-Forwarded-For": "2001:db8::7" }, /^\[2001:db8::7\]:/],
    ["web", { "X-Forwarded-For": "nonsense" }, /^127\.0\.0\.1:/],
    ["web", { Forwarded: "for=192.0.2.9" }, /^127\.0\.0\.1:/],
    ["web", { Forwarded: "for=192.0.2.9", "X-Forwarded-For": "192.0.2.7" }, /^192\.0\.2\.7:/],
    ["standard", { Forwarded: 'for="[2001:db8::9]:4711";proto=https' }, /^\[2001:db8::9\]:/],
    ["standard", { "X-Forwarded-For": "192.0.2.7" }, /^127\.0\.0\.1:/],
    ["both", { "X-Forwarded-For": "192.0.2.7" }, /^192\.0\.2\.7:/],
  ]) assert.match(await address(on, headers), expected, JSON.stringify(headers));
});

test("a ban is the client's, not the proxy's, and closes who is connected", async () => {
  const { socket } = await web("web", { "X-Forwarded-For": "198.51.100.7" });
  const closed = new Promise((resolve) => { socket.on("close", (code, reason) => resolve(`${code} ${reason}`)); });
  const banned = await broker.ctl("-o", "json", "ban", "add", "--address", "198.51.100.0/24", "--for", "1h", "--reason", "a test");
  assert.equal(banned.code, 0, banned.stderr);
  assert.equal(JSON.parse(banned.stdout).connections_closed, 1);
  assert.equal(await closed, "4410 banned");
  assert.equal((await web("web", { "X-Forwarded-For": "198.51.100.9" })).opened, 403);
  const other = await web("web", { "X-Forwarded-For": "198.51.101.9" });
  assert.equal(other.opened, true);
  other.socket.terminate();
  assert.equal(await seen("outlaw", Buffer.from("PROXY TCP4 198.51.100.1 192.0.2.1 1 2\r\n")), undefined);

  await broker.stop();
  await broker.run(); // an administrator's ban outlives the process
  assert.equal((await web("web", { "X-Forwarded-For": "198.51.100.9" })).opened, 403);
  const [row] = JSON.parse((await broker.ctl("-o", "json", "ban", "list")).stdout);
  assert.deepEqual([row.kind, row.whom, row.automatic, row.reason], ["address", "198.51.100.0/24", false, "a test"]);
  assert.equal((await broker.ctl("ban", "remove", "--address", "198.51.100.0/24")).code, 0);
  const again = await web("web", { "X-Forwarded-For": "198.51.100.9" });
  assert.equal(again.opened, true);
  again.socket.terminate();
  assert.equal((await broker.ctl("ban", "remove", "--address", "198.51.100.0/24")).code, 1);
  assert.match((await broker.ctl("ban", "add", "--address", "ten")).stderr, /network 'ten': write 10\.0\.0\.0\/8/);
  assert.equal((await broker.ctl("ban", "add")).code, 64);
});

test("a listener's own limit of connections", async () => {
  const first = await web("both", {});
  const second = await web("both", {});
  await assert.rejects(web("both", {}));
  assert.ok((await broker.metrics())("broker_limit_refusals_total", "listener.max_connections") >= 1);
  const rows = JSON.parse((await broker.ctl("-o", "json", "listener", "list")).stdout);
  assert.deepEqual(rows.filter((r) => r.name === "both").map((r) => [r.connections, r.max_connections]), [[2, 2]]);
  first.socket.terminate();
  second.socket.terminate();
});
