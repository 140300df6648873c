// STOMP as @stomp/stompjs speaks it: one table, run in Node and in a browser page, so it knows nothing of either. What a scenario
// works with is its `world`: Client and Versions of the library, WebSocket, url, version, prefix (its own names), and
// restart("SIGKILL" | "SIGTERM") of the broker for those that say so.

const patience = 10_000;

export async function until(condition, what) {
  const deadline = Date.now() + patience;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function same(got, expected, what = "") {
  const [a, b] = [JSON.stringify(got), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what}: ${a?.slice(0, 500)} instead of ${b?.slice(0, 500)}`);
}

let clients = 0;

export class StompClient {
  static async connect(world, { headers = {}, beats = [0, 0], reconnects = false } = {}) {
    const made = new StompClient();
    Object.assign(made, { world, connects: 0, errors: [], closes: 0, receipts: 0, subscriptions: [], pings: 0, pongs: 0, kinds: [] });
    world.clients.push(made);
    const versions = new world.Versions([world.version]);
    made.stomp = new world.Client({
      webSocketFactory: () => {
        const socket = new world.WebSocket(world.url, versions.protocolVersions());
        socket.addEventListener("message", ({ data }) => { made.kinds.push(typeof data === "string" ? "text" : "binary"); });
        return socket;
      },
      stompVersions: versions, reconnectDelay: reconnects ? 30 : 0,
      heartbeatOutgoing: beats[0], heartbeatIncoming: beats[1],
      connectHeaders: { "client-id": `${world.prefix}-${++clients}`, ...headers },
      debug: (line) => { made.pings += line.includes(">>> PING"); made.pongs += line.includes("<<< PONG"); },
    });
    made.stomp.onConnect = (frame) => {
      made.connected = frame.headers;
      for (const s of made.subscriptions) made.listen(s);
      ++made.connects;
    };
    made.stomp.onStompError = (frame) => { made.errors.push({ ...frame.headers, body: frame.body }); };
    made.stomp.onWebSocketClose = ({ code }) => { ++made.closes; made.closeCode = code; };
    made.stomp.activate();
    await until(() => made.connects !== 0 || made.errors.length !== 0, "CONNECTED");
    return made;
  }

  // Resolves with the RECEIPT of the frame that `say` sends with the given headers.
  async receipted(say, headers = {}) {
    const receipt = `receipt-${++this.receipts}`;
    const came = new Promise((resolve) => { this.stomp.watchForReceipt(receipt, resolve); });
    say({ ...headers, receipt });
    await came;
  }

  listen(s, receipt = {}) { s.handle = this.stomp.subscribe(s.destination, (m) => s.messages.push(m), { ...s.headers, ...receipt, id: s.id }); }
  async subscribe(destination, headers = {}) {
    const s = { destination, headers, id: `sub-${this.subscriptions.length}`, messages: [] };
    await this.receipted((receipt) => this.listen(s, receipt));
    this.subscriptions.push(s);
    return s;
  }
  async unsubscribe(s, headers = {}) {
    this.subscriptions = this.subscriptions.filter((one) => one !== s);
    await this.receipted((all) => s.handle.unsubscribe(all), headers);
  }
  send(destination, body, headers = {}) {
    const content = typeof body === "string" ? { body } : { binaryBody: body };
    return this.receipted((all) => this.stomp.publish({ destination, ...content, headers: all }), headers);
  }
  ack(m, headers = {}) { return this.receipted((all) => m.ack(all), headers); }
  nack(m, headers = {}) { return this.receipted((all) => m.nack(all), headers); }
  async leave() { await this.stomp.deactivate(); }
  cut() { this.stomp.reconnectDelay = 0; this.stomp.forceDisconnect(); } // no DISCONNECT
}

export async function take(subscription, count) {
  await until(() => subscription.messages.length >= count, `${count} messages of ${subscription.destination}, there are ${subscription.messages.length}`);
  return subscription.messages.splice(0, count);
}
const bodies = (messages) => messages.map((m) => m.body);
export const takeBodies = async (subscription, count) => bodies(await take(subscription, count));

// What is left in a queue, in order: a consumer takes all before a last message.
async function left(world, queue) {
  const client = await StompClient.connect(world);
  const found = await client.subscribe(queue);
  await client.send(queue, "the last");
  await until(() => found.messages.at(-1)?.body === "the last", "the last message");
  await client.unsubscribe(found);
  return bodies(found.messages.slice(0, -1));
}

const all = ["1.0", "1.1", "1.2"];
const not_1_0 = ["1.1", "1.2"];
export const scenarios = [];
const scenario = (name, versions, run, options = {}) => scenarios.push({ name, versions, run, ...options });

// A consumer that holds these messages of a queue, and the queue's name.
async function consumer_of(world, mode, texts, headers = {}) {
  const queue = `/queue/${world.prefix}`;
  const client = await StompClient.connect(world);
  const subscription = await client.subscribe(queue, { ack: mode, ...headers });
  for (const text of texts) await client.send(queue, text);
  return { queue, client, subscription, messages: await take(subscription, texts.length) };
}

scenario("CONNECTED says the version that was asked for, and the server", all, async (world) => {
  const client = await StompClient.connect(world);
  same(client.connected.version, world.version, "version");
  same(/brokerd/.test(client.connected.server), true, "server");
});

scenario("a topic, text and headers", all, async (world) => {
  const client = await StompClient.connect(world);
  const got = await client.subscribe(`/topic/${world.prefix}/*`);
  const plain = { shade: "blue", "x-free": "a=b; c" };
  const special = world.version === "1.2" ? { special: "line\nanother: one" } : {}; // the library escapes values, in 1.2
  await client.send(`/topic/${world.prefix}/a`, "grüß dich", { "content-type": "text/plain", ...plain, ...special });
  const [m] = await take(got, 1);
  same(m.body, "grüß dich");
  same(m.headers.destination, `/topic/${world.prefix}/a`);
  for (const [name, value] of Object.entries({ "content-type": "text/plain", ...plain, ...special })) same(m.headers[name], value, name);
});

scenario("auto: delivered is done", all, async (world) => {
  const { queue, client } = await consumer_of(world, "auto", ["1", "2", "3"]);
  await client.leave();
  same(await left(world, queue), []);
});

scenario("client: ACK covers what came before it", all, async (world) => {
  const { queue, client, messages } = await consumer_of(world, "client", ["1", "2", "3"]);
  await client.ack(messages[1]);
  await client.leave();
  same(await left(world, queue), ["3"]);
});

scenario("client: ACK covers its own subscription only", not_1_0, async (world) => {
  const { queue, client, messages } = await consumer_of(world, "client", ["1", "2"]);
  const other = await client.subscribe(`${queue}-other`, { ack: "client" });
  await client.send(`${queue}-other`, "3");
  const [third] = await take(other, 1);
  await client.ack(third);
  await client.leave();
  same(await left(world, queue), ["1", "2"]);
  same(await left(world, `${queue}-other`), []);
  same(messages.length, 2);
});

scenario("client-individual: ACK covers its message only", not_1_0, async (world) => {
  const { queue, client, messages } = await consumer_of(world, "client-individual", ["1", "2", "3"]);
  await client.ack(messages[1]);
  await client.leave();
  same(await left(world, queue), ["1", "3"]);
});

scenario("NACK: it comes again, marked and counted", not_1_0, async (world) => {
  const { client, subscription, messages } = await consumer_of(world, "client-individual", ["x"]);
  same(messages[0].headers.redelivered, undefined);
  await client.nack(messages[0]);
  const [again] = await take(subscription, 1);
  same([again.body, again.headers.redelivered, again.headers["redelivery-count"]], ["x", "true", "1"]);
  await client.ack(again);
});

scenario("NACK with requeue:false: to the dead-letter queue, with why and whence", not_1_0, async (world) => {
  const { queue, client, messages } = await consumer_of(world, "client-individual", ["x"]);
  await client.nack(messages[0], { requeue: "false" });
  const dead = await client.subscribe(queue.replace("/queue/", "/queue/dlq."));
  const [letter] = await take(dead, 1);
  same([letter.body, letter.headers["dlq-reason"], letter.headers["dlq-original-destination"]], ["x", "rejected", queue]);
});

scenario("what a consumer leaves goes to another, in order and marked", all, async (world) => {
  const { queue, client } = await consumer_of(world, "client", ["1", "2", "3"]);
  const other = await StompClient.connect(world);
  const got = await other.subscribe(queue);
  client.cut();
  const messages = await take(got, 3);
  same(bodies(messages), ["1", "2", "3"]);
  same(messages.map((m) => m.headers.redelivered), ["true", "true", "true"]);
});

scenario("competing consumers: each message goes to one, by turns", all, async (world) => {
  const queue = `/queue/${world.prefix}`;
  const subscriptions = [];
  for (let i = 0; i < 2; ++i) subscriptions.push(await (await StompClient.connect(world)).subscribe(queue));
  const sender = await StompClient.connect(world);
  const texts = Array.from({ length: 20 }, (_, i) => `${i}`);
  for (const text of texts) await sender.send(queue, text);
  const shares = [];
  for (const s of subscriptions) shares.push(await takeBodies(s, 10));
  same(shares.flat().sort(), [...texts].sort());
});

scenario("prefetch-count: no more than that before an ACK", not_1_0, async (world) => {
  const { client, subscription, messages } = await consumer_of(world, "client-individual", ["1", "2"], { "prefetch-count": "2" });
  await client.send(subscription.destination, "3");
  await client.send(subscription.destination, "4");
  same(subscription.messages.length, 0, "beyond the prefetch");
  await client.ack(messages[0]);
  same(await takeBodies(subscription, 1), ["3"]);
});

scenario("a transaction: invisible before COMMIT, gone after ABORT, several open at once", all, async (world) => {
  const client = await StompClient.connect(world);
  const got = await client.subscribe(`/topic/${world.prefix}`);
  const [one, two] = [client.stomp.begin("one"), client.stomp.begin("two")];
  for (const [transaction, text] of [["one", "1a"], ["two", "2"], ["one", "1b"]]) {
    await client.send(`/topic/${world.prefix}`, text, { transaction });
  }
  two.abort();
  await client.send(`/topic/${world.prefix}`, "outside");
  same(await takeBodies(got, 1), ["outside"]);
  one.commit();
  same(await takeBodies(got, 2), ["1a", "1b"]);
});

scenario("a transaction: ACKs count with COMMIT, not with ABORT", all, async (world) => {
  const { queue, client, messages } = await consumer_of(world, world.version === "1.0" ? "client" : "client-individual", ["1", "2"]);
  const undone = client.stomp.begin("undone");
  await client.ack(messages[1], { transaction: "undone" });
  undone.abort();
  const done = client.stomp.begin("done");
  await client.ack(messages[0], { transaction: "done" });
  done.commit();
  await client.leave();
  same(await left(world, queue), ["2"]);
});

for (const [what, end] of [["a connection that is lost", (client) => client.cut()], ["DISCONNECT", (client) => client.leave()]]) {
  scenario(`a transaction: ${what} undoes it`, all, async (world) => {
    const { queue, client, messages } = await consumer_of(world, "client", ["1"]);
    client.stomp.begin("t");
    await client.send(queue, "2", { transaction: "t" });
    await client.ack(messages[0], { transaction: "t" });
    await end(client);
    same(await left(world, queue), ["1"]);
  });
}

scenario("heart-beats both ways keep a connection, and count on both sides", not_1_0, async (world) => {
  // The library gives the server twice the interval: not so short that a busy machine misses it.
  const client = await StompClient.connect(world, { beats: [700, 700] });
  await until(() => client.pings >= 3 && client.pongs >= 3, "three beats each way");
  const got = await client.subscribe(`/topic/${world.prefix}`);
  await client.send(`/topic/${world.prefix}`, "alive");
  same(await takeBodies(got, 1), ["alive"]);
  same([client.closes, client.errors.length], [0, 0]);
});

scenario("a client that promised beats and falls silent is told and closed", not_1_0, async (world) => {
  const socket = new world.WebSocket(world.url, [`v${world.version.replace(".", "")}.stomp`]);
  let text = "";
  let closed = false;
  socket.onmessage = (event) => { text += event.data; };
  socket.onclose = () => { closed = true; };
  socket.onopen = () => { socket.send(`CONNECT\naccept-version:${world.version}\nhost:h\nheart-beat:50,0\n\n\0`); };
  await until(() => closed, "the end of a silent connection");
  same(/\nERROR\n|^ERROR\n|\0ERROR\n/.test(text) && text.includes("code:heartbeat"), true, text);
});

scenario("a binary body of 300 KB and a text body of 1 MB, byte for byte", all, async (world) => {
  const [sender, receiver] = [await StompClient.connect(world), await StompClient.connect(world)];
  const got = await receiver.subscribe(`/topic/${world.prefix}`);
  const binary = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
  const text = "häßlich ✓ ".repeat(75_000); // 1,050,000 bytes
  receiver.kinds.length = 0;
  await sender.send(`/topic/${world.prefix}`, binary);
  await sender.send(`/topic/${world.prefix}`, text, { "content-type": "text/plain" });
  const [first, second] = await take(got, 2);
  same(first.binaryBody.length, binary.length);
  same(first.binaryBody.every((byte, i) => byte === binary[i]), true, "binary body");
  same(second.body === text, true, "text body");
  same(receiver.kinds, ["binary", "text"], "kinds of WebSocket messages");
});

scenario("wrong frames: ERROR that says why, the end of this connection, and of no other", all, async (world) => {
  const witness = await StompClient.connect(world);
  const got = await witness.subscribe(`/topic/${world.prefix}/witness`);
  const wrong = [
    [(c) => c.stomp.publish({ destination: "/nowhere/a", body: "x" }), /known are \/topic\//],
    [(c) => c.stomp.publish({ destination: "/topic/a/#", body: "x" }), /wildcards/],
    [(c) => c.stomp.subscribe("/topic/a", () => {}, { selector: "a = 1" }), /selector/],
    [(c) => c.stomp.subscribe("/topic/a", () => {}, { ack: "sometimes" }), /ack mode/],
    [(c) => c.stomp.commit("never-begun"), /transaction/],
    [(c) => c.stomp.ack("no-such-message", "s"), /./],
  ];
  for (const [say, why] of wrong) {
    const client = await StompClient.connect(world);
    say(client);
    await until(() => client.errors.length === 1 && client.closes === 1, `an ERROR like ${why}`);
    same(why.test(client.errors[0].body), true, client.errors[0].body);
    same(client.errors[0].code, "protocol_error");
    same(Boolean(client.errors[0].message), true, "the header message");
    await witness.send(`/topic/${world.prefix}/witness`, "served");
    same(await takeBodies(got, 1), ["served"]);
  }
});

scenario("browser:true looks and takes nothing", all, async (world) => {
  const queue = `/queue/${world.prefix}`;
  const client = await StompClient.connect(world);
  for (const [text, priority] of [["low", "1"], ["high", "9"]]) await client.send(queue, text, { priority });
  const look = await client.subscribe(queue, { browser: "true" });
  const seen = await take(look, 3);
  same(bodies(seen), ["high", "low", ""]);
  same(seen[2].headers.browser, "end");
  same(await left(world, queue), ["high", "low"]);
});

scenario("request and reply through a temporary queue", all, async (world) => {
  const [service, asker] = [await StompClient.connect(world), await StompClient.connect(world)];
  const requests = await service.subscribe(`/queue/${world.prefix}/service`);
  const answers = await asker.subscribe("/temp-queue/answers");
  await asker.send(`/queue/${world.prefix}/service`, "what?", { "reply-to": "/temp-queue/answers", "correlation-id": "7" });
  const [request] = await take(requests, 1);
  await service.send(request.headers["reply-to"], "that", { "correlation-id": request.headers["correlation-id"] });
  const [answer] = await take(answers, 1);
  same([answer.body, answer.headers["correlation-id"]], ["that", "7"]);
});

scenario("a durable subscription keeps what comes while its client is away, and ends when told to", all, async (world) => {
  const who = { headers: { "client-id": `${world.prefix}-durable` } };
  const durable = { "durable-subscription-name": "news", ack: "client" };
  const first = await StompClient.connect(world, who);
  await first.subscribe(`/topic/${world.prefix}`, durable);
  await first.leave();
  const sender = await StompClient.connect(world);
  for (const text of ["1", "2"]) await sender.send(`/topic/${world.prefix}`, text);
  const back = await StompClient.connect(world, who);
  const got = await back.subscribe(`/topic/${world.prefix}`, durable);
  same(await takeBodies(got, 2), ["1", "2"]);
  await back.unsubscribe(got, durable);
  await sender.send(`/topic/${world.prefix}`, "3");
  const again = await back.subscribe(`/topic/${world.prefix}`, durable);
  await sender.send(`/topic/${world.prefix}`, "4");
  same(await takeBodies(again, 1), ["4"]);
});

for (const signal of ["SIGKILL", "SIGTERM"]) {
  scenario(`${signal} and restart: clients come back by themselves, what was acknowledged stays so`, all, async (world) => {
    const mode = world.version === "1.0" ? "client" : "client-individual";
    const queue = `/queue/${world.prefix}`;
    const consumer = await StompClient.connect(world, { reconnects: true });
    const held = await consumer.subscribe(queue, { ack: mode });
    const sender = await StompClient.connect(world, { reconnects: true });
    const away = { headers: { "client-id": `${world.prefix}-away` } };
    const durable = { "durable-subscription-name": "news" };
    const listener = await StompClient.connect(world, away);
    await listener.subscribe(`/topic/${world.prefix}`, durable);
    await listener.leave();
    for (const text of ["done", "2", "3"]) await sender.send(queue, text);
    const before = await take(held, 3);
    await consumer.ack(before[0]);
    await sender.send(`/topic/${world.prefix}`, "before");
    await world.restart(signal);
    await until(() => consumer.connects === 2 && sender.connects === 2, "both to come back");
    const after = await take(held, 2);
    same(after.map((m) => [m.body, m.headers.redelivered]), [["2", "true"], ["3", "true"]]);
    for (const m of after) await consumer.ack(m);
    await sender.send(`/topic/${world.prefix}`, "after");
    const back = await StompClient.connect(world, away);
    same(await takeBodies(await back.subscribe(`/topic/${world.prefix}`, durable), 2), ["before", "after"]);
    consumer.cut();
    same(await left(world, queue), []);
  }, { restarts: true });
}

// Runs one of the table, whatever becomes of it, without leaving a connection.
export async function play({ name, run }, world) {
  world.clients = [];
  world.prefix = `${name.replaceAll(/\W+/g, "-")}-${world.version.replace(".", "")}-${world.place}`;
  try {
    await run(world);
  } finally {
    for (const client of world.clients) client.cut();
  }
}
