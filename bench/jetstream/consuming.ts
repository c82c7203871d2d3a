/** Takes the messages of a stream: pulls in batches, pushes, direct gets. */
import { Acknowledgements } from "./acknowledgements.ts";
import type { WireClient } from "./client.ts";
import { subjectOf } from "./messages.ts";
import { fill, publish } from "./publishing.ts";
import { ask, INBOX, makeConsumer, makeStream, type Doing, type Target } from "./target.ts";

/** Behind NATS/1.0 there is a blank where a status follows. */
const STATUS_AT = 8;
const SPACE = 0x20;

type Acks = "explicit" | "all" | "none";

interface Pulling {
  readonly batch: number;
  readonly acks: Acks;
  /** Of so many messages one is for the consumer. Absent: all. */
  readonly oneOf?: number;
}

/** Fetches batches and acknowledges what came; with the round trips where a batch is one message. */
function pull(
  { client, count: all }: Target,
  { batch, acks, oneOf = 1 }: Pulling,
): Promise<readonly number[]> {
  const count = Math.floor(all / oneOf);
  const times: number[] = [];
  const payload = JSON.stringify({ batch, expires: 30_000_000_000 });
  const request = `PUB $JS.API.CONSUMER.MSG.NEXT.BENCH.C ${INBOX}.pull ${payload.length}\r\n${payload}\r\n`;
  const due = new Acknowledgements(client);
  let got = 0;
  let askedAt = 0;
  const next = (): void => {
    askedAt = performance.now();
    due.write(request);
  };
  client.write(`SUB ${INBOX}.pull 1001\r\n`);
  return new Promise((resolve) => {
    client.onMessage = (bytes) => {
      if (client.replyFrom === client.replyTo) return; // a status
      got++;
      const isLast = got % batch === 0 || got === count;
      if (batch === 1) times.push(performance.now() - askedAt);
      if (acks === "explicit" || (acks === "all" && isLast)) due.add(bytes);
      if (!isLast) return;
      if (got < count) {
        next();
        return;
      }
      due.write("UNSUB 1001\r\n");
      void settled(client, acks).then(() => resolve(times));
    };
    next();
  });
}

/** All is acknowledged: the server has worked off what was sent. */
async function settled(client: WireClient, acks: Acks): Promise<void> {
  while (acks !== "none") {
    const info = JSON.parse((await ask(client, "CONSUMER.INFO.BENCH.C", {})).toString()) as {
      num_ack_pending: number;
    };
    if (info.num_ack_pending === 0) return;
  }
}

export function pulling(bytes: number, how: Pulling): Doing {
  const { acks, oneOf } = how;
  const filter = oneOf === undefined ? {} : { filter_subject: subjectOf(7) };
  return {
    ...(oneOf === undefined ? {} : { oneOf }),
    async prepare(target) {
      await fill(target, bytes, oneOf ?? 1);
      await makeConsumer(target, { ack_policy: acks, ...filter });
    },
    run: (target) => pull(target, how),
  };
}

/** A push consumer delivers the whole stream, and each message is acknowledged as the policy says. */
function push({ client, count }: Target, acks: Acks): Promise<readonly number[]> {
  const config = {
    deliver_subject: `${INBOX}.push`,
    ack_policy: acks,
    deliver_policy: "all",
    name: "C",
    durable_name: "C",
    max_ack_pending: acks === "none" ? 0 : 20_000,
  };
  const body = JSON.stringify({ stream_name: "BENCH", config });
  const due = new Acknowledgements(client);
  let got = 0;
  client.write(`SUB ${INBOX}.push 1003\r\n`);
  return new Promise((resolve) => {
    client.onMessage = (bytes) => {
      if (client.replyFrom === client.replyTo) return;
      got++;
      if (acks === "explicit") due.add(bytes);
      if (got % 100 === 0) due.write("");
      if (got < count) return;
      due.write("UNSUB 1003\r\n");
      void settled(client, acks).then(() => resolve([]));
    };
    client.write(
      `PUB $JS.API.CONSUMER.CREATE.BENCH.C ${INBOX}.none ${Buffer.byteLength(body)}\r\n${body}\r\n`,
    );
  });
}

export function pushing(bytes: number, acks: Acks): Doing {
  return { prepare: (target) => fill(target, bytes), run: (target) => push(target, acks) };
}

/** Publishes and pulls at once. */
export function mixing(retention: string): Doing {
  return {
    async prepare(target) {
      await makeStream(target, { retention });
      await makeConsumer(target, { ack_policy: "explicit" });
    },
    async run(target) {
      const taker = target.others[0]!;
      const pulled = pull({ ...target, client: taker }, { batch: 500, acks: "explicit" });
      await publish(target, { bytes: 128, window: 1000 });
      return pulled;
    },
  };
}

/** Direct gets of the last message of a subject, so many under way. */
function get({ client, count }: Target, keys: number, window: number): Promise<readonly number[]> {
  const times: number[] = [];
  const step = Math.max(1, window / 2);
  let sent = 0;
  let got = 0;
  let askedAt = 0;
  const send = (n: number): void => {
    let text = "";
    for (let left = n; left > 0 && sent < count; left--, sent++)
      text += `PUB $JS.API.DIRECT.GET.BENCH.${subjectOf((sent * 7919) % keys)} ${INBOX}.get 0\r\n\r\n`;
    askedAt = performance.now();
    client.write(text);
  };
  client.write(`SUB ${INBOX}.get 1004\r\n`);
  return new Promise((resolve, reject) => {
    client.onMessage = (all, from) => {
      if (all[from + STATUS_AT] === SPACE) {
        reject(new Error("a key is missing"));
        return;
      }
      got++;
      if (window === 1) times.push(performance.now() - askedAt);
      if (got === count) {
        client.write("UNSUB 1004\r\n");
        resolve(times);
      } else if (got % step === 0) send(step);
    };
    send(window);
  });
}

export function getting(keys: number, window: number): Doing {
  return {
    prepare: (target) => fill({ ...target, count: keys * 10 }, 128, keys),
    run: (target) => get(target, keys, window),
  };
}
