/** What operators have this one server do by its id: close a client, ask one to move, load the configuration again. */
import type { InfoContext } from "../links/client/host.ts";
import type { ClientSession } from "../links/client/session.ts";
import type { MonitorSource } from "../monitor/source.ts";
import { numberOf, type Options } from "./options.ts";
import { KICKED } from "../protocol/close-cause.ts";

/** It could not be done; answered with 500 and nats-server's words. */
export class CommandRefused extends Error {}

export interface CommandWorld {
  readonly source: MonitorSource;
  /** Where a client goes that is asked to leave. */
  moveTo(this: void): InfoContext["moveTo"];
  /** Resolves with what is wrong, or null. */
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

function clientOf({ clients }: MonitorSource, options: Options, otherwise: string): ClientSession {
  const client = clients.sessions.get(numberOf(options, "cid"));
  if (client === undefined) throw new CommandRefused(otherwise);
  return client;
}
