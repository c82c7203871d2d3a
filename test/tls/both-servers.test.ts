/** The same configuration and the same clients on shoal and on the real nats-server: who gets in, who does not, what INFO says. */
import { readFileSync } from "node:fs";
import type { ConnectionOptions } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  Authority,
  missingOpenssl,
  type Certificate,
  type CertificateWish,
} from "../support/certificates.ts";
import { missingKinds, findProgram } from "../support/cluster-programs.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { startServer, type ServerProcess } from "../support/nats-server.ts";
import { RawConnection } from "../support/raw-connection.ts";
import { converse, tlsFields, type TlsClientOptions } from "../support/tls-client.ts";

const isMissing = missingOpenssl();
const programs = { shoal: findProgram("shoal"), "nats-server": findProgram("nats-new") };
missingKinds(["nats-new"]);

let authority: Authority;
let other: Authority;
const made = new Map<string, Certificate>();

/** Keys are slow to make: one for each wish. */
function issue(wish: CertificateWish = {}, from: Authority = authority): Certificate {
  const key = JSON.stringify([wish, from.folder]);
  const certificate = made.get(key) ?? from.issue(wish);
  made.set(key, certificate);
  return certificate;
}

beforeAll(() => {
  if (isMissing) return;
  authority = new Authority();
  other = new Authority("another authority");
});
afterAll(() => {
  authority?.[Symbol.dispose]();
  other?.[Symbol.dispose]();
});

/** `more`: further lines of the block. A handshake may take its time on a busy machine, unless they say otherwise. */
function tlsBlock(more: readonly string[] = [], certificate = issue()): string {
  const patience = more.some((line) => line.startsWith("timeout")) ? [] : ["timeout: 60"];
  const files = [`cert_file: "${certificate.certFile}"`, `key_file: "${certificate.keyFile}"`];
  return `tls {\n${[...files, `ca_file: "${authority.caFile}"`, ...patience, ...more].join("\n")}\n}`;
}

const trusting = (): ConnectionOptions => ({ ca: readFileSync(authority.caFile) });

function presenting({ certFile, keyFile }: Certificate): ConnectionOptions {
  return { ...trusting(), cert: readFileSync(certFile), key: readFileSync(keyFile) };
}

/** Asks for no name, and looks for one in the certificate. */
function unnamed(name: string): ConnectionOptions {
  return {
    servername: "",
    checkServerIdentity: (_, { subjectaltname }) =>
      subjectaltname === `DNS:${name}` ? undefined : new Error(`not ${name} but ${subjectaltname}`),
  };
}

interface Case {
  readonly title: string;
  readonly config: () => string;
  readonly clients: () => Record<string, [TlsClientOptions, outcome: string]>;
  readonly info?: object;
}

