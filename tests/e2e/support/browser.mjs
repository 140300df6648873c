// A page in Debian's Chromium with mqtt.js and @stomp/stompjs loaded.
import { chromium } from "playwright-core";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { once } from "node:events";

const modules = new URL("../node_modules/", import.meta.url);
const executable = process.env.CHROMIUM ?? "/usr/bin/chromium";

export async function openPage() {
  const scripts = {
    "/mqtt.js": await readFile(new URL("mqtt/dist/mqtt.min.js", modules)),
    "/stomp.js": await readFile(new URL("@stomp/stompjs/bundles/stomp.umd.min.js", modules)),
    "/stomp_scenarios.mjs": await readFile(new URL("stomp_scenarios.mjs", import.meta.url)),
  };
  const server = http.createServer((request, response) => {
    const script = scripts[request.url];
    response.setHeader("content-type", script ? "text/javascript" : "text/html");
    response.end(script ?? "<!doctype html><title>brokerd</title><script src=/mqtt.js></script><script src=/stomp.js></script>");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");

  const profile = await mkdtemp(path.join(os.tmpdir(), "brokerd-chromium-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: executable,
    headless: true,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
           "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"],
  });
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  return {
    page,
    async close() {
      await context.close();
      server.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}
