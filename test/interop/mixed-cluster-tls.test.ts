/**
 * Clusters of shoal and real nats-servers whose routes are secured by TLS: they form by names while gossip tells addresses, carry
 * messages, and keep out a server that has no certificate, a wrong one, or speaks plaintext.
 */
// oxlint-disable vitest/expect-expect -- awaiting a condition up to a deadline is the assertion
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  Authority,
  missingOpenssl,
  type Certificate,
  type CertificateWish,
} from "../support/certificates.ts";
import { allReach, Clients, reaches } from "../support/cluster-clients.ts";
import type { Member, MemberSpec } from "../support/cluster-member.ts";
import { missingKinds, type ServerKind } from "../support/cluster-programs.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { startMembers } from "../support/cluster.ts";

const isMissing = missingOpenssl();
const missing = missingKinds(["nats-2.9", "nats-new"]);

let authority: Authority;
let other: Authority;
let good: Certificate;

beforeAll(() => {
  if (isMissing) return;
  authority = new Authority();
  other = new Authority("another authority");
  // The name alone: gossip tells addresses, which this certificate does not have.
  good = authority.issue({ names: "DNS:localhost" });
});
afterAll(() => {
  authority?.[Symbol.dispose]();
  other?.[Symbol.dispose]();
});

interface Wish {
  readonly certificate?: Certificate;
  readonly caFile?: string;
  readonly more?: string;
  readonly lines?: readonly string[];
}

function member(kind: ServerKind, name: string, wish: Wish = {}): MemberSpec {
  const { certFile, keyFile } = wish.certificate ?? good;
  const files = `cert_file: "${certFile}", key_file: "${keyFile}", ca_file: "${wish.caFile ?? authority.caFile}"`;
  return {
    kind,
    name,
    clusterLines: ["name: mixed", `tls { ${files}, timeout: 5, ${wish.more ?? ""} }`, ...(wish.lines ?? [])],
  };
}

/** Takes servers in whose certificate has this name. */
function mapped(user: string): Wish {
  return { more: "verify_and_map: true", lines: [`authorization { user: "${user}", password: "x" }`] };
}

/** The seed by its name. */
function byName(one: Member, members: readonly Member[]): string[] {
  return one === members[0] ? [] : [`nats-route://localhost:${members[0]!.ports.cluster}`];
}

const mixes: ServerKind[][] = [
  ["shoal", "shoal", "shoal"],
  ["shoal", "nats-new", "shoal"],
  ["nats-new", "shoal", "nats-new"],
  ["nats-2.9", "shoal", "shoal"],
];

describe.skipIf(isMissing)("members with certificates for a name form one cluster", () => {
  for (const kinds of mixes) {
    it.skipIf(kinds.some((kind) => missing.includes(kind)))(`${kinds.join(" <- ")}`, async () => {
      const specs = kinds.map((kind, i) => member(kind, `m${i}`));
      await using cluster = await startMembers(specs, { routesOf: byName });
      await using clients = new Clients();
      await cluster.fullMesh();
      await allReach(await clients.connectAll(cluster.members));
    });
  }
});

