/** Requests that come while a leadership changes are answered by whoever leads next: on the virtual clock, a request in each millisecond. */
import { describe, expect, it } from "vitest";
import { QuietCluster } from "../../support/quiet-cluster.ts";

const REQUESTS = 80;
/** Requests that come before the change. */
const BEFORE = 5;

function three(): QuietCluster {
  const cluster = new QuietCluster().start();
  cluster.ask("STREAM.CREATE.S", { name: "S", subjects: ["s"], num_replicas: 3 });
  const config = { durable_name: "c", ack_policy: "explicit" };
  cluster.ask("CONSUMER.CREATE.S.c", { stream_name: "S", config });
  cluster.publish("s", "one");
  return cluster;
}

/** The name of the server that answers what is about the consumer, the stream, or the cluster. */
function leaderOf(cluster: QuietCluster, what: string): string {
  const found = cluster.until("a leader", () =>
    cluster.servers.find(({ cluster: at }) => {
      if (what === "meta") return at?.meta.leads;
      return at?.assets.standing("A", "S", what === "stream" ? "" : "c") === "leads";
    }),
  );
  return found.name;
}

/** Asks again and again while the leadership changes. All are answered, and none is refused. */
function expectAnswers(cluster: QuietCluster, { subject, body, at }: Asked, change: () => void): void {
  const answers: ReturnType<QuietCluster["asked"]>[] = [];
  for (let i = 0; i < REQUESTS; i++) {
    if (i === BEFORE) change();
    answers.push(cluster.asked(`$JS.API.${subject}`, body, at));
    cluster.advance(1);
  }
  cluster.until("all answers", () => answers.every((one) => one() !== undefined));
  expect(answers.map((one) => one()!["error"]).filter((error) => error !== undefined)).toEqual([]);
}

interface Asked {
  readonly subject: string;
  readonly body: string;
  readonly at: string;
}

const CASES = [
  ["consumer", "CONSUMER.INFO.S.c", "", "CONSUMER.LEADER.STEPDOWN.S.c"],
  ["stream", "STREAM.INFO.S", "", "STREAM.LEADER.STEPDOWN.S"],
  ["stream", "STREAM.MSG.GET.S", '{"seq":1}', "STREAM.LEADER.STEPDOWN.S"],
  ["meta", "STREAM.NAMES", "", "META.LEADER.STEPDOWN"],
  ["meta", "CONSUMER.LIST.S", "", "META.LEADER.STEPDOWN"],
] as const;

describe.each(CASES)("of a %s: %s", (what, subject, body, stepDown) => {
  it("is answered while its leader hands over", () => {
    const cluster = three();
    const leader = leaderOf(cluster, what);
    const others = cluster.servers.filter(({ name }) => name !== leader);
    const headers = what === "meta" ? 'NATS/1.0\r\nNats-Request-Info: {"acc":"$SYS"}\r\n\r\n' : "";
    for (const { name } of others)
      expectAnswers(cluster, { subject, body, at: name }, () => {
        if (what === "meta") cluster.send("$SYS", `$JS.API.${stepDown}`, "", headers, name);
        else cluster.asked(`$JS.API.${stepDown}`, "", name);
      });
  });

  it("is answered while its leader's server goes away, once that is known", () => {
    const cluster = three();
    const leader = leaderOf(cluster, what);
    const other = cluster.servers.find(({ name }) => name !== leader)!;
    expectAnswers(cluster, { subject, body, at: other.name }, () => cluster.kill(leader));
  });
});
