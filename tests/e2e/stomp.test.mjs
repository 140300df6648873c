// STOMP 1.0, 1.1 and 1.2 as stompjs speaks it in Node (support/stomp_scenarios.mjs; browser.test.mjs runs the same in Chromium).
import { describe, test, before, after } from "node:test";
import assert from "node:assert/strict";
import { Client, Versions } from "@stomp/stompjs";
import WebSocket from "ws";
import { Broker } from "./support/broker.mjs";
import { play, scenarios, until } from "./support/stomp_scenarios.mjs";

globalThis.WebSocket = WebSocket; // as in a browser
const env = { BROKERD__STOMP__HEART_BEAT: "100ms", BROKERD__STOMP__CLIENT_HEART_BEAT: "100ms", BROKERD__STOMP__HEART_BEAT_GRACE: "2s" };

let shared;
let restarted; // of which nobody else may be a client
before(async () => { [shared, restarted] = await Promise.all([Broker.start({ env }), Broker.start({ env })]); });
after(async () => { await Promise.all([shared?.dispose(), restarted?.dispose()]); });

async function restart(signal) {
  await (signal === "SIGKILL" ? restarted.kill() : restarted.stop(signal));
  await restarted.run();
}

describe("stompjs", { concurrency: 6 }, () => {
  for (const one of scenarios.filter((s) => !s.restarts)) {
    for (const version of one.versions) {
      test(`${version}: ${one.name}`, () => play(one, { Client, Versions, WebSocket, version, url: shared.wsUrl, place: "node" }));
    }
  }
});

describe("stompjs and restarts", () => {
  for (const one of scenarios.filter((s) => s.restarts)) {
    for (const version of one.versions) {
      test(`${version}: ${one.name}`, () => play(one, { Client, Versions, WebSocket, version, url: restarted.wsUrl, place: "node", restart }));
    }
  }
});

test("text leaves in text messages, what is no text in binary ones, each frame in one", async () => {
  const socket = new WebSocket(shared.wsUrl, ["v12.stomp"]);
  const got = [];
  socket.on("message", (data, isBinary) => { if (data.toString("latin1").startsWith("MESSAGE")) got.push([isBinary, data]); });
  await new Promise((resolve) => { socket.once("open", resolve); });
  socket.send("CONNECT\naccept-version:1.2\nhost:h\n\n\0SUBSCRIBE\nid:1\ndestination:/topic/kinds\n\n\0");
  socket.send("SEND\ndestination:/topic/kinds\n\ntext ✓\0");
  socket.send(Buffer.concat([Buffer.from("SEND\ndestination:/topic/kinds\ncontent-length:2\n\n"), Buffer.from([0xff, 0]), Buffer.from("\0")]));
  await until(() => got.length === 2, "two messages");
  assert.deepEqual(got.map(([isBinary]) => isBinary), [false, true]);
  assert.ok(got.every(([, data]) => data.at(-1) === 0));
  socket.close();
});
