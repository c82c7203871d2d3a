/** The page: asks the server that it came from, and shows the cluster as that server sees it. Changes nothing. */
import { Clients } from "./clients.ts";
import { byId, set, setOptions, setText } from "./dom.ts";
import { Feed, type FeedState } from "./feed.ts";
import { clock, count, plural } from "./format.ts";
import { LeafNodes } from "./leaf-nodes.ts";
import { Messages } from "./messages.ts";
import { legend, MeshPicture, type Node } from "./mesh.ts";
import {
  awaitedPeers,
  edgesOf,
  memberRates,
  NO_RATES,
  standing,
  STANDING_WORDS,
  type Cluster,
  type Member,
  type Rates,
} from "./model.ts";
import { Panels } from "./panels.ts";
import { Plots } from "./plots.ts";
import { Streams } from "./streams.ts";

const STATE_WORDS: Readonly<Record<FeedState, string>> = {
  loading: "Loading",
  live: "Live",
  paused: "Paused",
  disconnected: "Disconnected",
};

const prefix = document.querySelector("nav [data-prefix]")?.getAttribute("data-prefix") ?? "./";
let chosen = "";

const feed = new Feed(prefix, show);
const picture = new MeshPicture(byId("mesh-note"), choose);
const panels = new Panels(feed, choose, (id) => clients.showSlow(id));
const messages = new Messages(feed);
const streams = new Streams(feed, (stream) => messages.choose(stream));
const leafNodes = new LeafNodes();
const plots = new Plots(byId("plots"));
const clients = new Clients(feed);
const plotMember = byId<HTMLSelectElement>("plot-member");

byId("mesh").append(picture.element);
byId("legend").append(...legend(STANDING_WORDS));
plotMember.addEventListener("change", () => plots.show(feed.history, plotMember.value));
void feed.ask();

function choose(id: string): void {
  if (feed.cluster?.members.every(({ server_id }) => server_id !== id)) return;
  chosen = id;
  clients.choose(id);
  show();
}

function show(): void {
  const { cluster, previous, state, problem, answeredMs } = feed;
  set(byId("live"), { "data-state": state });
  setText(byId("live-text"), STATE_WORDS[state]);
  const trouble = byId("trouble");
  trouble.hidden = state !== "disconnected";
  const since = answeredMs === 0 ? "" : ` What is shown is of ${clock(answeredMs)}.`;
  if (!trouble.hidden) setText(trouble, `This server does not answer: ${problem}.${since} Asking again.`);
  if (cluster === null) return;
  set(byId("main"), { "aria-busy": "false" });
  if (cluster.members.every(({ server_id }) => server_id !== chosen)) chosen = cluster.server_id;
  setText(byId("cluster"), cluster.cluster);
  document.title = `${cluster.cluster || "shoal"} · shoal`;
  const nodes = nodesOf(cluster, memberRates(cluster, previous));
  picture.show(nodes, edgesOf(cluster, previous), chosen);
  setText(byId("summary"), summaryOf(cluster, nodes));
  panels.show(cluster, chosen);
  streams.show(cluster);
  leafNodes.show(cluster);
  messages.offer(cluster);
  const names = cluster.members.map(({ server_id, server_name }) => [server_id, server_name] as const);
  setOptions(plotMember, [["", "all members"], ...names]);
  plots.show(feed.history, plotMember.value);
  clients.offer(cluster.members);
}

function summaryOf({ members }: Cluster, nodes: readonly Node[]): string {
  const number = (which: Node["standing"]): number => nodes.filter((node) => node.standing === which).length;
  const parts = (["draining", "joining", "silent", "awaited"] as const)
    .filter((which) => number(which) > 0)
    .map((which) => `${number(which)} ${STANDING_WORDS[which]}`);
  return [plural(members.length, "member"), ...(parts.length === 0 ? ["full mesh"] : parts)].join(", ");
}

function nodesOf(cluster: Cluster, rates: ReadonlyMap<string, Rates>): Node[] {
  const members = cluster.members.map((member) => nodeOf(member, rates.get(member.server_id) ?? NO_RATES));
  const awaited = awaitedPeers(cluster, feed.names)
    .filter(
      ({ isMember, server_id }) => !isMember && cluster.members.every((one) => one.server_id !== server_id),
    )
    .map(({ server_id, server_name, address, by, why }): Node => {
      const name = server_name || address;
      const words = `${name}: awaited by ${by.join(", ")}, ${why}`;
      return { key: server_id || address, name, zone: "", standing: "awaited", detail: "awaited", words };
    });
  return [...members, ...awaited];
}

function nodeOf(member: Member, { inMessages, outMessages }: Rates): Node {
  const { server_id: key, server_name: name, zone, kind, version, connections } = member;
  const which = standing(member);
  const rates = `${count(inMessages)} in, ${count(outMessages)} out per s`;
  const words = [
    `${name}: ${STANDING_WORDS[which]}`,
    ...(zone === "" ? [] : [`zone ${zone}`]),
    ...(kind === "" ? [] : [`${kind} ${version}`]),
    ...(which === "silent" ? [] : [plural(connections, "connection"), rates]),
  ].join(", ");
  const detail =
    which === "ready"
      ? `${count(connections)} ${connections === 1 ? "conn" : "conns"} · ${count(inMessages)} in/s`
      : STANDING_WORDS[which];
  return { key, name, zone, standing: which, detail, words };
}
