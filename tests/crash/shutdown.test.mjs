// SIGTERM and SIGINT under load: everybody is told, the process ends with 0 within five seconds, and what was acknowledged up
// to the last moment is there.
import { test } from "node:test";
import assert from "node:assert/strict";
import net from "node:net";
import { Broker } from "../e2e/support/broker.mjs";
import { MqttClient, until } from "../e2e/support/mqtt_client.mjs";
import { stompWorld } from "../e2e/support/parties.mjs";
import { StompClient } from "../e2e/support/stomp_scenarios.mjs";
import { MqttLoad, StompLoad, checkReceived, leaveReceiver, numbered, roomy } from "./support/load.mjs";

const server_shutting_down = 0x8b;

// Subscribes to the load and takes nothing of it: the socket is full, and what is owed to it cannot be written.
async function stalled(port) {
  const socket = net.connect(port, "127.0.0.1").on("error", () => {});
  socket.write("CONNECT\naccept-version:1.2\nhost:brokerd\n\n\0SUBSCRIBE\nid:1\ndestination:/topic/load/#\n\n\0");
  await new Promise((resolve) => { socket.once("data", resolve); });
  socket.pause();
  return socket;
}

for (const signal of ["SIGTERM", "SIGINT"]) {
  test(`${signal} under load`, async () => {
    const broker = await Broker.start({ env: roomy });
    try {
      const tcp = `mqtt://127.0.0.1:${broker.ports.mqtt}`;
      await leaveReceiver(tcp);
      const idle = [await MqttClient.connect(tcp, 5), await MqttClient.connect(broker.wsUrl, 5), await MqttClient.connect(broker.wsUrl, 4)];
      for (const client of idle.slice(0, 2)) await client.subscribe("load/#", 1);
      const stomp = await StompClient.connect(stompWorld(broker, "shutdown"));
      await stomp.subscribe("/topic/load/#");
      const silent = await stalled(broker.ports.stomp);
      const loads = [
        await MqttLoad.start(tcp, 5, "a"), await MqttLoad.start(broker.wsUrl, 5, "b", { qos: 2 }), await MqttLoad.start(tcp, 4, "c", { qos: 2 }),
        await StompLoad.start(broker.ports.stomp, "d", { body: numbered(8192) }),
      ];
      const enough = 200 + Math.floor(Math.random() * 300);
      for (const load of loads) await load.acknowledges(enough);

      const started = Date.now();
      assert.equal(await broker.stop(signal), 0, broker.log);
      assert.ok(Date.now() - started < 5000 * Number(process.env.SLOWNESS ?? 1), `stopped after ${Date.now() - started} ms`);
      silent.destroy();
      for (const load of loads) await until(() => load.ended, `the end of ${load.name}`);
      for (const client of idle) await client.closed();
      await until(() => stomp.closes === 1, "the end of the STOMP client");
      for (const client of [idle[0], idle[1], loads[0].client, loads[1].client]) assert.equal(client.goodbye, server_shutting_down);
      for (const client of [idle[1], idle[2], loads[1].client, stomp]) assert.equal(client.closeCode, 1001);
      assert.equal(stomp.errors[0]?.code, "server_shutting_down");
      assert.equal(loads[3].error?.code, "server_shutting_down");
      assert.ok(broker.said(/^stopped$/).length === 1, broker.log);

      await broker.run();
      assert.equal(broker.said(/left out|damaged/).length, 0, broker.log);
      const { away, count } = await checkReceived(tcp, loads);
      assert.ok(count >= 4 * enough, `${count} received`);
      await away.leave();
    } finally {
      await broker.dispose();
    }
  });
}
