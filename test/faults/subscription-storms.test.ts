/** Subscriptions by the hundred thousand, and subscribing and unsubscribing without end while messages flow. */
import { expect, it } from "vitest";
import { waitFor } from "../support/cluster-wait.ts";
import { globalInterest, startInProcess } from "../support/in-process-server.ts";
import { RawConnection } from "../support/raw-connection.ts";
import { Witnesses } from "../support/witnesses.ts";

async function pong(connection: RawConnection): Promise<void> {
  const seen = connection.text.length;
  connection.send("PING\r\n");
  await connection.until("PONG", () => connection.text.indexOf("PONG\r\n", seen) >= 0);
}

it("takes 100,000 subscriptions of one client and forgets them with it", async () => {
  await using server = await startInProcess();
  await using witnesses = await Witnesses.watch(server.url);
  for (const subject of ["s.#.x", "s.#.*", "s.*.#.>", "same.for.all"]) {
    const many = await RawConnection.greeted(server.port);
    const lines = Array.from(
      { length: 100_000 },
      (_, n) => `SUB ${subject.replace("#", String(n))} ${n}\r\n`,
    );
    many.send(lines.join(""));
    await pong(many);
    expect(server.server.clients.subscriptionCount).toBe(100_001);
    many.destroy();
    await waitFor("them to be gone", () => server.server.clients.subscriptionCount === 1);
  }
  await waitFor("their interest to be gone", () => globalInterest(server) === 1);
  await witnesses.unharmed();
});

it("a storm of subscribing and unsubscribing changes nothing for those who stay", async () => {
  await using server = await startInProcess();
  await using witnesses = await Witnesses.watch(server.url);
  const stormers = await Promise.all(
    Array.from({ length: 8 }, () => RawConnection.greeted(server.port, { headers: true })),
  );
  const patterns = [
    "witness.*",
    "witness.>",
    ">",
    "*.run.*",
    witnesses.subject,
    "*.*",
    "storm.#.>",
    "storm.*.#",
  ];
  for (let round = 0; round < 60; round++) {
    for (const [index, stormer] of stormers.entries()) {
      const subject = patterns[(index + round) % patterns.length]!.replace("#", String(round));
      const queue = (index + round) % 3 === 0 ? " group" : "";
      stormer.send(
        `SUB ${subject}${queue} ${round}\r\nPUB storm.${round}.${index} 2\r\nhi\r\nUNSUB ${round - 3}\r\n` +
          `SUB ${subject} once${round}\r\nUNSUB once${round} 2\r\n`,
      );
    }
    await Promise.all(stormers.map(pong));
  }
  await witnesses.exchangeMore();
  for (const stormer of stormers) {
    expect(stormer.errors).toEqual([]);
    stormer.destroy();
  }
  await witnesses.unharmed();
  await waitFor(
    "the stormers' subscriptions to be gone",
    () => server.server.clients.subscriptionCount === 1,
  );
});
