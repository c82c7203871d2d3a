/**
 * The memory for what waits to be written is used up: those who hold most of it are cut off, the others go on. In a file of
 * its own: the bound is one for the whole process.
 */
import { expect, it } from "vitest";
import { limitSlab, slabSnapshot } from "../../src/slab/chunks.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { startInProcess } from "../support/in-process-server.ts";
import { RawConnection } from "../support/raw-connection.ts";
import { Witnesses } from "../support/witnesses.ts";

const MiB = 1024 * 1024;

it("many slow consumers at once cannot take more memory than there is, nor that of others", async () => {
  limitSlab(16 * MiB);
  await using server = await startInProcess();
  await using witnesses = await Witnesses.watch(server.url);
  const dead = await Promise.all(
    Array.from({ length: 30 }, async () => {
      const connection = await RawConnection.greeted(server.port);
      connection.send("SUB load.> 1\r\nPING\r\n");
      await connection.until("PONG", () => connection.text.match(/PONG/g)?.length === 2);
      connection.stopReading();
      return connection;
    }),
  );
  const writer = await RawConnection.greeted(server.port);
  const frame = Buffer.from(`PUB load.x 30000\r\n${"x".repeat(30_000)}\r\n`);
  const { counters } = server.server.clients;
  while (counters.slowConsumers === 0) {
    await new Promise((resolve) => writer.socket.write(frame, resolve));
    expect(slabSnapshot().chunksMade).toBeLessThanOrEqual(slabSnapshot().chunkLimit);
  }
  await witnesses.exchangeMore();
  for (let n = 0; n < 500; n++) await new Promise((resolve) => writer.socket.write(frame, resolve));
  await witnesses.unharmed();
  expect(writer.isClosed).toBe(false);
  for (const connection of dead) connection.destroy();
  writer.destroy();
  await waitFor("all memory to be given back", () => slabSnapshot().chunksInUse === 0);
});
