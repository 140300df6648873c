// mqtt.js with what tests need: messages to wait for, acknowledgements to hold back, and one way to say "kept session" in
// every version.
import mqtt from "mqtt";
import WebSocket from "ws";

const patience = 30_000; // a test that waits longer has failed

// Resolves once `condition()` holds; looks again whenever something may have changed.
export async function until(condition, what) {
  const deadline = Date.now() + patience;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export class MqttClient {
  // version: 3 (3.1), 4 (3.1.1) or 5. id: empty for one from the server. kept: seconds the session lives on (versions 3
  // and 4: forever). clean: as in MQTT, by default the opposite of kept. properties: of CONNECT, version 5. The others are
  // mqtt.js options.
  static async connect(url, version, { id = "", kept = 0, clean = kept === 0, properties = {}, holds = false, ...options } = {}) {
    const client = new MqttClient();
    client.version = version;
    client.messages = [];
    client.packets = []; // PUBLISH packets as they came
    client.acks = [];    // PUBACK and PUBREC packets
    client.holding = holds;
    client.held = [];
    client.ended = false;
    const v5 = version === 5 ? { properties: { sessionExpiryInterval: kept, ...properties } } : {};
    client.mqtt = mqtt.connect(url, {
      protocolVersion: version, protocolId: version === 3 ? "MQIsdp" : "MQTT", clientId: id, clean,
      reconnectPeriod: 0, connectTimeout: patience, keepalive: 0, ...v5, ...options,
      createWebsocket: (to, protocols, { wsOptions }) => {
        client.socket = new WebSocket(to, protocols, wsOptions).on("close", (code) => { client.closeCode = code; });
        return client.socket;
      },
    });
    client.watch();
    client.mqtt.on("connect", (connack) => { client.connack = connack; });
    await until(() => client.connack || client.ended, "CONNACK");
    if (!client.connack) throw new Error(`CONNECT refused: ${client.error ?? "closed"}`);
    client.present = client.connack.sessionPresent;
    return client;
  }

  watch() {
    this.mqtt.on("message", (topic, payload, packet) => {
      this.messages.push({ topic, text: payload.toString(), payload, qos: packet.qos, retain: packet.retain, dup: packet.dup,
                           id: packet.messageId, properties: packet.properties ?? {} });
    });
    this.mqtt.on("packetreceive", (packet) => {
      if (packet.cmd === "publish") this.packets.push(packet);
      if (packet.cmd === "puback" || packet.cmd === "pubrec") this.acks.push(packet);
    });
    this.mqtt.on("disconnect", (packet) => { this.goodbye = packet.reasonCode; });
    this.mqtt.on("close", () => { this.ended = true; });
    this.mqtt.on("error", (error) => { this.error ??= error; }); // a refusal, then the reset
    const send = this.mqtt._sendPacket.bind(this.mqtt);
    this.mqtt._sendPacket = (packet, done, ...rest) => {
      if (!this.holding || !["puback", "pubrec", "pubcomp"].includes(packet.cmd)) return send(packet, done, ...rest);
      this.held.push(packet);
      done?.();
    };
  }

  // The next `count` messages, in order.
  async take(count = 1) {
    await until(() => this.messages.length >= count || this.ended, `${count} messages, got ${this.texts()}`);
    if (this.messages.length < count) throw new Error(`closed after ${this.texts()}`);
    return this.messages.splice(0, count);
  }
  async takeTexts(count = 1) { return (await this.take(count)).map((m) => m.text); }
  texts() { return this.messages.map((m) => m.text); }

  // Acknowledgements held back so far go out; later ones do so by themselves.
  letGo(count = this.held.length) {
    for (const packet of this.held.splice(0, count)) this.raw(packet);
  }
  raw(packet) { this.mqtt._writePacket(packet); } // as it is, past mqtt.js's own rules

  // What SUBACK granted, one code a filter.
  async subscribe(filter, qos = 2, options = {}) {
    const filters = [].concat(filter);
    return new Promise((resolve, reject) => {
      this.mqtt.subscribe(filters, { qos, ...options }, (error, granted, suback) => (error ? reject(error) : resolve(suback.granted)));
    });
  }
  async unsubscribe(filter) { await this.mqtt.unsubscribeAsync(filter); }
  // Resolves once it is acknowledged, at QoS 0 once it is written.
  async publish(topic, payload, qos = 1, options = {}) {
    return new Promise((resolve, reject) => {
      this.mqtt.publish(topic, payload, { qos, ...options }, (error) => (error ? reject(error) : resolve()));
    });
  }

  async closed() { await until(() => this.ended, "the connection's end"); }
  // Leaves with DISCONNECT.
  async leave(properties) {
    if (this.ended) return;
    await this.mqtt.endAsync(false, properties && this.version === 5 ? { reasonCode: 0, properties } : {});
  }
  // The socket goes without a word.
  async cut() {
    if (this.ended) return;
    this.mqtt.stream.destroy();
    await this.closed();
    this.mqtt.end(true);
  }
}