const cases: Case[] = [
  {
    title: "a certificate of the server alone",
    config: () => tlsBlock(),
    info: { tls_required: true },
    clients: () => ({
      trusting: [{ tls: trusting() }, "PONG"],
      "TLS 1.2": [{ tls: { ...trusting(), maxVersion: "TLSv1.2" } }, "PONG"],
      "TLS 1.3": [{ tls: { ...trusting(), minVersion: "TLSv1.3" } }, "PONG"],
      "TLS 1.1": [
        {
          tls: { ...trusting(), minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" },
        },
        "alert protocol version",
      ],
      "offering ALPN": [{ tls: { ...trusting(), ALPNProtocols: ["h2", "nats"] } }, "PONG"],
      "not trusting": [{}, "refused as untrusted"],
      "expecting another name": [{ tls: { ...trusting(), servername: "elsewhere" } }, "refused for its name"],
      "in plaintext": [{ isPlain: true }, "closed"],
    }),
  },
  {
    title: "an expired certificate of the server",
    config: () => tlsBlock([], issue({ days: -1 })),
    clients: () => ({ trusting: [{ tls: trusting() }, "refused as expired"] }),
  },
  {
    title: "TLS 1.3 at least, one cipher suite and one curve",
    config: () => tlsBlock(['min_version: "1.3"', "curve_preferences: [CurveP256]"]),
    clients: () => ({
      "TLS 1.2": [{ tls: { ...trusting(), maxVersion: "TLSv1.2" } }, "alert protocol version"],
      "the curve": [{ tls: { ...trusting(), ecdhCurve: "P-256" } }, "PONG"],
      "another curve": [{ tls: { ...trusting(), ecdhCurve: "P-384" } }, "alert handshake failure"],
    }),
  },
  {
    title: "one cipher suite",
    config: () => tlsBlock(["cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]"]),
    clients: () => {
      const tls12 = { ...trusting(), maxVersion: "TLSv1.2" } as const;
      return {
        "that one": [{ tls: { ...tls12, ciphers: "ECDHE-ECDSA-AES256-GCM-SHA384" } }, "PONG"],
        another: [{ tls: { ...tls12, ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256" } }, "alert handshake failure"],
        "one of TLS 1.3": [{ tls: { ...trusting(), ciphers: "TLS_AES_128_GCM_SHA256" } }, "PONG"],
      };
    },
  },
  {
    title: "verify",
    config: () => tlsBlock(["verify: true"]),
    info: { tls_required: true, tls_verify: true },
    clients: () => ({
      verified: [{ tls: presenting(issue({ usage: "clientAuth" })) }, "PONG"],
      nothing: [{ tls: trusting() }, "alert certificate required"],
      expired: [{ tls: presenting(issue({ days: -1 })) }, "alert certificate expired"],
      "self-signed": [{ tls: presenting(issue({ isSelfSigned: true })) }, "alert unknown ca"],
      "signed by another authority": [{ tls: presenting(issue({}, other)) }, "alert unknown ca"],
      "without its intermediate": [
        { tls: presenting(issue({ isMissingIntermediate: true })) },
        "alert unknown ca",
      ],
      "of a server": [{ tls: presenting(issue({ usage: "serverAuth" })) }, "alert bad certificate"],
    }),
  },
  {
    title: "verify, to clients of TLS 1.2",
    config: () => tlsBlock(["verify: true"]),
    info: { tls_required: true, tls_verify: true },
    clients: () => {
      const old = (wish?: CertificateWish): TlsClientOptions => ({
        tls: { ...(wish === undefined ? trusting() : presenting(issue(wish))), maxVersion: "TLSv1.2" },
      });
      return {
        verified: [old({ usage: "clientAuth" }), "PONG"],
        nothing: [old(), "alert handshake failure"],
        expired: [old({ days: -1 }), "alert certificate expired"],
        "self-signed": [old({ isSelfSigned: true }), "alert unknown ca"],
        "without its intermediate": [old({ isMissingIntermediate: true }), "alert unknown ca"],
        "of a server": [old({ usage: "serverAuth" }), "alert bad certificate"],
      };
    },
  },
  {
    title: "verify, at once",
    config: () => tlsBlock(["verify: true", "handshake_first: true"]),
    info: { tls_required: true, tls_verify: true },
    clients: () => {
      const first = (wish: CertificateWish, from = authority, tls = {}): TlsClientOptions => ({
        isFirst: true,
        tls: { ...presenting(issue(wish, from)), ...tls },
      });
      return {
        verified: [first({ usage: "clientAuth" }), "PONG"],
        "self-signed": [first({ isSelfSigned: true }), "alert unknown ca"],
        "signed by another authority": [first({}, other), "alert unknown ca"],
        "by TLS 1.2": [first({}, other, { maxVersion: "TLSv1.2" }), "alert unknown ca"],
        "by AES 128": [first({}, other, { ciphers: "TLS_AES_128_GCM_SHA256" }), "alert unknown ca"],
        "by ChaCha20": [first({}, other, { ciphers: "TLS_CHACHA20_POLY1305_SHA256" }), "alert unknown ca"],
        expired: [first({ days: -1 }), "alert certificate expired"],
      };
    },
  },
  {
    title: "verify: optional",
    config: () => tlsBlock(["verify: Optional"]),
    clients: () => ({
      verified: [{ tls: presenting(issue({ usage: "clientAuth" })) }, "PONG"],
      nothing: [{ tls: trusting() }, "PONG"],
      "nothing, by TLS 1.2": [{ tls: { ...trusting(), maxVersion: "TLSv1.2" } }, "PONG"],
      expired: [{ tls: presenting(issue({ days: -1 })) }, "alert certificate expired"],
      "signed by another authority": [{ tls: presenting(issue({}, other)) }, "alert unknown ca"],
    }),
  },
  {
    title: "pinned certificates",
    info: { tls_required: true, tls_verify: true },
    config: () => tlsBlock(["verify: true", `pinned_certs: ["${issue({ subject: "/CN=pinned" }).pin}"]`]),
    clients: () => ({
      pinned: [{ tls: presenting(issue({ subject: "/CN=pinned" })) }, "PONG"],
      "not pinned": [{ tls: presenting(issue({ subject: "/CN=not-pinned" })) }, "closed"],
    }),
  },
  {
    title: "no certificate, since TLS ends at a proxy",
    config: () => "allow_non_tls: true\ntls {}",
    info: { tls_available: true },
    clients: () => ({ "in plaintext": [{ isPlain: true }, "PONG"] }),
  },
  {
    title: "allow_non_tls",
    config: () => `allow_non_tls: true\n${tlsBlock()}`,
    info: { tls_available: true },
    clients: () => ({
      "in plaintext": [{ isPlain: true }, "PONG"],
      "with TLS": [{ tls: trusting() }, "PONG"],
    }),
  },
  {
    title: "verify_and_map",
    info: { tls_required: true, tls_verify: true },
    config: () =>
      `${tlsBlock(["verify_and_map: true"])}
       authorization { users: [
         {user: "alice@example.org"}, {user: "box.example.org"}, {user: "spiffe://example.org/x"},
         {user: "CN=carol,OU=eng,O=example"}, {user: "OU=ops,CN=dave,DC=example,DC=org"}, {user: "CN=frank, OU=a+OU=b"},
         {user: "CN=grace\\\\, jr.,O=example"}
       ] }`,
    clients: () => {
      const by = (wish: CertificateWish): [TlsClientOptions, string] => [
        { tls: presenting(issue(wish)) },
        "PONG",
      ];
      return {
        "by e-mail": by({ names: "email:alice@example.org,DNS:else" }),
        "by DNS name": by({ names: "DNS:else,DNS:box.example.org" }),
        "by URI": by({ names: "URI:spiffe://example.org/x" }),
        "by e-mail after a DNS name": by({ names: "DNS:none.example.org,email:alice@example.org" }),
        "by subject": by({ subject: "/O=example/OU=eng/CN=carol" }),
        "by subject in another order": by({ subject: "/CN=carol/OU=eng/O=example" }),
        "by subject with domain components": by({ subject: "/DC=org/DC=example/CN=dave/OU=ops" }),
        "by subject with a set of values": by({ subject: "/OU=a+OU=b/CN=frank" }),
        "by subject with a comma": by({ subject: "/O=example/CN=grace, jr." }),
        "with an e-mail address in the subject": by({
          subject: "/O=example/OU=eng/CN=carol/emailAddress=c@d.e",
        }),
        unknown: [{ tls: presenting(issue({ subject: "/CN=mallory" })) }, "-ERR 'Authorization Violation'"],
        "part of a subject": [
          { tls: presenting(issue({ subject: "/CN=carol/OU=eng" })) },
          "-ERR 'Authorization Violation'",
        ],
        "unknown, but naming a user": [
          {
            tls: presenting(issue({ subject: "/CN=mallory" })),
            connect: { user: "alice@example.org", pass: "" },
          },
          "-ERR 'Authorization Violation'",
        ],
      };
    },
  },
  {
    title: "verify_and_map, at once and with TLS 1.2",
    info: { tls_required: true, tls_verify: true },
    config: () =>
      `${tlsBlock(["verify_and_map: true", "handshake_first: true"])}
       authorization { users: [{user: "CN=carol,OU=eng,O=example"}] }`,
    clients: () => {
      const by = (subject: string): TlsClientOptions => ({
        isFirst: true,
        tls: { ...presenting(issue({ subject })), maxVersion: "TLSv1.2" },
      });
      return {
        "by subject": [by("/O=example/OU=eng/CN=carol"), "PONG"],
        unknown: [by("/CN=mallory"), "-ERR 'Authorization Violation'"],
      };
    },
  },
  {
    title: "several certificates",
    config: () => {
      const [one, two] = [issue({ names: "DNS:one.test" }), issue({ names: "DNS:two.test" })];
      const pair = ({ certFile, keyFile }: Certificate): string =>
        `{cert_file: "${certFile}", key_file: "${keyFile}"}`;
      return `tls { certs: [${pair(one)}, ${pair(two)}] }`;
    },
    clients: () => ({
      "the first": [{ tls: { ...trusting(), servername: "one.test" } }, "PONG"],
      "the second": [{ tls: { ...trusting(), servername: "two.test" } }, "PONG"],
      neither: [{ tls: { ...trusting(), servername: "three.test" } }, "refused for its name"],
      "the first, asking for no name": [{ tls: { ...trusting(), ...unnamed("one.test") } }, "PONG"],
    }),
  },
  {
    title: "handshake_first",
    config: () => tlsBlock(["handshake_first: true"]),
    clients: () => ({ "at once": [{ isFirst: true, tls: trusting() }, "PONG"] }),
  },
  {
    title: "handshake_first, and little time",
    config: () => tlsBlock(["handshake_first: true", 'timeout: "300ms"']),
    clients: () => ({
      "waiting for INFO": [{ isPlain: true }, "closed"],
      "in plain text, at once": [{ isFirst: true, isPlain: true }, "closed"],
    }),
  },
  {
    title: "handshake_first at once or, by itself, after INFO",
    config: () => tlsBlock(["handshake_first: auto"]),
    // A client that is late by more than 50 ms counts as silent: one that begins at once is in the next case.
    clients: () => ({
      "after INFO": [{ tls: trusting() }, "PONG"],
      "in plaintext": [{ isPlain: true }, "closed"],
    }),
  },
  {
    title: "handshake_first after 2 s of silence",
    config: () => tlsBlock(['handshake_first: "2s"']),
    info: { tls_required: true },
    clients: () => ({
      "at once": [{ isFirst: true, tls: trusting() }, "PONG"],
      "after INFO": [{ tls: trusting() }, "PONG"],
      "in plaintext": [{ isPlain: true }, "closed"],
    }),
  },
];

for (const [name, program] of Object.entries(programs)) {
  describe.skipIf(isMissing || program === undefined)(`TLS of ${name}`, () => {
    it.each(cases)("with $title", async ({ config, clients, info = { tls_required: true } }) => {
      const server = await startServer(program!, config());
      try {
        const expected: Record<string, unknown> = {};
        const found: Record<string, unknown> = {};
        for (const [who, [options, outcome]] of Object.entries(clients())) {
          const answer = await converse(server.port, options);
          answer.socket.destroy();
          // A client without INFO was sent nothing else.
          const heardNothing = answer.info === "" && /^(closed|alert)/.test(outcome);
          expected[who] = { outcome, info: heardNothing ? {} : info };
          found[who] = { outcome: answer.outcome, info: tlsFields(answer.info) };
        }
        expect(found).toEqual(expected);
      } finally {
        await server.stop();
      }
    });

    it("agrees on no protocol by ALPN", async () => {
      const server = await startServer(program!, tlsBlock());
      try {
        const tls = { ...trusting(), ALPNProtocols: ["h2", "nats"] };
        const { outcome, socket } = await converse(server.port, { tls });
        expect(outcome).toBe("PONG");
        expect(socket).toHaveProperty("alpnProtocol", false);
        socket.destroy();
      } finally {
        await server.stop();
      }
    });

    it("ends who begins TLS where there is none", async () => {
      const server = await startServer(program!, "");
      try {
        const answer = await converse(server.port, { tls: trusting() });
        expect(answer.outcome).toBe("closed");
        expect(tlsFields(answer.info)).toEqual({});
      } finally {
        await server.stop();
      }
    });

    it("ends without a word who says nothing in time", async () => {
      const server = await startServer(program!, `debug: true\n${tlsBlock(['timeout: "100ms"'])}`);
      try {
        const silent = await RawConnection.open(server.port);
        await silent.until("the end", () => silent.isClosed);
        expect(silent.text).toMatch(/^INFO [^\r\n]*\r\n$/);
        await logged(server, "TLS Handshake Failure");
      } finally {
        await server.stop();
      }
    });

    it("refuses more TLS connections in a second than it may take", async () => {
      const server = await startServer(program!, tlsBlock(["connection_rate_limit: 1"]));
      try {
        const outcomes = new Set<string>();
        await waitFor("one to be refused", async () => {
          // At once, so that they come in one second on a busy machine, too.
          const crowd = await Promise.all([1, 2, 3, 4].map(() => converse(server.port, { tls: trusting() })));
          for (const { outcome, socket } of crowd) {
            socket.destroy();
            outcomes.add(outcome);
          }
          return outcomes.has("closed");
        });
        expect(outcomes).toContain("closed");
      } finally {
        await server.stop();
      }
    });
  });
}

async function logged(server: ServerProcess, text: string): Promise<void> {
  await waitFor(`"${text}" in the log`, () => server.log().includes(text));
}
