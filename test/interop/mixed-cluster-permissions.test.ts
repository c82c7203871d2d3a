/**
 * cluster.permissions of one server beside another kind of server: which subscriptions and messages cross. The first pair is of
 * nats-servers only: it shows that the expectations are nats-server's own.
 */
import { afterEach, describe, expect, it } from "vitest";
import type { Member } from "../support/cluster-member.ts";
import { missingKinds, type ServerKind } from "../support/cluster-programs.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { startMembers } from "../support/cluster.ts";
import { RawConnection } from "../support/raw-connection.ts";

const missing = missingKinds(["nats-new", "nats-2.9"]);
const pairs: [bounded: ServerKind, free: ServerKind][] = [
  ["nats-new", "nats-new"],
  ["shoal", "nats-new"],
  ["nats-new", "shoal"],
  ["shoal", "nats-2.9"],
  ["nats-2.9", "shoal"],
  ["shoal", "shoal"],
];

const open: RawConnection[] = [];
afterEach(() => {
  for (const connection of open.splice(0)) connection.destroy();
});

/** What a client on one server asks for, by sid. The mark is last, so that all is known elsewhere when that one is. */
const SUBSCRIPTIONS = [
  "in.a 1",
  "in.not 2",
  "in.* 3",
  "in.> 4",
  "out.a 5",
  "out.not 6",
  "out.* 7",
  "other 8",
  "> 9",
  "*.a 11",
  "in.mark 98",
  "out.mark 99",
];

const PUBLISHED = ["in.a", "in.not", "in.b.c", "out.a", "out.not", "out.b.c", "other"];

async function client({ ports }: Member): Promise<RawConnection> {
  const connection = await RawConnection.greeted(ports.client);
  open.push(connection);
  connection.send(`${SUBSCRIPTIONS.map((one) => `SUB ${one}\r\n`).join("")}PING\r\n`);
  await connection.until("the second PONG", () => connection.text.split("PONG\r\n").length > 2);
  return connection;
}

/** What crosses from one to the other, as `subject sid`, sorted. */
async function crossing(from: RawConnection, to: RawConnection, mark: string): Promise<string[]> {
  await waitFor("the interest in the mark to be known", () => {
    from.send(`PUB ${mark} 0\r\n\r\n`);
    return to.text.includes(`MSG ${mark} `);
  });
  to.text = "";
  for (const subject of PUBLISHED) from.send(`PUB ${subject} 4\r\nsent\r\n`);
  from.send(`PUB ${mark} 4\r\nlast\r\n`);
  await to.has("last\r\n");
  const got = [...to.text.matchAll(/MSG (\S+) (\d+) 4\r\nsent\r\n/g)];
  return got.map(([, subject, sid]) => `${subject} ${sid}`).toSorted();
}

/** What comes to the bounded server; what comes to it as well where that is a nats-server; what goes out. */
interface Crossing {
  readonly rules: string;
  readonly inwards: readonly string[];
  readonly inwardsOfNats: readonly string[];
  readonly outwards: readonly string[];
}

const IN_A = ["in.a 1", "in.a 3", "in.a 4", "in.a 9", "in.a 11"];
const IN_NOT = ["in.not 2", "in.not 3", "in.not 4", "in.not 9"];
const IN_DEEP = ["in.b.c 4", "in.b.c 9"];
const OUT_A = ["out.a 5", "out.a 7", "out.a 9", "out.a 11"];
const OUT_NOT = ["out.not 6", "out.not 7", "out.not 9"];
const OUT_DEEP = ["out.b.c 9"];
const OTHER = ["other 8", "other 9"];

const cases: Crossing[] = [
  {
    rules:
      'permissions { import: {allow: "in.>", deny: "in.not"}, export: {allow: "out.>", deny: "out.not"} }',
    inwards: [...IN_A, ...IN_DEEP],
    // Since in.> is let in, and messages are not looked at.
    inwardsOfNats: IN_NOT,
    outwards: OUT_A,
  },
  {
    rules: 'permissions { import: ["in.*", "out.mark"], export: [">"] }',
    inwards: [...IN_A, ...IN_NOT],
    // Since in.* covers in.> where that is taken for a subject.
    inwardsOfNats: IN_DEEP,
    outwards: [...IN_A, ...IN_NOT, ...IN_DEEP, ...OUT_A, ...OUT_NOT, ...OUT_DEEP, ...OTHER],
  },
  {
    rules: 'permissions { import: {deny: ["other", "in.not"]}, export: {deny: "in.a"} }',
    inwards: [...IN_A, ...IN_DEEP, ...OUT_A, ...OUT_NOT, ...OUT_DEEP],
    inwardsOfNats: [...IN_NOT, ...OTHER],
    outwards: [...IN_NOT, ...IN_DEEP, ...OUT_A, ...OUT_NOT, ...OUT_DEEP, ...OTHER],
  },
  {
    rules: 'authorization { permissions { publish: "in.>", subscribe: "out.>" } }',
    inwards: [...IN_A, ...IN_NOT, ...IN_DEEP],
    inwardsOfNats: [],
    outwards: [...OUT_A, ...OUT_NOT],
  },
];

describe.skipIf(missing.length > 0).each(pairs)("permissions of %s beside %s", (bounded, free) => {
  it.each(cases)("$rules", async ({ rules, inwards, inwardsOfNats, outwards }) => {
    await using cluster = await startMembers([
      { kind: bounded, name: "bounded", clusterLines: ["name: mixed", rules] },
      { kind: free, name: "free", clusterLines: ["name: mixed"] },
    ]);
    await cluster.fullMesh();
    const [inside, outside] = [await client(cluster.member(0)), await client(cluster.member(1))];
    const wanted = bounded === "shoal" ? inwards : [...inwards, ...inwardsOfNats];
    expect(await crossing(outside, inside, "in.mark")).toEqual(wanted.toSorted());
    expect(await crossing(inside, outside, "out.mark")).toEqual(outwards.toSorted());
  });

  it("concern subjects that are no ASCII as well", async () => {
    const rules = 'permissions { export: {deny: "grüße.>"} }';
    await using cluster = await startMembers([
      { kind: bounded, name: "bounded", clusterLines: ["name: mixed", rules] },
      { kind: free, name: "free", clusterLines: ["name: mixed"] },
    ]);
    await cluster.fullMesh();
    const [inside, outside] = [await client(cluster.member(0)), await client(cluster.member(1))];
    const asBytes = (text: string): string => Buffer.from(text, "utf8").toString("latin1");
    outside.send(asBytes("SUB grüße.* 20\r\nPING\r\n"));
    await outside.until("the third PONG", () => outside.text.split("PONG\r\n").length > 3);
    await crossing(inside, outside, "out.mark");
    inside.send(asBytes("PUB grüße.alle 0\r\n\r\nPUB out.mark 3\r\nend\r\n"));
    await outside.has("end\r\n");
    expect(outside.text).not.toContain(asBytes("grüße"));
  });
});
