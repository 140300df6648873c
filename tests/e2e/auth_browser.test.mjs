// A page in Chromium: mqtt.js and stompjs with tokens that end soon, are renewed on the live connection, and are revoked; a page of
// another origin is turned away.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { mkdtemp, writeFile, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { Broker, brokerctl, command } from "./support/broker.mjs";
import { openPage } from "./support/browser.mjs";
import { until } from "./support/mqtt_client.mjs";

let broker;
let browser;
let files;
let origin;

before(async () => {
  files = await mkdtemp(path.join(os.tmpdir(), "brokerd-auth-page-"));
  await writeFile(path.join(files, "secret"), "a secret of more than thirty-two bytes", { mode: 0o600 });
  browser = await openPage();
  origin = new URL(browser.page.url()).origin;
  broker = await Broker.start({ env: {
    BROKERD__WS__ALLOWED_ORIGINS: `https://app.example.com,${origin}`,
    BROKERD__AUTH__JWT__KEY_FILE: path.join(files, "secret"),
    BROKERD__AUTH__JWT__LEEWAY: "0s",
    BROKERD__AUTH__JWT__ON_EXPIRY__GRACE: "0s",
  } });
  await browser.page.exposeFunction("mint", async (user, ttl) => {
    const { stdout, stderr, code } = await command(brokerctl, ["token", "mint", "--key", path.join(files, "secret"), "--sub", user, "--ttl", ttl]);
    if (code !== 0) throw new Error(stderr);
    return stdout.trim();
  });
});
after(async () => {
  await browser?.close();
  await broker?.dispose();
  await rm(files, { recursive: true, force: true });
});

const closed = () => browser.page.evaluate(() => window.ended);

test("mqtt.js: a token of six seconds, renewed by AUTH, revoked by brokerctl", async () => {
  await browser.page.evaluate(async (url) => {
    window.ended = null;
    const properties = (token) => ({ authenticationMethod: "token", authenticationData: new TextEncoder().encode(token) });
    const client = mqtt.connect(url, { protocolVersion: 5, reconnectPeriod: 0, properties: properties(await mint("mia", "6s")) });
    await new Promise((resolve, reject) => { client.once("connect", resolve); client.once("error", reject); });
    client.on("close", () => { window.ended = Date.now(); });
    client.on("packetreceive", (packet) => {
      if (packet.cmd === "auth") window.renewed = packet.reasonCode;
      if (packet.cmd === "disconnect") window.goodbye = packet.reasonCode;
    });
    client._sendPacket({ cmd: "auth", reasonCode: 0x19, properties: properties(await mint("mia", "10m")) });
    window.client = client;
  }, broker.wsUrl);
  await until(() => browser.page.evaluate(() => window.renewed === 0), "AUTH");
  await new Promise((resolve) => setTimeout(resolve, 6500)); // the first token's end
  assert.equal(await closed(), null);
  await browser.page.evaluate(() => new Promise((resolve, reject) => {
    window.client.publish("own", "x", { qos: 1 }, (error) => (error ? reject(error) : resolve()));
  }));
  const before = Date.now();
  assert.equal((await broker.ctl("token", "revoke", "--user", "mia", "--issued-before", "now")).code, 0);
  await until(closed, "the connection's end");
  assert.ok((await closed()) - before < 1000 * Number(process.env.SLOWNESS ?? 1));
  assert.equal(await browser.page.evaluate(() => window.goodbye), 0x87);
});

test("stompjs: the same by SEND to /sys/auth", async () => {
  await browser.page.evaluate(async (url) => {
    window.ended = null;
    const client = new StompJs.Client({ brokerURL: url, reconnectDelay: 0, connectHeaders: { login: "token", passcode: await mint("sue", "6s") } });
    client.onWebSocketClose = (event) => { window.ended = event.code; };
    client.onStompError = (frame) => { window.error = frame.headers.code; };
    await new Promise((resolve) => { client.onConnect = resolve; client.activate(); });
    await new Promise((resolve, reject) => {
      client.watchForReceipt("renewed", resolve);
      mint("sue", "10m").then((token) => client.publish({ destination: "/sys/auth", body: token, headers: { receipt: "renewed" } }), reject);
    });
  }, broker.wsUrl);
  await new Promise((resolve) => setTimeout(resolve, 6500));
  assert.equal(await closed(), null);
  assert.equal((await broker.ctl("token", "revoke", "--user", "sue", "--issued-before", "now")).code, 0);
  await until(closed, "the connection's end");
  assert.equal(await closed(), 4401);
  assert.equal(await browser.page.evaluate(() => window.error), "token_invalid");
});

test("a page of another origin gets no connection, with the best of tokens", async () => {
  const connects = () => browser.page.evaluate(async (url) => new Promise((resolve) => {
    mint("eve", "1m").then((token) => {
      const socket = new WebSocket(`${url}?access_token=${token}`, ["mqtt"]);
      socket.onopen = () => { socket.close(); resolve(true); };
      socket.onerror = () => resolve(false);
    });
  }), broker.wsUrl);
  assert.equal(await connects(), true);
  await browser.page.goto(origin.replace("127.0.0.1", "localhost"));
  assert.equal(await connects(), false);
});
