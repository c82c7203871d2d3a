/** The measurements of a cluster. Each starts servers of its own and ends them; all figures are of one run. */
import { Nodes, until, type Contender } from "./nodes.ts";
import { RawClient } from "./raw-client.ts";

export interface MeshTime {
  /** From the start of the processes until each server has a connection to each other one. */
  readonly connectedMs: number;
  /** …until each has all of its connections to each other one. */
  readonly wholeMs: number;
}

/** All servers are started at once; all but the first know the first alone. */
export async function measureMeshTime(contender: Contender, size: number): Promise<MeshTime> {
  await using cluster = await Nodes.plan(contender, size);
  const from = performance.now();
  for (let i = 0; i < size; i++) cluster.startNext();
  await cluster.connected();
  const connectedMs = performance.now() - from;
  await cluster.whole();
  return { connectedMs, wholeMs: performance.now() - from };
}

export interface InterestTime {
  readonly knownMs: number;
  readonly goneMs: number;
  /** Growth of the other server's memory, for each subscription. */
  readonly bytesEach: number;
}

const SAMPLE_SIZE = 200;
const SETTLE_MS = 1000;

/** Subscriptions of one client become known at another server, and are forgotten when the client is cut off. */
export async function measureInterest(contender: Contender, subscriptions: number): Promise<InterestTime> {
  await using cluster = await Nodes.plan(contender, 2);
  const [near, far] = [cluster.startNext(), cluster.startNext()];
  await cluster.whole();
  const subscriber = await RawClient.open(near.port);
  const asker = await Asker.open(far.port, subscriptions);
  await pause(SETTLE_MS);
  const before = far.residentBytes;
  const lines: string[] = [];
  for (let i = 0; i < subscriptions; i++) lines.push(`SUB ${subjectOf(i)} ${i + 1}\r\n`);
  const text = lines.join("");
  let from = performance.now();
  subscriber.send(text);
  while ((await asker.unknown()) > 0) await pause(1);
  const knownMs = performance.now() - from;
  await pause(SETTLE_MS);
  const bytesEach = (far.residentBytes - before) / subscriptions;
  from = performance.now();
  subscriber.destroy();
  while ((await asker.unknown()) < SAMPLE_SIZE) await pause(1);
  const goneMs = performance.now() - from;
  asker.client.destroy();
  return { knownMs, goneMs, bytesEach };
}

/** Asks a server whether anybody is interested in subjects spread over all: it answers at once where nobody is. */
class Asker {
  readonly client: RawClient;
  private readonly text: string;
  private answers = 0;

  private constructor(client: RawClient, subscriptions: number) {
    this.client = client;
    const step = (subscriptions - 1) / (SAMPLE_SIZE - 1);
    const asked = Array.from({ length: SAMPLE_SIZE }, (_, i) => subjectOf(Math.round(i * step)));
    this.text = asked.map((subject) => `PUB ${subject} answers 0\r\n\r\n`).join("");
    client.onLine = (line) => {
      if (line.startsWith("NATS/1.0 503")) this.answers++;
    };
  }

  static async open(port: number, subscriptions: number): Promise<Asker> {
    const client = await RawClient.open(port);
    client.send("SUB answers 1\r\n");
    await client.flush();
    return new Asker(client, subscriptions);
  }

  async unknown(): Promise<number> {
    this.answers = 0;
    this.client.send(this.text);
    await this.client.flush();
    return this.answers;
  }
}

function subjectOf(i: number): string {
  return `bench.device.${i}.events`;
}

export interface Latency {
  readonly requests: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
}

export interface JoinLatency {
  readonly quiet: Latency;
  readonly joining: Latency;
}

const WINDOW_MS = 3000;
/** The other traffic between the two: so many messages of 128 bytes every millisecond. */
const BUSY_MESSAGES_PER_MS = 5;
const busyLine = `PUB busy 128\r\n${"x".repeat(128)}\r\n`.repeat(BUSY_MESSAGES_PER_MS);

/** Requests between the first two members, for a while with `members` servers, then while one more joins. */
export async function measureJoinLatency(contender: Contender, members: number): Promise<JoinLatency> {
  await using cluster = await Nodes.plan(contender, members + 1);
  for (let i = 0; i < members; i++) cluster.startNext();
  await cluster.whole();
  const [asking, answering] = [cluster.nodes[0]!.port, cluster.nodes[1]!.port];
  const requester = await RawClient.open(asking);
  const responder = await RawClient.open(answering);
  responder.onLine = answerTo(responder);
  responder.send("SUB question 1\r\nSUB busy 2\r\n");
  requester.send("SUB answer 1\r\n");
  await Promise.all([requester.flush(), responder.flush()]);
  const busy = await RawClient.open(asking);
  const traffic = setInterval(() => busy.send(busyLine), 1);
  try {
    await requestFor(requester, WINDOW_MS / 3); // warms up
    const quiet = await requestFor(requester, WINDOW_MS);
    const begun = requestFor(requester, WINDOW_MS);
    cluster.startNext();
    const joining = await begun;
    await cluster.whole();
    return { quiet, joining };
  } finally {
    clearInterval(traffic);
    for (const client of [requester, responder, busy]) client.destroy();
  }
}

function answerTo(responder: RawClient): (line: string) => void {
  return (line) => {
    if (line.startsWith("MSG question ")) responder.send("PUB answer 2\r\nok\r\n");
  };
}

/** One request after the other. */
async function requestFor(requester: RawClient, ms: number): Promise<Latency> {
  const times: number[] = [];
  let answered = true;
  let sentAt = 0;
  requester.onLine = (line) => {
    if (!line.startsWith("MSG answer ")) return;
    times.push((performance.now() - sentAt) * 1000);
    answered = true;
    if (performance.now() < end) ask();
  };
  const ask = (): void => {
    answered = false;
    sentAt = performance.now();
    requester.send("PUB question answer 2\r\nhi\r\n");
  };
  const end = performance.now() + ms;
  ask();
  await pause(ms);
  await until("the answer to the last request", () => answered);
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))]!;
  return { requests: times.length, p50Us: at(0.5), p99Us: at(0.99), maxUs: times.at(-1)! };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
