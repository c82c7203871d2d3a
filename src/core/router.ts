/**
 * The router: carries out a plan. A message from a client goes to every plain subscription, to one member of each queue
 * group, and once to each neighbour with interest. A message from a neighbour goes to subscriptions here alone: one hop.
 */
import { assertOwn } from "../base/assert.ts";
import type { Message } from "../protocol/message.ts";
import { SHOWN_EXTRA } from "../protocol/shown-subject.ts";
import type { Plan, QueueGroup } from "./plan.ts";
import { deliverRarely, forwardTraced, isRarelyDelivered } from "./rare-delivery.ts";
import type { Crossing, Neighbour, Subscriber } from "./subscription.ts";

/** Delivers a client's message. `mute` gets nothing (a client that wants no echo). Returns whether anyone got it. */
export function publish(plan: Plan, message: Message, mute: Subscriber | null): boolean {
  if (plan.isEmpty) return false;
  assertOwn(!delivery.isUnderWay, ONE_AT_A_TIME);
  setHead(plan, message);
  const single = plan.single;
  if (single !== null && !isRarelyDelivered(message))
    return single.owner !== mute && single.owner.deliver(single, message);
  plan.work.delivered(plan.fanout);
  delivery.isUnderWay = true;
  let reached: boolean;
  try {
    reached = publishHere(plan, message, mute);
  } finally {
    delivery.isUnderWay = false;
  }
  // At last, since this plan's head may be gone after it.
  return plan.crossings === null ? reached : cross(plan.crossings, message, mute) || reached;
}

/**
 * Receivers do not publish: a plan is valid until another one is built. A receiver that has something to say puts it off; crossings
 * come behind all deliveries. Not noted where there is one receiver alone: after it nothing of the plan is used.
 */
const delivery = { isUnderWay: false };
const ONE_AT_A_TIME = "nothing is published while a message is being delivered";

function publishHere(plan: Plan, message: Message, mute: Subscriber | null): boolean {
  let reached = deliverPlain(plan, message, mute);
  if (plan.groups.length === 0) {
    const neighbours = plan.neighbours;
    for (let i = 0; i < neighbours.length; i++) forward(neighbours[i]!, plan, message, "");
    return reached || neighbours.length > 0;
  }
  const chosen: Neighbour[] = [];
  try {
    for (let i = 0; i < plan.groups.length; i++) {
      const group = plan.groups[i]!;
      if (group.isShared && isTurnElsewhere(group)) choose(group, chosen);
      else if (deliverToMember(group, message, mute)) reached = true;
      else if (group.remoteWeight > 0) choose(group, chosen);
    }
    return forwardAll(plan, message, chosen) || reached;
  } catch (error) {
    // Else the next message would go to these groups, too.
    for (const neighbour of chosen) neighbour.chosenQueues = "";
    throw error;
  }
}

/**
 * Delivers a neighbour's message to subscriptions here: the plain ones, and one member of each queue group that the
 * neighbour named (it chose this server for them).
 */
export function publishFromNeighbour(plan: Plan, message: Message, queues: readonly string[]): void {
  assertOwn(!delivery.isUnderWay, ONE_AT_A_TIME);
  setHead(plan, message);
  plan.work.delivered(plan.fanout);
  delivery.isUnderWay = true;
  try {
    deliverPlain(plan, message, null);
    if (queues.length > 0) deliverToNamed(plan, message, queues);
  } finally {
    delivery.isUnderWay = false;
  }
  const routed = plan.crossings?.filter((crossing) => crossing.takesRouted);
  if (routed !== undefined) cross(routed, message, null);
}

/** Beyond this a set is made of the names: as many groups may have been named as there are. */
const LISTED_MAX = 8;

function deliverToNamed(plan: Plan, message: Message, queues: readonly string[]): void {
  const named = queues.length > LISTED_MAX ? new Set(queues) : null;
  for (let i = 0; i < plan.groups.length; i++) {
    const group = plan.groups[i]!;
    if (named === null ? queues.includes(group.name) : named.has(group.name))
      deliverToMember(group, message, null);
  }
}

