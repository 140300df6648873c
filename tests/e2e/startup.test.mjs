// What an operator can get wrong, and how brokerd says so: one line, a status, within two seconds.
import { test } from "node:test";
import assert from "node:assert/strict";
import net from "node:net";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { once } from "node:events";
import { Broker, brokerd, command, refused } from "./support/broker.mjs";

async function scratch(body) {
  const dir = await mkdtemp(path.join(os.tmpdir(), "brokerd-startup-"));
  try { await body(dir); } finally { await rm(dir, { recursive: true, force: true }); }
}

test("configuration errors name file, line, key, reason and a suggestion", () => scratch(async (dir) => {
  const file = path.join(dir, "brokerd.toml");
  const config = async (text) => { await writeFile(file, text); return ["--config", file]; };
  await refused(await config("[limits]\nmax_conections = 5\n"), 78, [/brokerd\.toml:2/, /max_conections/, /did you mean/, /max_connections/]);
  await refused(await config("[limits]\nmax_connections = \"many\"\n"), 78, [/brokerd\.toml:2/, /max_connections/]);
  await refused(await config("[limits]\nhandshake_timeout = \"10 parsecs\"\n"), 78, [/brokerd\.toml:2/, /handshake_timeout/]);
  await refused(await config("[node\n"), 78, [/brokerd\.toml:1/]);
  await refused(["--config", path.join(dir, "none.toml")], 78, [/none\.toml/]);
  await refused(["--listen", "gopher://127.0.0.1:70"], 78, [/gopher/]);
  await refused(["--threads", "lots"], 78, [/threads/]);
}));

test("--check, --print-config, --version and --help say their part and exit 0", () => scratch(async (dir) => {
  const file = path.join(dir, "brokerd.toml");
  await writeFile(file, "[limits]\nmax_connections = 7\n");
  assert.equal((await command(brokerd, ["--config", file, "--check"])).code, 0);
  assert.match((await command(brokerd, ["--config", file, "--print-config"])).stdout, /max_connections = 7/);
  assert.match((await command(brokerd, ["--version"])).stdout, /brokerd/);
  assert.match((await command(brokerd, ["--help"])).stdout, /--listen/);
}));

test("a port in use", () => scratch(async (dir) => {
  const taken = net.createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address();
  await refused(["--data-dir", path.join(dir, "a"), "--listen", `mqtt://127.0.0.1:${port}`], 71, [new RegExp(String(port)), /in use/]);
  taken.close();
}));

test("one ready line names every listener; SIGINT stops with 0; logs are JSON when no terminal reads them", async () => {
  const broker = await Broker.start();
  try {
    assert.equal(await broker.stop("SIGINT"), 0);
    const ready = broker.log.split("\n").filter((line) => line.includes("ready"));
    assert.equal(ready.length, 1, broker.log);
    for (const port of Object.values(broker.ports)) assert.ok(ready[0].includes(String(port)), ready[0]);
    for (const line of broker.log.trim().split("\n")) JSON.parse(line);
  } finally {
    await broker.dispose();
  }
});
