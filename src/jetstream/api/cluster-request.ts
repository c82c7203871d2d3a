/** A request to the API of a cluster, as every server gets it. */
import type { FoundOperation } from "./api.ts";
import type { Fields } from "./request.ts";

export interface ClusterRequest {
  readonly subject: string;
  readonly reply: string;
  readonly payload: string;
  readonly client: Fields;
  readonly account: string;
  readonly found: FoundOperation;
  readonly level: number;
  /** `Nats-Stream-Identity`; "": none, or an empty one. */
  readonly identity: string;
}