/** To all of them; whether anyone was reached. */
function cross(crossings: readonly Crossing[], message: Message, mute: Subscriber | null): boolean {
  let reached = false;
  for (const crossing of crossings) if (crossing.cross(message, mute)) reached = true;
  return reached;
}

function setHead(plan: Plan, message: Message): void {
  const skip = message.headerLength > 0 ? 0 : 1;
  const isShown = message.shownLength > 0;
  message.headAt = (isShown ? message.shownAt : plan.headAt) + skip;
  message.headLength = (isShown ? message.shownLength + SHOWN_EXTRA : plan.headLength) - skip;
  message.copied = null;
}

function deliverPlain(plan: Plan, message: Message, mute: Subscriber | null): boolean {
  const locals = plan.locals;
  const isRare = isRarelyDelivered(message);
  let reached = false;
  for (let i = 0; i < locals.length; i++) {
    const subscription = locals[i]!;
    if (isRare) reached = deliverRarely(subscription, message, mute) || reached;
    else if (subscription.owner !== mute && subscription.owner.deliver(subscription, message)) reached = true;
  }
  return reached;
}

/** In turn; a member that cannot take it is passed over. */
function deliverToMember(group: QueueGroup, message: Message, mute: Subscriber | null): boolean {
  const members = group.locals;
  for (let tries = 0; tries < members.length; tries++) {
    const turn = group.localTurn + 1 < members.length ? group.localTurn + 1 : 0;
    group.localTurn = turn;
    const subscription = members[turn]!;
    const isDelivered = isRarelyDelivered(message)
      ? deliverRarely(subscription, message, mute)
      : subscription.owner !== mute && subscription.owner.deliver(subscription, message);
    if (isDelivered) return true;
  }
  return false;
}

function forward(neighbour: Neighbour, plan: Plan, message: Message, queues: string): void {
  if (message.trace === null) neighbour.forward(plan, message, queues);
  else forwardTraced(neighbour, plan, message, queues, message.trace);
}

/** The rotation among members here and elsewhere; `choose` and `deliverToMember` rotate within it. */
function isTurnElsewhere(group: QueueGroup): boolean {
  const members = group.locals.length + group.remoteWeight;
  group.sharedTurn = group.sharedTurn + group.remoteWeight;
  if (group.sharedTurn < members) return false;
  group.sharedTurn -= members;
  return true;
}

/** Names the group to one neighbour, by weight, in turn. */
function choose(group: QueueGroup, chosen: Neighbour[]): void {
  group.remoteTurn = group.remoteTurn + 1 < group.remoteWeight ? group.remoteTurn + 1 : 0;
  let rest = group.remoteTurn;
  for (let i = 0; i < group.remotes.length; i++) {
    const remote = group.remotes[i]!;
    rest -= remote.weight;
    if (rest >= 0) continue;
    const { neighbour } = remote;
    if (neighbour.chosenQueues === "") chosen.push(neighbour);
    neighbour.chosenQueues += group.name + " ";
    return;
  }
}

function forwardAll(plan: Plan, message: Message, chosen: readonly Neighbour[]): boolean {
  const neighbours = plan.neighbours;
  for (let i = 0; i < neighbours.length; i++) {
    const neighbour = neighbours[i]!;
    forward(neighbour, plan, message, neighbour.chosenQueues);
    if (neighbour.chosenQueues !== "") neighbour.chosenQueues = "";
  }
  for (let i = 0; i < chosen.length; i++) {
    const neighbour = chosen[i]!;
    if (neighbour.chosenQueues === "") continue; // had it with its plain subscriptions
    forward(neighbour, plan, message, neighbour.chosenQueues);
    neighbour.chosenQueues = "";
  }
  return neighbours.length > 0 || chosen.length > 0;
}
