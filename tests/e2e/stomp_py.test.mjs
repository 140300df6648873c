// STOMP 1.0, 1.1 and 1.2 as stomp.py speaks it, over TCP (stomp_scenarios.py).
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Broker, command, python } from "./support/broker.mjs";

const script = fileURLToPath(new URL("stomp_scenarios.py", import.meta.url));
const env = { BROKERD__STOMP__HEART_BEAT: "200ms", BROKERD__STOMP__CLIENT_HEART_BEAT: "200ms", BROKERD__STOMP__HEART_BEAT_GRACE: "1s" };
let broker;

before(async () => { broker = await Broker.start({ env }); });
after(async () => { await broker?.dispose(); });

async function scenarios(...args) {
  const run = await command(python, [script, String(broker.ports.stomp), ...args]);
  assert.equal(run.code, 0, run.stdout + run.stderr);
}

test("stomp.py: its scenarios in 1.0, 1.1 and 1.2", () => scenarios());
test("stomp.py: heart-beats in both directions, and what happens without", () => scenarios("beats", "200"));

for (const end of ["kill", "stop"]) {
  test(`stomp.py: the broker comes back after ${end}: what was not acknowledged comes again, marked; the rest does not`, async () => {
    const child = spawn(python, [script, String(broker.ports.stomp), "restart", end], { stdio: ["pipe", "pipe", "pipe"] });
    let out = "";
    const ready = new Promise((resolve) => {
      child.stdout.on("data", (chunk) => { out += chunk; if (out.startsWith("ready\n")) resolve(); });
    });
    child.stderr.on("data", (chunk) => { out += chunk; });
    const closed = once(child, "close");
    await Promise.race([ready, closed]);
    assert.match(out, /^ready$/m, out);
    await broker[end]();
    await broker.run();
    child.stdin.end("\n");
    assert.equal((await closed)[0], 0, out);
  });
}
