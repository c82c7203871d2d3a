/** Callouts in mixed clusters: the service is connected to one server, clients come to another, of either kind. */
import { createAccount, createCurve } from "@nats-io/nkeys";
import { describe, expect, it } from "vitest";
import { answerTo, CalloutService } from "../support/callout-service.ts";
import { Clients, reaches } from "../support/cluster-clients.ts";
import { missingKinds, type ServerKind } from "../support/cluster-programs.ts";
import { startMembers } from "../support/cluster.ts";

const issuer = createAccount();
const curve = createCurve();
const missing = missingKinds(["nats-new"]);

const pairs: [ServerKind, ServerKind][] = [
  ["nats-new", "nats-new"],
  ["shoal", "nats-new"],
  ["nats-new", "shoal"],
  ["shoal", "shoal"],
];

const linesFor = (more: string): string[] => [
  "accounts {",
  "  AUTH { users: [{ user: auth, password: auth }] }",
  "  APP { users: [{ user: fixed, password: f }] }",
  "}",
  "authorization {",
  `  timeout: 5, auth_callout { issuer: ${issuer.getPublicKey()}, account: AUTH, auth_users: [auth] ${more} }`,
  "}",
];

for (const kinds of pairs) {
  const isUntestable = kinds.some((kind) => missing.includes(kind));
  describe.skipIf(isUntestable)(`the service on ${kinds[0]}, clients on ${kinds[1]}`, () => {
    it.each([
      { how: "in plaintext", key: undefined },
      { how: "encrypted", key: curve },
    ])("admits and refuses, $how", async ({ key }) => {
      const serverLines = linesFor(key === undefined ? "" : `, xkey: ${key.getPublicKey()}`);
      await using cluster = await startMembers(
        kinds.map((kind, index) => ({ kind, name: `m${index}`, clusterLines: ["name: mixed"], serverLines })),
      );
      await using clients = new Clients();
      await cluster.fullMesh();
      const [near, far] = cluster.members;
      await using service = await CalloutService.start({
        servers: near!.clientUrl,
        curve: key,
        decide: (request) =>
          answerTo(request, issuer, request.nats.connect_opts.user === "bob" ? { error: "not bob" } : {}),
      });
      const there = await clients.connect(far!, { user: "auth", pass: "auth" });
      await reaches(there, service.connection);
      const client = await clients.connect(far!, { user: "alice", pass: "x" });
      const answer = await client.request("$SYS.REQ.USER.INFO", "", { timeout: 5000 });
      expect(answer.json()).toMatchObject({ data: { account: "APP", user: "alice" } });
      expect(service.requests.at(-1)!.nats.server_id).toMatchObject({ name: "m1", cluster: "mixed" });
      await expect(clients.connect(far!, { user: "bob", pass: "x" })).rejects.toThrow(
        "Authorization Violation",
      );
    });
  });
}