describe.skipIf(isMissing || missing.includes("nats-new"))("a member is kept out", () => {
  const pairs: [seed: ServerKind, joiner: ServerKind][] = [
    ["shoal", "nats-new"],
    ["nats-new", "shoal"],
    ["shoal", "shoal"],
  ];
  const strangers: [title: string, wish: () => Wish][] = [
    ["whose certificate another authority signed", () => ({ certificate: other.issue() })],
    ["whose certificate has expired", () => ({ certificate: authority.issue({ days: -1 }) })],
    ["whose certificate is self-signed", () => ({ certificate: authority.issue({ isSelfSigned: true }) })],
    [
      "whose certificate comes without its intermediate",
      () => ({ certificate: authority.issue({ isMissingIntermediate: true }) }),
    ],
  ];
  for (const [seed, joiner] of pairs) {
    it.each(strangers)(`by ${seed}: ${joiner} %s`, async (_, wish) => {
      const specs = [member(seed, "seed"), member(joiner, "stranger", wish())];
      await using cluster = await startMembers(specs, { routesOf: byName });
      const [one] = cluster.members;
      await waitFor("the seed to log a failed handshake", () => /handshake error/.test(one!.logTail()));
      expect((await one!.peers())?.size ?? 0).toBe(0);
    });

    it.each<[what: string, wish: CertificateWish]>([
      ["is for another name", { names: "DNS:elsewhere" }],
      ["has the name in its subject alone", { subject: "/CN=localhost", names: "" }],
    ])(`by ${joiner}: ${seed} whose certificate %s`, async (_, wish) => {
      const elsewhere = { certificate: authority.issue(wish) };
      const specs = [member(seed, "elsewhere", elsewhere), member(joiner, "joiner")];
      await using cluster = await startMembers(specs, { routesOf: byName });
      const [, two] = cluster.members;
      await waitFor("the joiner to log why", () =>
        /valid for|altnames|legacy Common Name/.test(two!.logTail()),
      );
      expect((await two!.peers())?.size ?? 0).toBe(0);
    });

    it(`by ${seed}: ${joiner} whose certificate is not pinned`, async () => {
      const pins = { more: `pinned_certs: ["${good.pin}"]` };
      const stranger = { certificate: authority.issue({ names: "DNS:localhost" }) };
      const specs = [member(seed, "seed", pins), member(joiner, "stranger", stranger)];
      await using cluster = await startMembers(specs, { routesOf: byName });
      const [one] = cluster.members;
      await waitFor("the seed to log it", () => /certificate not pinned/.test(one!.logTail()));
      expect((await one!.peers())?.size ?? 0).toBe(0);
    });

    it(`by ${seed}: ${joiner} whose certificate is not that of the user`, async () => {
      const specs = [member(seed, "seed", mapped("elsewhere")), member(joiner, "stranger")];
      await using cluster = await startMembers(specs, { routesOf: byName });
      const [one] = cluster.members;
      await waitFor("the seed to log it", () => /uthoriz|uthenticat/.test(one!.logTail()));
      expect((await one!.peers())?.size ?? 0).toBe(0);
    });

    it(`by ${seed}: ${joiner} in plaintext`, async () => {
      const plain: MemberSpec = { kind: joiner, name: "plain", clusterLines: ["name: mixed"] };
      await using cluster = await startMembers([member(seed, "seed"), plain], { routesOf: byName });
      const [one] = cluster.members;
      await waitFor("the seed to log it", () => /handshake error/.test(one!.logTail()));
      expect((await one!.peers())?.size ?? 0).toBe(0);
    });
  }
});

describe.skipIf(isMissing || missing.includes("nats-new"))("a member is let in by its certificate", () => {
  const pairs: [ServerKind, ServerKind][] = [
    ["shoal", "nats-new"],
    ["nats-new", "shoal"],
    ["shoal", "shoal"],
  ];

  it.each(pairs)("%s <- %s where its name is that of the user", async (seed, joiner) => {
    await expectCluster([member(seed, "seed", mapped("localhost")), member(joiner, "joiner")]);
  });

  it.each(pairs)("%s <- %s where it is pinned", async (seed, joiner) => {
    const pins = { more: `pinned_certs: ["${good.pin.toUpperCase()}"]` };
    await expectCluster([member(seed, "seed", pins), member(joiner, "joiner", pins)]);
  });

  it.each(pairs)("%s <- %s for another name, where the dialler does not look", async (seed, joiner) => {
    const elsewhere = { certificate: authority.issue({ names: "DNS:elsewhere" }) };
    await expectCluster([
      member(seed, "elsewhere", elsewhere),
      member(joiner, "joiner", { more: "insecure: true" }),
    ]);
  });

  async function expectCluster(specs: readonly MemberSpec[]): Promise<void> {
    await using cluster = await startMembers([...specs], { routesOf: byName });
    await using clients = new Clients();
    await cluster.fullMesh();
    const [one, two] = await clients.connectAll(cluster.members);
    await reaches(one!, two!);
  }

  it.each(pairs)("%s <- %s where its name is that of a route", async (seed, joiner) => {
    const known = { more: "verify_cert_and_check_known_urls: true" };
    const specs = [member(seed, "seed", known), member(joiner, "joiner")];
    const routesOf = (_: Member, members: readonly Member[]): string[] =>
      members.map(({ ports }) => `nats-route://localhost:${ports.cluster}`);
    await using cluster = await startMembers(specs, { routesOf });
    await using clients = new Clients();
    await cluster.fullMesh();
    const [one, two] = await clients.connectAll(cluster.members);
    await reaches(one!, two!);
  });
});
