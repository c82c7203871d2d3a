/** What the service of a callout is told of TLS and of the client's certificate: the same by shoal and by the real nats-server. */
import { connect } from "@nats-io/transport-node";
import { createAccount } from "@nats-io/nkeys";
import { X509Certificate } from "node:crypto";
import { describe, expect, it } from "vitest";
import { answerTo, claimsOf, type CalloutRequest } from "../support/callout-service.ts";
import { Authority, missingOpenssl } from "../support/certificates.ts";
import { bothServers } from "../support/both-servers.ts";
import { startServer } from "../support/nats-server.ts";

const issuer = createAccount();

describe.skipIf(missingOpenssl()).each(bothServers)("a callout of $name", ({ command }) => {
  it("tells of TLS and of the verified chain", async () => {
    using authority = new Authority();
    const own = authority.issue({ names: "DNS:localhost,IP:127.0.0.1" });
    const { certFile, keyFile } = authority.issue({ subject: "/CN=me", usage: "clientAuth" });
    const server = await startServer(
      command,
      `accounts { AUTH { users: [{ user: auth, password: auth }] }, APP { users: [{ user: a, password: a }] } }
tls { cert_file: "${own.certFile}", key_file: "${own.keyFile}", ca_file: "${authority.caFile}", verify: true }
authorization { timeout: 5, auth_callout { issuer: ${issuer.getPublicKey()}, account: AUTH, auth_users: [auth] } }`,
    );
    const options = {
      servers: `nats://127.0.0.1:${server.port}`,
      tls: { certFile, keyFile, caFile: authority.caFile },
    };
    const told: unknown[] = [];
    const service = await connect({ ...options, user: "auth", pass: "auth" });
    try {
      service.subscribe("$SYS.REQ.USER.AUTH", {
        callback(_, message) {
          const request = claimsOf(message.string()) as CalloutRequest;
          told.push(request.nats.client_tls);
          message.respond(answerTo(request, issuer));
        },
      });
      await service.flush();
      await (await connect({ ...options, user: "alice", pass: "x" })).close();
      expect(told).toEqual([
        {
          version: "1.3",
          cipher: "TLS_AES_128_GCM_SHA256",
          verified_chains: [[expect.any(String), expect.any(String)]],
        },
      ]);
      const [chain] = (told[0] as { verified_chains: string[][] }).verified_chains;
      expect(chain!.map((pem) => new X509Certificate(pem).subject)).toEqual(["CN=me", "CN=authority"]);
    } finally {
      await service.close();
      await server.stop();
    }
  });
});
