/**
 * The named workloads. Names and shapes stay fixed, so that results of different days can be compared.
 *
 * `messages` is per publisher (requests in all for request and reply) and is where sizing starts: measured runs are made
 * longer or shorter from there until they take about the wanted time.
 */

export interface Workload {
  readonly name: string;
  readonly about: string;
  /** flow: messages per second; request: latencies too; hold: memory, on a server started for it. */
  readonly kind: "flow" | "request" | "hold";
  /**
   * one: a single server; hop: publishers on one server of a cluster of two, subscribers on the other; leaf: publishers on a leaf node,
   * subscribers on its hub; websocket: a single server, to which all connect over WebSocket.
   */
  readonly topology: "one" | "hop" | "leaf" | "websocket";
  readonly generator: readonly string[];
  readonly messages: number;
  /** A configuration file for the server, beside its address; "": none. */
  readonly config: string;
}

/** The option of the generator to publish to subjects that the server maps to those of the subscribers. */
export const MAPPED = "--mapped";
/** Connects over WebSocket. */
export const WEBSOCKET = "--websocket";
const MAPPINGS = 'mappings { "outer.*": "bench.$1", "outer.*.*": "bench.$1.$2" }\n';
const mixedSizes = "8,16,100,32,1200,64,20,512,4096,128,48,256,9000,24,700,80";

function flow(name: string, about: string, messages: number, generator: string): Workload {
  return {
    name,
    about,
    kind: "flow",
    topology: "one",
    generator: generator.split(" "),
    messages,
    config: "",
  };
}

function request(name: string, about: string, messages: number, generator: string): Workload {
  return { ...flow(name, about, messages, `--mode rr ${generator}`), kind: "request" };
}

function hold(name: string, about: string, generator: string): Workload {
  return { ...flow(name, about, 1, generator), kind: "hold" };
}

function mapped(workload: Workload): Workload {
  return { ...workload, generator: [...workload.generator, MAPPED], config: MAPPINGS };
}

function overOneHop(workload: Workload): Workload {
  return { ...workload, topology: "hop" };
}

function overLeafConnection(workload: Workload): Workload {
  return { ...workload, topology: "leaf" };
}

function overWebSocket(workload: Workload): Workload {
  return { ...workload, topology: "websocket", generator: [...workload.generator, WEBSOCKET] };
}

