/** Publishes with a window: so many messages are unacknowledged at most. */
import { check, WireClient } from "./client.ts";
import { INBOX, makeStream, type Doing, type Target } from "./target.ts";

interface Publishing {
  readonly bytes: number;
  readonly window: number;
  /** Absent: one. */
  readonly publishers?: number;
  readonly subjectOf?: (index: number) => string;
  /** Each message has an id. */
  readonly withIds?: boolean;
}

const LETTER_S = 0x73;

/** Every publisher sends its share; resolves with the round trips where each message is awaited. */
export async function publish(target: Target, how: Publishing): Promise<readonly number[]> {
  const { publishers = 1 } = how;
  const clients = [target.client];
  while (clients.length < publishers) {
    const client = await WireClient.open(target.port);
    target.others.push(client);
    clients.push(client);
  }
  const share = Math.ceil(target.count / publishers);
  const all = await Promise.all(clients.map((client, i) => publishOne(client, share, i * share, how)));
  return all.flat();
}

function publishOne(
  client: WireClient,
  count: number,
  from: number,
  { bytes, window, subjectOf = () => "bench.a", withIds = false }: Publishing,
): Promise<readonly number[]> {
  const payload = "x".repeat(bytes);
  const inbox = `${INBOX}.ack${from}`;
  const times: number[] = [];
  let sent = 0;
  let acknowledged = 0;
  let sentAt = 0;
  const send = (upTo: number): void => {
    let text = "";
    for (; sent < upTo; sent++)
      text += messageOf(subjectOf(from + sent), `${inbox}.${sent}`, payload, withIds);
    sentAt = performance.now();
    client.write(text);
  };
  return new Promise((resolve) => {
    client.onMessage = (body) => {
      if (body[2] !== LETTER_S) check(body); // {"stream": …
      acknowledged++;
      if (window === 1) times.push(performance.now() - sentAt);
      if (acknowledged === count) {
        client.write("UNSUB 1000\r\n");
        resolve(times);
      } else if (sent < count && sent - acknowledged <= window / 2)
        send(Math.min(count, acknowledged + window));
    };
    client.write(`SUB ${inbox}.* 1000\r\n`);
    send(Math.min(count, window));
  });
}

function messageOf(subject: string, reply: string, payload: string, withIds: boolean): string {
  if (!withIds) return `PUB ${subject} ${reply} ${payload.length}\r\n${payload}\r\n`;
  const headers = `NATS/1.0\r\nNats-Msg-Id: ${reply}\r\n\r\n`;
  return `HPUB ${subject} ${reply} ${headers.length} ${headers.length + payload.length}\r\n${headers}${payload}\r\n`;
}

export async function fill(
  target: Target,
  bytes: number,
  subjectOf?: (index: number) => string,
): Promise<void> {
  await makeStream(target);
  const window = bytes > 4096 ? 200 : 4000;
  await publish(target, { bytes, window, ...(subjectOf === undefined ? {} : { subjectOf }) });
}

export function subjects(count: number): (index: number) => string {
  return (index) => `bench.${index % count}`;
}

export function publishing(how: Publishing): Doing {
  return { prepare: (target) => makeStream(target), run: (target) => publish(target, how) };
}

/** A key-value store keeps the last message of each subject. */
export function putting(keys: number, window: number): Doing {
  const store = { max_msgs_per_subject: 1, discard: "new", allow_rollup_hdrs: true };
  return {
    prepare: (target) => makeStream(target, store),
    run: (target) => publish(target, { bytes: 128, window, subjectOf: subjects(keys) }),
  };
}

/** A publisher awaits each of its messages, while another one publishes 16 KB as fast as it can. */
export const beside: Doing = {
  prepare: (target) => makeStream(target),
  run: publishBeside,
};

async function publishBeside(target: Target): Promise<readonly number[]> {
  const flood = await WireClient.open(target.port);
  target.others.push(flood);
  const state = { isOver: false };
  const flooding = floodUntil(flood, state);
  const times = await publish(target, { bytes: 128, window: 1 });
  state.isOver = true;
  await flooding;
  return times;
}

function floodUntil(client: WireClient, state: { isOver: boolean }): Promise<void> {
  const message = messageOf("bench.flood", `${INBOX}.flood`, "x".repeat(16_384), false);
  let open = 128;
  client.write(`SUB ${INBOX}.flood 1\r\n`);
  return new Promise((resolve) => {
    client.onMessage = () => {
      if (!state.isOver) client.write(message);
      else if (--open === 0) resolve();
    };
    client.write(message.repeat(open));
  });
}
