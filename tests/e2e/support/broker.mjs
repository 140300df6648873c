// Starts a real brokerd on free loopback ports with a data directory of its own.
import assert from "node:assert/strict";
import { spawn, execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { once } from "node:events";
import { promisify } from "node:util";

const bin = process.env.BROKERD_BIN ?? fileURLToPath(new URL("../../../build/release/bin", import.meta.url));
export const brokerd = path.join(bin, "brokerd");
export const brokerctl = path.join(bin, "brokerctl");
export const python = process.env.PYTHON3 ?? "/usr/bin/python3"; // Debian's, which has Debian's packages

// All of them are held before the first is let go: none comes twice.
export async function freePorts(count) {
  const servers = Array.from({ length: count }, () => net.createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => server.address().port);
  for (const server of servers) server.close();
  await Promise.all(servers.map((server) => once(server, "close")));
  return ports;
}

export async function freePort() {
  return (await freePorts(1))[0];
}

function accepts(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    // Without a listener a socket may get the port it asks for as its own, and be connected with itself.
    socket.once("connect", () => { const other = socket.localPort !== port; socket.destroy(); resolve(other); });
    socket.once("error", () => resolve(false));
  });
}

// Options: threads, flags, env; data: the data directory, instead of one of its own; through: words before brokerd.
export class Broker {
  static async start(options = {}) {
    const broker = new Broker();
    broker.options = options;
    broker.dataDir = await mkdtemp(path.join(os.tmpdir(), "brokerd-e2e-"));
    const [ws, mqtt, stomp, tcp, admin] = await freePorts(5);
    broker.ports = { ws, mqtt, stomp, tcp, admin };
    broker.data = options.data ?? path.join(broker.dataDir, "data");
    await broker.run();
    return broker;
  }

  get socket() { return path.join(this.dataDir, "admin.sock"); }
  get wsUrl() { return `ws://127.0.0.1:${this.ports.ws}/`; }

  async run() {
    const { ws, mqtt, stomp, tcp, admin } = this.ports;
    this.log = "";
    const [file, ...first] = [...(this.options.through ?? []), brokerd];
    this.process = spawn(file, [...first,
      "--data-dir", this.data,
      "--listen", `ws://127.0.0.1:${ws}`, "--listen", `mqtt://127.0.0.1:${mqtt}`,
      "--listen", `stomp://127.0.0.1:${stomp}`, "--listen", `tcp://127.0.0.1:${tcp}`,
      "--admin-socket", this.socket, "--admin-http", `127.0.0.1:${admin}`,
      "--threads", String(this.options.threads ?? 2), ...(this.options.flags ?? []),
    ], { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...this.options.env } });
    const collect = (chunk) => { this.log += chunk; };
    this.process.stdout.on("data", collect);
    this.process.stderr.on("data", collect);
    this.exited = once(this.process, "exit");
    const deadline = Date.now() + 20_000;
    while (!(await accepts(ws)) || !(await accepts(admin))) {
      if (this.process.exitCode !== null || Date.now() > deadline) throw new Error(`brokerd did not start:\n${this.log}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  // The process dies as in a power cut of its own: no goodbye, nothing flushed.
  async kill() {
    this.process.kill("SIGKILL");
    await this.exited;
  }

  // Returns the exit status of an orderly stop.
  async stop(signal = "SIGTERM") {
    if (this.process.exitCode === null && this.process.signalCode === null) this.process.kill(signal);
    const [code] = await this.exited;
    return code;
  }

  async dispose() {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      this.process.kill("SIGKILL");
      await this.exited;
    }
    await rm(this.dataDir, { recursive: true, force: true });
  }

  // Resolves with a function: the sum of a family's series in /metrics, or of those whose labels hold every word.
  async metrics() {
    const text = await (await fetch(`http://127.0.0.1:${this.ports.admin}/metrics`)).text();
    const series = text.split("\n").filter((line) => line && !line.startsWith("#")).map((line) => {
      const [, name, labels, value] = /^([a-z_]+)(\{.*\})? (.+)$/.exec(line);
      return { name, labels: labels ?? "", value: Number(value) };
    });
    return (name, ...words) => {
      const found = series.filter((s) => s.name === name && words.every((w) => s.labels.includes(`"${w}"`)));
      return found.length === 0 ? undefined : found.reduce((sum, s) => sum + s.value, 0);
    };
  }

  // Lines of the log whose text matches.
  said(pattern) {
    return this.log.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line)).filter(({ msg }) => pattern.test(msg));
  }

  // brokerctl with this broker's socket: { code, stdout, stderr }.
  async ctl(...args) {
    try {
      const { stdout, stderr } = await promisify(execFile)(brokerctl, ["--socket", this.socket, ...args]);
      return { code: 0, stdout, stderr };
    } catch (error) {
      return { code: error.code, stdout: error.stdout, stderr: error.stderr };
    }
  }
}

// How long a start may take to refuse. SLOWNESS: of sanitizers and of machines with other work, in times.
export const refusal_within_ms = 2000 * Number(process.env.SLOWNESS ?? 1);

// A start that must fail: with this status, in time, in one line that matches every pattern. `words`: brokerd, as it
// is started.
export async function refused(args, status, patterns, words = [brokerd]) {
  const started = Date.now();
  const [file, ...first] = words;
  const run = await command(file, [...first, ...args]);
  assert.ok(Date.now() - started < refusal_within_ms, `refused in ${Date.now() - started} ms`);
  assert.equal(run.code, status, run.stderr);
  const lines = run.stderr.trim().split("\n");
  assert.equal(lines.length, 1, run.stderr);
  for (const pattern of patterns) assert.match(lines[0], pattern);
  return lines[0];
}

export async function command(file, args, options = {}) {
  const child = spawn(file, args, { stdio: ["pipe", "pipe", "pipe"], ...options });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => { stdout += chunk; });
  child.stderr.on("data", (chunk) => { stderr += chunk; });
  child.stdin.on("error", (error) => {  // a child may end without having read its input
    if (error.code !== "EPIPE") throw error;
  });
  child.stdin.end(options.input ?? "");
  const [code] = await once(child, "close");
  return { code, stdout, stderr };
}
