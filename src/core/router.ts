/**
 * The router: carries out a plan. A message goes to every plain subscription, to one member of each queue group, and once to each
 * neighbour with interest, as far as the tier allows that it came from (reach.ts). Messages of clients take the short way; those of
 * neighbours are `publishFrom`'s.
 */
import { assertOwn } from "../base/assert.ts";
import type { Message } from "../protocol/message.ts";
import { SHOWN_EXTRA } from "../protocol/shown-subject.ts";
import type { Plan, QueueGroup } from "./plan.ts";
import { deliverRarely, forwardTraced, isRarelyDelivered } from "./rare-delivery.ts";
import { OWN_SOURCE, REACH, TIER_ORDER, type Source } from "./reach.ts";
import type { Crossing, Neighbour, RemoteInterest } from "./subscription.ts";

/** The only way in. Returns whether anyone got the message. */
export function publish(plan: Plan, message: Message, source: Source): boolean {
  if (plan.isEmpty) return false;
  setHead(plan, message);
  const direct = plan.direct; // within everybody's reach
  if (direct !== null && !isRarelyDelivered(message))
    return direct.owner !== source.sender && direct.owner.deliver(direct, message);
  const sole = plan.soleNeighbour;
  if (sole !== null && source.tier === "local" && message.trace === null) {
    sole.forward(plan, message, "");
    return true;
  }
  return carryOut(plan, message, source);
}

/** Apart from `publish`, so that the compiler makes one piece of the ways to a single receiver. */
function carryOut(plan: Plan, message: Message, source: Source): boolean {
  const single = plan.single;
  if (single !== null && !isRarelyDelivered(message))
    return single.owner !== source.sender && single.owner.deliver(single, message);
  assertOutsideDelivery();
  if (source.tier !== "local") return publishFrom(plan, message, source);
  plan.work.delivered(plan.fanout);
  delivery.isUnderWay = true;
  let reached: boolean;
  try {
    reached = publishHere(plan, message, source);
  } finally {
    delivery.isUnderWay = false;
  }
  // Last: crossing may free this plan's head.
  return plan.crossings === null ? reached : cross(plan.crossings, message, source) || reached;
}

/**
 * Receivers do not publish, since a plan is valid only until another one is built. A receiver defers its messages; crossings
 * follow all deliveries. Not noted where there is one receiver alone: after it nothing of the plan is used.
 */
const delivery = { isUnderWay: false };

/** Messages of clients and neighbours are read outside deliveries; those of the server itself are checked whoever gets them. */
export function assertOutsideDelivery(): void {
  assertOwn(!delivery.isUnderWay, "nothing is published while a message is being delivered");
}

function publishHere(plan: Plan, message: Message, source: Source): boolean {
  let reached = deliverPlain(plan, message, source);
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
      else if (deliverToMember(group, message, source)) reached = true;
      else if (group.remoteWeight > 0) choose(group, chosen);
    }
    return forwardAll(plan, message, chosen) || reached;
  } catch (error) {
    // Otherwise the next message would go to these groups, too.
    for (const neighbour of chosen) neighbour.chosenQueues = "";
    throw error;
  }
}

/** Beyond this a set is made of the names: as many groups may have been named as there are. */
const LISTED_MAX = 8;

/** Publishes a neighbour's message. Requests of leaves cross into other accounts here; those of other neighbours have crossed there. */
function publishFrom(plan: Plan, message: Message, source: Source): boolean {
  const { tier } = source;
  plan.work.delivered(plan.fanout);
  const goesOn = tier !== "route" || !plan.endsHere;
  const chosen: Neighbour[] = [];
  delivery.isUnderWay = true;
  let reached: boolean;
  try {
    reached = deliverPlain(plan, message, source);
    reached = chooseMembers(plan, message, source, chosen) || reached;
    if (goesOn) reached = forwardWithin(plan, message, source, chosen) || reached;
  } finally {
    for (let i = 0; i < chosen.length; i++) chosen[i]!.chosenQueues = "";
    delivery.isUnderWay = false;
  }
  if (plan.crossings === null) return reached;
  if (tier === "spoke" || tier === "hub") return crossFromLeaf(plan.crossings, message, source) || reached;
  const crossings = plan.crossings.filter(({ takesRouted }) => takesRouted);
  return cross(crossings, message, OWN_SOURCE) || reached;
}

/** The leaf has named groups of its own account. Of those in another one it knows nothing: all are served. */
function crossFromLeaf(crossings: readonly Crossing[], message: Message, source: Source): boolean {
  const { queues } = source;
  source.queues = null;
  try {
    return cross(crossings, message, source);
  } finally {
    source.queues = queues;
  }
}

