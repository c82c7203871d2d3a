/** Publishers whose messages are under way when a leader hands over are answered. */
import { describe, expect, it } from "vitest";
import { OwedAnswers } from "../../../src/jetstream/group/owed-answers.ts";
import type { UnderWay } from "../../../src/jetstream/group/in-flight.ts";
import type { MessageOperation } from "../../../src/jetstream/group/operations.ts";
import { QuietCluster } from "../../support/quiet-cluster.ts";

const MESSAGES = 10;

describe("a leader that hands over", () => {
  it("answers for messages that are agreed on under the next one", () => {
    const cluster = new QuietCluster().start();
    cluster.ask("STREAM.CREATE.S", { name: "S", subjects: ["s"], num_replicas: 3 });
    const leader = cluster.until("a leader", () =>
      cluster.servers.find(({ cluster: at }) => at?.assets.standing("A", "S", "") === "leads"),
    );
    const { name: at } = cluster.servers.find((one) => one !== leader)!;
    const answers: ReturnType<QuietCluster["asked"]>[] = [];
    for (let i = 1; i <= MESSAGES; i++) {
      answers.push(cluster.asked("s", `m${i}`, at));
      cluster.advance(1);
    }
    const replica = leader.cluster!.assets.replicaOf("A", "S")!;
    cluster.asked("$JS.API.STREAM.LEADER.STEPDOWN.S", "", at);
    cluster.until("another leader", () => !replica.leads && replica.group.leader !== "");
    cluster.until("all answers", () => answers.every((one) => one() !== undefined));
    const sequences = Array.from({ length: MESSAGES }, (_, i) => i + 1);
    expect(answers.map((one) => one()!["seq"])).toEqual(sequences);
    expect(cluster.contents(at, "S")).toEqual(sequences.map((n) => `${n} s m${n}`));
    expect(replica.intake.owes).toBe(false);
  });
});

describe("what a former leader owes", () => {
  const underWay = (sequence: number, reply: string, timeNs: bigint): UnderWay =>
    ({ sequence, reply, operation: { timeNs, body: Buffer.from("body") } }) as unknown as UnderWay;
  const agreed = (reply: string, timeNs: bigint): MessageOperation =>
    ({ reply, timeNs }) as unknown as MessageOperation;

  it("is an answer for its own message, and not for another one at the same place", () => {
    const owed = new OwedAnswers();
    owed.begin([underWay(1, "a", 5n), underWay(2, "b", 6n), underWay(3, "", 7n)], 4);
    expect(owed.take(agreed("a", 5n), 1)?.reply).toBe("a");
    expect(owed.take(agreed("a", 5n), 1)).toBeUndefined();
    expect(owed.take(agreed("b", 8n), 2)).toBeUndefined();
    expect(owed.take(agreed("c", 6n), 2)).toBeUndefined();
    expect(owed.take(agreed("", 7n), 3)).toBeUndefined();
  });

  it("is a refusal once a later term has begun, and nothing where nobody knows", () => {
    const owed = new OwedAnswers();
    owed.begin([underWay(1, "a", 5n)], 4);
    expect([...owed.lost(4)]).toEqual([]);
    expect([...owed.lost(5)].map(({ reply }) => reply)).toEqual(["a"]);
    expect(owed.isEmpty).toBe(true);
    owed.begin([underWay(1, "a", 5n)], 6);
    owed.forget();
    expect([...owed.lost(7)]).toEqual([]);
  });
});
