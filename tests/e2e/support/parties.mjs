// mqtt.js, stompjs and stomp.py behind one face, for what both protocols have: a place to publish to and receive from, and
// messages. A place has a name in either protocol; options are given for either, and each client takes its own.
import { Client, Versions } from "@stomp/stompjs";
import WebSocket from "ws";
import { MqttClient, until } from "./mqtt_client.mjs";
import { StompClient, take } from "./stomp_scenarios.mjs";
import { StompPy } from "./stomp_py.mjs";

globalThis.WebSocket = WebSocket; // as in a browser

export const topic = (name) => ({ mqtt: name, stomp: `/topic/${name}` });
export const queue = (name) => ({ mqtt: `$queue/${name}`, stomp: `/queue/${name}` });

export class Mqtt {
  protocol = "mqtt";
  constructor(client) {
    this.client = client;
    this.name = client.version === 5 ? "mqtt.js 5" : "mqtt.js 3.1.1";
    this.has_properties = client.version === 5;
  }

  // Resolves with where the messages come in; with this client, in one place for all subscriptions.
  async subscribe({ mqtt }, { qos = 1 } = {}) {
    const [granted] = await this.client.subscribe(mqtt, qos);
    if (granted !== qos) throw new Error(`${this.name}: ${mqtt} granted with ${granted}`);
    const inbox = {
      take: async (count = 1) => (await this.client.take(count)).map((m) => ({
        name: m.topic, body: m.payload, text: m.text, qos: m.qos, retain: m.retain, dup: m.dup, properties: m.properties,
        free: { ...m.properties.userProperties }, // a name that came twice has an array
      })),
      unsubscribe: () => this.client.unsubscribe(mqtt),
    };
    return inbox;
  }
  async publish({ mqtt }, body, { mqtt: { qos = 1, properties, ...options } = {} } = {}) {
    await this.client.publish(mqtt, Buffer.from(body), qos, this.has_properties ? { properties, ...options } : options);
  }
  leave() { return this.client.leave(); }
  cut() { return this.client.cut(); }
}

class Stomp {
  protocol = "stomp";
  has_properties = true;
}

const message = (headers, names, body, answers) => ({ name: headers.destination, body, text: body.toString(), headers, names, ...answers });

export class StompJs extends Stomp {
  name = "stompjs";
  constructor(client) { super(); this.client = client; }
  async subscribe({ stomp }, headers = {}) {
    const subscription = await this.client.subscribe(stomp, headers);
    return {
      take: async (count = 1) => (await take(subscription, count)).map((m) => message(
        // stompjs goes through the headers from the last to the first, so that the first of a name is what stays
        m.headers, Object.keys(m.headers).reverse(), Buffer.from(m.binaryBody),
        { ack: () => this.client.ack(m), nack: (more) => this.client.nack(m, more) })),
      unsubscribe: (more) => this.client.unsubscribe(subscription, more),
    };
  }
  async publish({ stomp }, body, { stomp: headers } = {}) { await this.client.send(stomp, typeof body === "string" ? body : new Uint8Array(body), headers); }
  async begin(name) { this.transaction = this.client.stomp.begin(name); }
  async commit() { this.transaction.commit(); }
  leave() { return this.client.leave(); }
  async cut() {
    const closes = this.client.closes;
    this.client.cut();
    await until(() => this.client.closes > closes, "the connection's end");
  }
}

export class StompPython extends Stomp {
  name = "stomp.py";
  constructor(client) { super(); this.client = client; }
  async subscribe({ stomp }, headers = {}) {
    const id = await this.client.subscribe(stomp, headers);
    return {
      take: async (count = 1) => (await this.client.take(count)).map((m) => message(
        m.headers, m.names, m.body, { ack: () => this.client.ack(m), nack: (more) => this.client.nack(m, more) })),
      unsubscribe: (more) => this.client.unsubscribe(id, more),
    };
  }
  async publish({ stomp }, body, { stomp: headers } = {}) { await this.client.send(stomp, body, headers); }
  begin(name) { return this.client.begin(name); }
  commit(name) { return this.client.commit(name); }
  leave() { return this.client.leave(); }
  cut() { return this.client.cut(); }
}

// What stompjs clients of this broker have in common.
export const stompWorld = (broker, prefix, clients = []) => ({ Client, Versions, WebSocket, url: broker.wsUrl, version: "1.2", prefix, clients });

let prefixes = 0;

// Clients of one broker, one of each kind to begin with, and names nobody else uses.
export class Parties {
  static async meet(broker, python) {
    const parties = new Parties();
    Object.assign(parties, { broker, python, prefix: `mix${++prefixes}`, clients: [] }); // clients: of stompjs, kept by itself
    parties.mqtt4 = await parties.mqtt(4);
    parties.mqtt5 = await parties.mqtt(5);
    parties.js = await parties.stompjs();
    parties.py = await parties.stomp_py();
    parties.all = [parties.mqtt4, parties.mqtt5, parties.js, parties.py];
    return parties;
  }
  mqtts = [];
  others = [];

  async mqtt(version, options = {}) {
    const client = await MqttClient.connect(`mqtt://127.0.0.1:${this.broker.ports.mqtt}`, version, options);
    this.mqtts.push(client);
    return new Mqtt(client);
  }
  async stompjs(headers = {}) {
    return new StompJs(await StompClient.connect(stompWorld(this.broker, this.prefix, this.clients), { headers }));
  }
  async stomp_py(headers = {}, version = "1.2") {
    const client = await this.python.connect(this.broker.ports.stomp, version, headers);
    this.others.push(client);
    return new StompPython(client);
  }
  // One more client like `one`. headers and options: of CONNECT.
  another(one, { headers = {}, ...options } = {}) {
    if (one instanceof Mqtt) return this.mqtt(one.client.version, options);
    return one instanceof StompJs ? this.stompjs(headers) : this.stomp_py(headers);
  }

  topic(rest = "t") { return topic(`${this.prefix}/${rest}`); }
  queue(rest = "q") { return queue(`${this.prefix}-${rest}`); }

  async part() {
    await Promise.all([...this.mqtts.map((c) => c.cut()), ...this.clients.map((c) => c.leave()), ...this.others.map((c) => c.leave())]);
  }
}