/** A member of each group that the sender named: here if there is one, else the nearest within reach. Returns whether one is here. */
function chooseMembers(plan: Plan, message: Message, source: Source, chosen: Neighbour[]): boolean {
  const { queues } = source;
  if (queues !== null && queues.length === 0) return false;
  let reached = false;
  const named = queues !== null && queues.length > LISTED_MAX ? new Set(queues) : null;
  for (let i = 0; i < plan.groups.length; i++) {
    const group = plan.groups[i]!;
    const isNamed = queues === null || (named === null ? queues.includes(group.name) : named.has(group.name));
    if (!isNamed) continue;
    if (deliverToMember(group, message, source)) {
      reached = true;
      continue;
    }
    const within = group.candidates.filter((one) => isWithin(one.neighbour, one.leafCluster, source));
    const nearest = within.filter(({ rank }) => rank === within[0]!.rank);
    if (nearest.length > 0) chooseOf(group, nearest, sumOfWeights(nearest), chosen);
  }
  return reached;
}

function isWithin(
  neighbour: Neighbour,
  leafCluster: string,
  { tier, sender, leafCluster: from }: Source,
): boolean {
  const order = TIER_ORDER[neighbour.tier];
  const { from: lowest, to } = REACH[tier];
  return order >= lowest && order < to && neighbour !== sender && (from === "" || leafCluster !== from);
}

/** To the neighbours within reach that have plain subscriptions or were chosen. */
function forwardWithin(plan: Plan, message: Message, source: Source, chosen: readonly Neighbour[]): boolean {
  let reached = false;
  for (const neighbour of plan.neighbours) {
    if (!isWithin(neighbour, neighbour.leafCluster, source)) continue;
    forward(neighbour, plan, message, neighbour.chosenQueues);
    neighbour.chosenQueues = "";
    reached = true;
  }
  for (const neighbour of chosen) {
    if (neighbour.chosenQueues === "") continue; // had it with its plain subscriptions
    forward(neighbour, plan, message, neighbour.chosenQueues);
    neighbour.chosenQueues = "";
    reached = true;
  }
  return reached;
}

/** To all of them; whether anyone was reached. */
function cross(crossings: readonly Crossing[], message: Message, source: Source): boolean {
  let reached = false;
  for (const crossing of crossings) if (crossing.cross(message, source)) reached = true;
  return reached;
}

function setHead(plan: Plan, message: Message): void {
  const skip = message.headerLength > 0 ? 0 : 1;
  const isShown = message.shownLength > 0;
  message.headAt = (isShown ? message.shownAt : plan.headAt) + skip;
  message.headLength = (isShown ? message.shownLength + SHOWN_EXTRA : plan.headLength) - skip;
  message.copied = null;
}

function deliverPlain(plan: Plan, message: Message, source: Source): boolean {
  const isRare = isRarelyDelivered(message);
  if (plan.areCommon && !isRare) return deliverToCommon(plan, message, source);
  const locals = plan.locals;
  const { sender } = source;
  let reached = false;
  for (let i = 0; i < locals.length; i++) {
    const subscription = locals[i]!;
    if (isRare) reached = deliverRarely(subscription, message, source) || reached;
    else if (subscription.owner !== sender && subscription.owner.deliver(subscription, message))
      reached = true;
  }
  return reached;
}

/** Apart, so that the compiler sees receivers of one class here. */
function deliverToCommon(plan: Plan, message: Message, source: Source): boolean {
  const locals = plan.locals;
  const { sender } = source;
  let reached = false;
  for (let i = 0; i < locals.length; i++) {
    const subscription = locals[i]!;
    if (subscription.owner !== sender && subscription.owner.deliver(subscription, message)) reached = true;
  }
  return reached;
}

/** In turn; a member that cannot take it is passed over. */
function deliverToMember(group: QueueGroup, message: Message, source: Source): boolean {
  const members = group.locals;
  const { sender } = source;
  for (let tries = 0; tries < members.length; tries++) {
    const turn = group.localTurn + 1 < members.length ? group.localTurn + 1 : 0;
    group.localTurn = turn;
    const subscription = members[turn]!;
    const isDelivered = isRarelyDelivered(message)
      ? deliverRarely(subscription, message, source)
      : subscription.owner !== sender && subscription.owner.deliver(subscription, message);
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

/** Names the group to one neighbour of the lowest rank, by weight, in turn. */
function choose(group: QueueGroup, chosen: Neighbour[]): void {
  chooseOf(group, group.remotes, group.remoteWeight, chosen);
}

function chooseOf(
  group: QueueGroup,
  remotes: readonly RemoteInterest[],
  weight: number,
  chosen: Neighbour[],
): void {
  group.remoteTurn = group.remoteTurn + 1 < weight ? group.remoteTurn + 1 : 0;
  let rest = group.remoteTurn;
  for (let i = 0; i < remotes.length; i++) {
    const remote = remotes[i]!;
    rest -= remote.weight;
    if (rest >= 0) continue;
    const { neighbour } = remote;
    if (neighbour.chosenQueues === "") chosen.push(neighbour);
    neighbour.chosenQueues += group.name + " ";
    return;
  }
}

function sumOfWeights(remotes: readonly RemoteInterest[]): number {
  return remotes.reduce((sum, { weight }) => sum + weight, 0);
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
