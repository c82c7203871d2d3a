/**
 * What it costs that receivers are of different classes: the router calls `deliver` in one place, and the engine compiles a call
 * better the fewer classes it has seen there. Clients, leaf nodes, MQTT, JetStream, shadows and the server itself are six.
 *
 * The engine never forgets what it has seen: the cases have to run in this order, in a process of their own
 * (`npm run bench:micro -- receivers`).
 */
import type { Subscriber } from "../../src/core/subscription.ts";
import { Subscription } from "../../src/core/subscription.ts";
import type { Message } from "../../src/protocol/message.ts";
import { Work } from "../../src/base/work.ts";
import { Stack } from "../../test/property/stack.ts";
import { NullWire, type Case } from "./case.ts";
import { publishingCase } from "./publishing.ts";

const READERS = 60;

/** Hands on to a client: what it does is the same in all classes. */
class First implements Subscriber {
  protected readonly client: Subscriber;

  constructor(client: Subscriber) {
    this.client = client;
  }

  deliver(subscription: Subscription, message: Message): boolean {
    return this.client.deliver(subscription, message);
  }
}

class Second extends First {
  override deliver(subscription: Subscription, message: Message): boolean {
    return this.client.deliver(subscription, message);
  }
}

class Third extends First {
  override deliver(subscription: Subscription, message: Message): boolean {
    return this.client.deliver(subscription, message);
  }
}

class Fourth extends First {
  override deliver(subscription: Subscription, message: Message): boolean {
    return this.client.deliver(subscription, message);
  }
}

class Fifth extends First {
  override deliver(subscription: Subscription, message: Message): boolean {
    return this.client.deliver(subscription, message);
  }
}

class Sixth extends First {
  override deliver(subscription: Subscription, message: Message): boolean {
    return this.client.deliver(subscription, message);
  }
}

const CLASSES: readonly (typeof First)[] = [First, Second, Third, Fourth, Fifth, Sixth];

export function receiverCases(): Case[] {
  const classes = [1, 2, 3, 4, 6].map((count) => receiverCase(count));
  return [clientsCase("before"), ...classes, clientsCase("after")];
}

/** What the other cases must not make dearer. */
function clientsCase(when: "before" | "after"): Case {
  const stack = new Stack({ accounts: { work: new Work() } });
  const publisher = stack.client("", new NullWire());
  for (let i = 0; i < 4; i++) stack.client("", new NullWire()).wire.receiveText("SUB orders.* 1\r\n");
  return publishingCase(`16 bytes to 4 clients, ${when} these`, publisher, 16, 1);
}

function receiverCase(classes: number): Case {
  // Without an end to what fits into a round: nothing here waits for the next one.
  const stack = new Stack({ accounts: { work: new Work() } });
  const publisher = stack.client("", new NullWire());
  for (let i = 0; i < READERS; i++) {
    const { session } = stack.client("", new NullWire());
    const Receiver = CLASSES[i % classes]!;
    session.account.subscribe(new Subscription(new Receiver(session), "orders.*", null, "1"));
  }
  return publishingCase(`16 bytes to ${READERS} receivers of ${classes} classes`, publisher, 16, 1000);
}
