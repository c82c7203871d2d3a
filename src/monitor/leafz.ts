/** `/leafz`: connections of leaf nodes, and to hubs, over which messages cross. */
import type { LeafSnapshot } from "../links/leaf/snapshot.ts";
import { json, type Answer } from "./answer.ts";
import { goDuration, goTime, orOmit, shownText } from "./go-format.ts";
import { List } from "./json.ts";
import type { Query } from "./query.ts";
import type { MonitorSource } from "./source.ts";
import { mapped } from "./subscription-fields.ts";

export function leafz(source: MonitorSource, query: Query): Answer {
  const listsSubjects = query.flag("subs");
  const account = query.text("acc");
  const leafs = [...source.leafNodes.connections()].filter(
    (leaf) => account === "" || leaf.account === account,
  );
  return json({
    server_id: source.facts().id,
    now: goTime(source.nowMs()),
    leafnodes: leafs.length,
    leafs: new List(
      mapped(leafs, (leaf) => ({
        ...leafFields(leaf),
        subscriptions_list: listsSubjects && leaf.interests > 0 ? subjectsOf(leaf) : undefined,
        compression: leaf.compression,
      })),
    ),
  });
}

function leafFields(leaf: LeafSnapshot): object {
  return {
    id: leaf.lid,
    name: leaf.peer.name,
    is_spoke: leaf.isSpoke,
    is_isolated: orOmit(leaf.isIsolated),
    account: leaf.account,
    ip: leaf.address,
    port: leaf.port,
    rtt: goDuration(leaf.roundTripMs),
    in_msgs: leaf.inMessages,
    out_msgs: leaf.outMessages,
    in_bytes: leaf.inBytes,
    out_bytes: leaf.outBytes,
    subscriptions: leaf.interests,
  };
}

function subjectsOf({ interest }: LeafSnapshot): List {
  return new List(mapped(interest(), ({ subject }) => shownText(subject)));
}
