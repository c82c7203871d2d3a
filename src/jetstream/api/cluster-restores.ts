/**
 * Backups that a server takes in for its cluster. The leader of the meta group has judged the request, and chosen this server among those
 * that may keep the stream; it answers from then on, and offers the stream to the cluster when the backup is complete. Until that has
 * taken it, no other server knows of it, so that a restore that is interrupted leaves nothing.
 *
 *     {account, config, client, subject, payload} ─▶ $SHOAL.RESTORE.<peer>, with the reply subject of the client
 */
import { parseJson } from "../../base/json.ts";
import type { PeerId } from "../../raft/messages.ts";
import { apiErrors } from "../api-error.ts";
import type { Assets } from "../assets.ts";
import { readObject, writeObject } from "../codec.ts";
import type { GroupTransport } from "../group/group.ts";
import { bytesOf } from "../meta/offer-messages.ts";
import type { Offers } from "../offers.ts";
import { streamShape, type StreamConfig } from "../stream/config.ts";
import { beginRestore } from "./backup-requests.ts";
import { Backups } from "./backups.ts";
import type { AnswerFacts } from "./info.ts";
import type { Fields } from "./request.ts";

const SUBJECT = "$SHOAL.RESTORE";

/** The request of a client. */
interface RestoreRequest {
  readonly account: string;
  readonly subject: string;
  readonly reply: string;
  readonly payload: string;
  readonly client: Fields;
}

export interface ClusterRestoresHost {
  readonly self: PeerId;
  readonly transport: GroupTransport;
  readonly offers: Offers;
  readonly facts: AnswerFacts;
  readonly assetsOf: (account: string) => Assets | undefined;
  /** Answers once other servers know where this one listens. */
  readonly answer: (request: RestoreRequest, fields: Fields) => void;
  /** Refuses the request with what `act` throws. */
  readonly attempt: (request: RestoreRequest, act: () => void) => void;
}

export class ClusterRestores {
  private readonly host: ClusterRestoresHost;
  private readonly ear: Disposable;
  /** By account. */
  private readonly backups = new Map<string, Backups>();

  constructor(host: ClusterRestoresHost) {
    const { transport, self } = host;
    this.host = host;
    this.ear = transport.listen(`${SUBJECT}.${self}`, (_subject, reply, payload) => {
      const json = parseJson(Buffer.from(payload).toString("latin1"));
      if (typeof json === "object" && json !== null) this.begin(json as Fields, reply);
    });
  }

  stop(): void {
    this.ear[Symbol.dispose]();
    for (const backups of this.backups.values()) backups.stop();
  }

  /** Those of an account that are under way. */
  of(account: string): Backups {
    let found = this.backups.get(account);
    if (found === undefined) this.backups.set(account, (found = new Backups()));
    return found;
  }

  /** Lets a server take the backup in. */
  hand(
    peer: PeerId,
    { account, subject, reply, payload, client }: RestoreRequest,
    config: StreamConfig,
  ): void {
    const told = { account, subject, payload, client, config: writeObject(streamShape, config) };
    this.host.transport.send(`${SUBJECT}.${peer}`, reply, bytesOf(told));
  }

  private begin(json: Fields, reply: string): void {
    const { account, subject, payload, client } = json;
    const texts = [account, subject, payload];
    if (!texts.every((one) => typeof one === "string") || typeof client !== "object") return;
    const request = { ...json, reply } as unknown as RestoreRequest;
    const { attempt, answer, assetsOf, offers, facts } = this.host;
    attempt(request, () => {
      const assets = assetsOf(request.account);
      if (assets === undefined) throw apiErrors.notForAccount();
      const config = readObject(streamShape, json["config"]);
      if (offers.has(request.account, config.name)) throw apiErrors.restoreNameTaken();
      const who = Object.keys(request.client).length === 0 ? {} : { client: request.client };
      const made = beginRestore({
        ...{ assets, config, facts },
        backups: this.of(request.account),
        asked: who,
        becomes: "a new one",
        settle: (stream, to, refused) => {
          if (offers.has(request.account, config.name)) throw apiErrors.restoreNameTaken();
          const asked = { client: request.client, subject: request.subject, reply: to };
          offers.restored(assets, stream.handOver(), asked, refused);
          return null;
        },
      });
      answer(request, { deliver_subject: made.subject });
    });
  }
}
