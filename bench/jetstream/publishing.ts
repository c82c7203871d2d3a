/** Publishes with a window: so many messages are unacknowledged at most. */
import { check, WireClient } from "./client.ts";
import { Messages, subjectOf } from "./messages.ts";
import { INBOX, makeStream, type Doing, type Target } from "./target.ts";

interface Publishing {
  readonly bytes: number;
  readonly window: number;
  /** Absent: one. */
  readonly publishers?: number;
  /** Messages are on so many subjects, one after the other. Absent: on one. */
  readonly subjects?: number;
  /** Each message has an id. */
  readonly withIds?: boolean;
}

const LETTER_S = 0x73;
const FLOOD_BYTES = 16_384;
const FLOOD_WINDOW = 128;

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
  { bytes, window, subjects = 1, withIds = false }: Publishing,
): Promise<readonly number[]> {
  const inbox = `${INBOX}.ack${from}`;
  const messages = new Messages({ bytes, window, subjects, withIds, inbox, from });
  const times: number[] = [];
  let sent = 0;
  let acknowledged = 0;
  let sentAt = 0;
  const send = (upTo: number): void => {
    sentAt = performance.now();
    messages.send(client, sent, upTo);
    sent = upTo;
  };
  return new Promise((resolve) => {
    client.onMessage = (all, bodyFrom, bodyTo) => {
      if (all[bodyFrom + 2] !== LETTER_S) check(all, bodyFrom, bodyTo); // {"stream": …
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

export async function fill(target: Target, bytes: number, subjects = 1): Promise<void> {
  await makeStream(target);
  const window = bytes > 4096 ? 200 : 4000;
  await publish(target, { bytes, window, subjects });
}

export function publishing(how: Publishing): Doing {
  return { prepare: (target) => makeStream(target), run: (target) => publish(target, how) };
}

/** A key-value store keeps the last message of each subject. */
export function putting(keys: number, window: number): Doing {
  const store = { max_msgs_per_subject: 1, discard: "new", allow_rollup_hdrs: true };
  return {
    prepare: (target) => makeStream(target, store),
    run: (target) => publish(target, { bytes: 128, window, subjects: keys }),
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
  const message = Buffer.from(
    `PUB ${subjectOf(1)} ${INBOX}.flood ${FLOOD_BYTES}\r\n${"x".repeat(FLOOD_BYTES)}\r\n`,
  );
  let open = FLOOD_WINDOW;
  client.write(`SUB ${INBOX}.flood 1\r\n`);
  return new Promise((resolve) => {
    client.onMessage = () => {
      if (!state.isOver) client.write(message);
      else if (--open === 0) resolve();
    };
    for (let i = 0; i < FLOOD_WINDOW; i++) client.write(message);
  });
}
