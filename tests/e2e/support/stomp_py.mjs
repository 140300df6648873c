// stomp.py clients in a process of their own (stomp_py.py), told what to do by lines of JSON.
import { spawn } from "node:child_process";
import { once } from "node:events";
import readline from "node:readline";
import { fileURLToPath } from "node:url";
import { python } from "./broker.mjs";
import { until } from "./mqtt_client.mjs";

const script = fileURLToPath(new URL("stomp_py.py", import.meta.url));

export class StompPy {
  constructor() {
    this.process = spawn(python, [script], { stdio: ["pipe", "pipe", "inherit"] });
    this.waiting = []; // for the outcome of orders, in their order
    this.clients = [];
    readline.createInterface(this.process.stdout).on("line", (line) => this.heard(JSON.parse(line)));
    this.exited = once(this.process, "exit");
    this.exited.then(() => { for (const { reject } of this.waiting) reject(new Error("stomp.py's process is gone")); });
  }

  heard(event) {
    const client = this.clients[event.of];
    if (event.done) this.waiting.shift().resolve();
    else if (event.failed) this.waiting.shift().reject(new Error(event.failed));
    else if (event.error) client.error = event.error;
    else client.messages.push({ headers: Object.fromEntries(event.headers), names: event.headers.map(([name]) => name),
                                body: Buffer.from(event.body, "base64"), number: event.message });
  }

  order(of, what, args = {}) {
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.process.stdin.write(`${JSON.stringify({ of, do: what, ...args })}\n`);
    });
  }

  async connect(port, version, headers = {}) {
    const client = new StompPyClient(this, this.clients.length);
    this.clients.push(client);
    await client.order("connect", { port, version, headers });
    return client;
  }

  async stop() {
    this.process.stdin.end();
    await this.exited;
  }
}

// Everything resolves with its RECEIPT. A header whose value is an array is sent once for each.
class StompPyClient {
  constructor(service, number) { Object.assign(this, { service, number, messages: [], subscriptions: 0 }); }
  order(what, args) { return this.service.order(this.number, what, args); }

  async subscribe(destination, { ack = "auto", ...headers } = {}) {
    const id = `${++this.subscriptions}`;
    await this.order("subscribe", { destination, id, ack, headers });
    return id;
  }
  async unsubscribe(id, headers = {}) { await this.order("unsubscribe", { id, headers }); }
  async send(destination, body, headers = {}) {
    await this.order("send", { destination, body: Buffer.from(body).toString("base64"), headers });
  }
  async take(count = 1) {
    await until(() => this.messages.length >= count, `${count} messages, got ${this.messages.map((m) => m.body)}`);
    return this.messages.splice(0, count);
  }
  async ack(message) { await this.order("ack", { message: message.number }); }
  async nack(message, headers = {}) { await this.order("nack", { message: message.number, ...headers }); }
  async begin(name) { await this.order("begin", { name }); }
  async commit(name) { await this.order("commit", { name }); }
  async leave() { await this.order("leave"); }
  async cut() { await this.order("cut"); }
}
