/** Operations that arrive in several records of TLS at once are answered in one record. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { Duplex } from "node:stream";
import tls from "node:tls";
import { describe, expect, it } from "vitest";
import { Authority, missingOpenssl } from "../support/certificates.ts";
import { bothServers } from "../support/both-servers.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { startServer } from "../support/nats-server.ts";
import { line } from "../support/tls-client.ts";

const APPLICATION_DATA = 23;
const HEAD_BYTES = 5;
const COUNT = 5;
const [shoal] = bothServers;

/** How many records of application data these bytes hold; they begin and end with a record. */
function dataRecordsIn(bytes: Buffer): number {
  let count = 0;
  for (let at = 0; at < bytes.length; at += HEAD_BYTES + bytes.readUInt16BE(at + 3))
    if (bytes[at] === APPLICATION_DATA) count++;
  return count;
}

describe.skipIf(missingOpenssl())("operations in several records", () => {
  it.each(["TLSv1.2", "TLSv1.3"] as const)(
    "that come at once are answered in one, with %s",
    async (version) => {
      using authority = new Authority();
      const { certFile, keyFile } = authority.issue();
      const server = await startServer(
        shoal!.command,
        `tls { cert_file: "${certFile}", key_file: "${keyFile}", timeout: 60 }`,
      );
      const raw = connect({ port: server.port, host: "127.0.0.1", noDelay: true });
      try {
        await line(raw);
        const held: Buffer[] = [];
        let isHolding = false;
        let received: Buffer[] = [];
        const between = new Duplex({
          read: () => raw.resume(),
          write(chunk: Buffer, _encoding, done) {
            if (isHolding) held.push(chunk);
            else raw.write(chunk);
            done();
          },
        });
        raw.on("data", (chunk: Buffer) => {
          received.push(chunk);
          between.push(chunk);
        });
        const client = tls.connect({
          socket: between,
          ca: readFileSync(authority.caFile),
          servername: "localhost",
          minVersion: version,
          maxVersion: version,
        });
        await once(client, "secureConnect");
        let text = "";
        client.on("data", (chunk: Buffer) => (text += chunk.toString()));
        client.write('CONNECT {"verbose":false}\r\nPING\r\n');
        await waitFor("the PONG", () => text.includes("PONG\r\n"));
        received = [];
        isHolding = true;
        for (let i = 0; i < COUNT; i++) {
          client.write(`PUB nobody.${i} 0\r\n\r\nPING\r\n`);
          await waitFor("the record", () => held.length === i + 1);
        }
        text = "";
        raw.write(Buffer.concat(held));
        await waitFor("the answers", () => text.includes("PONG\r\n".repeat(COUNT)));
        // A server also pings by the clock.
        const pings = text.split("PING\r\n").length - 1;
        expect(dataRecordsIn(Buffer.concat(received))).toBeLessThanOrEqual(1 + pings);
      } finally {
        raw.destroy();
        await server.stop();
      }
    },
  );
});
