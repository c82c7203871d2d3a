/**
 * Official clients on the members of a mixed cluster, and what tests do with them: know that interest has reached every
 * server before counting, collect what arrives, send a numbered run of messages.
 */
import {
  connect,
  RequestError,
  type ConnectionOptions,
  type Msg,
  type NatsConnection,
  type Subscription,
} from "@nats-io/transport-node";
import type { Member } from "./cluster-member.ts";
import { waitFor } from "./cluster-wait.ts";

/** Connections of one test; all closed with it. */
export class Clients implements AsyncDisposable {
  private readonly open: NatsConnection[] = [];

  async connect(member: Member, options: ConnectionOptions = {}): Promise<NatsConnection> {
    const client = await connect({ servers: member.clientUrl, reconnect: false, ...options });
    this.open.push(client);
    return client;
  }

  /** One client per member, in their order. */
  async connectAll(members: readonly Member[], options: ConnectionOptions = {}): Promise<NatsConnection[]> {
    return Promise.all(members.map((member) => this.connect(member, options)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.open.map((client) => client.close()));
  }
}

let probes = 0;

/**
 * Resolves once a message published by `from` arrives at `to`. Interest travels in order, so everything that `to` had
 * subscribed to before is known to the server of `from` by then.
 */
export async function reaches(from: NatsConnection, to: NatsConnection): Promise<void> {
  const subject = `probe.${process.pid}.${++probes}`;
  let arrived = false;
  const callback = () => {
    arrived = true;
  };
  const subscription = to.subscribe(subject, { callback });
  try {
    await waitFor(`a message from ${from.getServer()} to reach ${to.getServer()}`, async () => {
      from.publish(subject);
      await from.flush();
      return arrived;
    });
  } finally {
    subscription.unsubscribe();
    await to.flush();
  }
}

/** Every client reaches every other one. */
export async function allReach(clients: readonly NatsConnection[]): Promise<void> {
  for (const from of clients) {
    await Promise.all(clients.filter((to) => to !== from).map((to) => reaches(from, to)));
  }
}

/** Collects what arrives on a subject, as text. */
export class Inbox {
  readonly messages: Msg[] = [];
  private readonly owner: NatsConnection;
  private readonly subscription: Subscription;

  constructor(owner: NatsConnection, subject: string, queue?: string) {
    this.owner = owner;
    const callback = (error: Error | null, message: Msg) => {
      if (error === null) this.messages.push(message);
    };
    this.subscription = owner.subscribe(subject, queue === undefined ? { callback } : { queue, callback });
  }

  stop(): void {
    this.subscription.unsubscribe();
  }

  get texts(): string[] {
    return this.messages.map((message) => message.string());
  }

  /** Resolves once `count` have arrived. Does not show that no more will come: that is for the caller to check later. */
  async received(count: number): Promise<void> {
    await waitFor(
      `${count} messages at ${this.owner.getServer()}`,
      () => this.messages.length >= count,
      () => `${this.messages.length} arrived`,
    );
  }
}

/** Counts a numbered run and remembers the first number that is out of order. */
export class RunCounter {
  count = 0;
  firstOutOfOrder: string | undefined;
  private readonly subscription: Subscription;

  constructor(owner: NatsConnection, subject: string) {
    this.subscription = owner.subscribe(subject, {
      callback: (error, message) => {
        if (error !== null) return;
        const text = message.string();
        if (text !== String(this.count)) this.firstOutOfOrder ??= `${text} in place of ${this.count}`;
        this.count++;
      },
    });
  }

  stop(): void {
    this.subscription.unsubscribe();
  }

  async received(count: number): Promise<void> {
    await waitFor(
      `${count} messages of a run`,
      () => this.count >= count,
      () => `${this.count} arrived`,
    );
  }
}

const PUBLISH_BATCH = 5_000;

/** Publishes the numbers 0 to count - 1, never further ahead of the server than a batch. */
export async function publishRun(from: NatsConnection, subject: string, count: number): Promise<void> {
  for (let next = 0; next < count; next++) {
    from.publish(subject, String(next));
    if (next % PUBLISH_BATCH === PUBLISH_BATCH - 1) await from.flush();
  }
  await from.flush();
}

const TRICKLE = 200;

/** Publishes the numbers from 0 on until `done` settles, and returns how many. */
export async function publishUntil(
  from: NatsConnection,
  subject: string,
  done: Promise<unknown>,
): Promise<number> {
  let isDone = false;
  const settled = done.finally(() => {
    isDone = true;
  });
  let next = 0;
  while (!isDone) {
    for (let n = 0; n < TRICKLE; n++) from.publish(subject, String(next++));
    await from.flush();
  }
  await settled;
  return next;
}

export function isNoResponders(error: unknown): boolean {
  return error instanceof RequestError && error.isNoResponders();
}

/** Whether a message of `size` bytes arrives as it was sent, and the one behind it. */
export async function isUnchanged(from: NatsConnection, to: NatsConnection, size: number): Promise<boolean> {
  const inbox = new Inbox(to, "large");
  await to.flush();
  const payload = Buffer.alloc(size, "0123456789abcdef-");
  from.publish("large", payload);
  from.publish("large", "small one behind it");
  await from.flush();
  await inbox.received(2);
  return Buffer.compare(inbox.messages[0]!.data, payload) === 0 && inbox.texts[1] === "small one behind it";
}