export const workloads: readonly Workload[] = [
  flow("pub16", "publish only, 16 B", 6_000_000, "--mode pub --size 16"),
  flow("pub128", "publish only, 128 B", 4_000_000, "--mode pub --size 128"),
  flow("pub1k", "publish only, 1 KB", 1_000_000, "--mode pub --size 1024"),
  flow("pub16k", "publish only, 16 KB", 60_000, "--mode pub --size 16384"),
  flow("pub16u", "publish only, 16 B, 1000 subjects", 3_000_000, "--mode pub --size 16 --subjects 1000"),
  flow("ps16", "1:1, 16 B", 3_000_000, "--mode pubsub --size 16"),
  flow("ps128", "1:1, 128 B", 2_000_000, "--mode pubsub --size 128"),
  flow("ps1k", "1:1, 1 KB", 500_000, "--mode pubsub --size 1024"),
  flow("ps16k", "1:1, 16 KB", 40_000, "--mode pubsub --size 16384"),
  flow("ps16u", "1:1, 16 B, 1000 subjects, wildcard", 2_000_000, "--mode pubsub --size 16 --subjects 1000"),
  flow("fan4", "fan-out 1:4, 128 B", 500_000, "--mode pubsub --size 128 --subscribers 4"),
  flow("fan64", "fan-out 1:64, 16 B", 100_000, "--mode pubsub --size 16 --subscribers 64"),
  flow("fan64_1k", "fan-out 1:64, 1 KB", 20_000, "--mode pubsub --size 1024 --subscribers 64"),
  flow("nn10", "10 pairs, 128 B", 200_000, "--mode pubsub --size 128 --publishers 10 --subscribers 10"),
  flow("nn10_16", "10 pairs, 16 B", 300_000, "--mode pubsub --size 16 --publishers 10 --subscribers 10"),
  flow("fanin10", "fan-in 10:1, 128 B", 200_000, "--mode pubsub --size 128 --publishers 10 --shared"),
  flow("queue4", "queue group of 4, 16 B", 1_500_000, "--mode queue --size 16 --subscribers 4"),
  flow("hdr128", "1:1, 128 B with two headers", 1_000_000, "--mode pubsub --size 128 --headers"),
  flow("mixed", "1:1, 8 B to 9 KB mixed", 500_000, `--mode pubsub --size ${mixedSizes}`),
  mapped(flow("map16", "1:1, 16 B, mapped", 2_000_000, "--mode pubsub --size 16")),
  mapped(
    flow("map16u", "1:1, 16 B, 1000 subjects, mapped", 1_000_000, "--mode pubsub --size 16 --subjects 1000"),
  ),
  request("rr1", "request/reply, 1 pair, 16 B", 10_000, "--size 16"),
  request("rr10", "request/reply, 10 pairs, 16 B", 40_000, "--size 16 --publishers 10"),
  request("rr64", "request/reply, 64 pairs, 128 B", 100_000, "--size 128 --publishers 64"),
  request(
    "rr10u",
    "request/reply, 10 pairs, fresh inboxes",
    40_000,
    "--size 16 --publishers 10 --unique-replies",
  ),
  hold("idle1k", "1000 idle connections", "--mode idle --subscribers 1000"),
  hold("idle10k", "10000 idle connections", "--mode idle --subscribers 10000"),
  hold("subs100k", "100000 subscriptions on one connection", "--mode subs --subscribers 100000"),
  overOneHop(flow("hop16", "one hop, 16 B", 2_000_000, "--mode pubsub --size 16")),
  overOneHop(flow("hop128", "one hop, 128 B", 1_000_000, "--mode pubsub --size 128")),
  overOneHop(flow("hop1k", "one hop, 1 KB", 300_000, "--mode pubsub --size 1024")),
  overOneHop(
    flow("hop16u", "one hop, 16 B, 1000 subjects", 1_000_000, "--mode pubsub --size 16 --subjects 1000"),
  ),
  overOneHop(request("hop_rr", "one hop, request/reply, 1 pair, 16 B", 5_000, "--size 16")),
  overLeafConnection(flow("leaf16", "leaf node to hub, 16 B", 2_000_000, "--mode pubsub --size 16")),
  overLeafConnection(flow("leaf128", "leaf node to hub, 128 B", 1_000_000, "--mode pubsub --size 128")),
  overLeafConnection(flow("leaf1k", "leaf node to hub, 1 KB", 300_000, "--mode pubsub --size 1024")),
  overLeafConnection(
    flow(
      "leaf16u",
      "leaf node to hub, 16 B, 1000 subjects",
      1_000_000,
      "--mode pubsub --size 16 --subjects 1000",
    ),
  ),
  overLeafConnection(request("leaf_rr", "leaf node to hub, request/reply, 1 pair, 16 B", 5_000, "--size 16")),
  overWebSocket(flow("ws16", "over WebSocket, 1:1, 16 B", 2_000_000, "--mode pubsub --size 16")),
  overWebSocket(flow("ws128", "over WebSocket, 1:1, 128 B", 1_000_000, "--mode pubsub --size 128")),
  overWebSocket(flow("ws1k", "over WebSocket, 1:1, 1 KB", 300_000, "--mode pubsub --size 1024")),
];

/** The workloads of a comma-separated list of names, in the order of the table above. */
export function selectWorkloads(names: string | undefined): readonly Workload[] {
  if (names === undefined || names === "all") return workloads;
  const wanted = new Set(names.split(","));
  const selected = workloads.filter((workload) => wanted.delete(workload.name));
  if (wanted.size > 0)
    throw new Error(
      `Unknown workload: ${[...wanted].join(", ")}. Known: ${workloads.map((w) => w.name).join(" ")}`,
    );
  return selected;
}
