// An HTTP or HTTPS server whose answer a test chooses, and tokens signed by keys it makes.
import { generateKeyPairSync, sign } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import https from "node:https";

// answer(request, body): { status, body } or nothing: it never answers. May be asynchronous.
export class Peer {
  static async start(answer, { tls, port = 0 } = {}) {
    const peer = new Peer();
    peer.answer = answer;
    peer.requests = []; // { method, url, headers, body }
    const handle = async (request, response) => {
      let body = "";
      for await (const piece of request) body += piece;
      peer.requests.push({ method: request.method, url: request.url, headers: request.headers, body });
      const given = await peer.answer(peer.requests.at(-1));
      if (given === undefined) return;
      response.writeHead(given.status ?? 200, given.headers ?? {});
      response.end(given.body ?? "");
    };
    peer.server = tls ? https.createServer(tls, handle) : http.createServer(handle);
    peer.server.listen(port, "127.0.0.1");
    await once(peer.server, "listening");
    peer.scheme = tls ? "https" : "http";
    peer.port = peer.server.address().port;
    return peer;
  }
  url(path = "/", host = "127.0.0.1") { return `${this.scheme}://${host}:${this.port}${path}`; }
  async stop() {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, "close");
  }
}

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

export class SigningKey {
  constructor(kid) {
    this.kid = kid;
    Object.assign(this, generateKeyPairSync("ed25519"));
  }
  get jwk() { return { ...this.publicKey.export({ format: "jwk" }), kid: this.kid, alg: "EdDSA", use: "sig" }; }
  token(claims = {}) {
    const text = `${encode({ alg: "EdDSA", kid: this.kid })}.${encode({ sub: "tom", exp: Math.floor(Date.now() / 1000) + 300, ...claims })}`;
    return `${text}.${sign(null, Buffer.from(text), this.privateKey).toString("base64url")}`;
  }
}
export const jwks = (...keys) => ({ body: JSON.stringify({ keys: keys.map((k) => k.jwk) }) });
