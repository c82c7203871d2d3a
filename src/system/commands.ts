/** Commands that operators send to one server by its id: close a client, ask a client to move, reload the configuration. */
import type { InfoContext } from "../links/client/host.ts";
import type { MonitorSource, OpenClient } from "../monitor/source.ts";
import { numberOf, type Options } from "./options.ts";
import { KICKED } from "../protocol/close-cause.ts";

/** The command failed; the answer has code 500 and nats-server's text. */
export class CommandRefused extends Error {}

export interface CommandWorld {
  readonly source: MonitorSource;
  /** The addresses for a client that is asked to leave. */
  moveTo(this: void): InfoContext["moveTo"];
  /** Resolves with the problem, or null. */
  reload(this: void): Promise<string | null>;
}

/** Rejects with CommandRefused or BadRequest. */
export type Command = (options: Options, world: CommandWorld) => void | Promise<void>;

export const COMMANDS: readonly (readonly [kind: string, Command])[] = [
  ["KICK", (options, { source }) => clientOf(source, options, "no such client or leafnode id").close(KICKED)],
  [
    "LDM",
    (options, { source, moveTo }) => {
      const client = clientOf(source, options, "no such client id");
      if (!client.takesInfo)
        throw new CommandRefused(
          "client does not support Lame Duck Mode or is not ready to receive the notification",
        );
      client.sendInfo(moveTo());
    },
  ],
  [
    "RELOAD",
    async (_options, { reload }) => {
      const problem = await reload();
      if (problem !== null) throw new CommandRefused(problem);
    },
  ],
];

function clientOf({ clients }: MonitorSource, options: Options, otherwise: string): OpenClient {
  const client = clients.find(numberOf(options, "cid"));
  if (client === undefined) throw new CommandRefused(otherwise);
  return client;
}
