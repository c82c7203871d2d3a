/** Two servers of a cluster whose resolvers have directories, and what tests do with them. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SigningNkey } from "../../src/keys/nkey.ts";
import { missingKinds, type ServerKind } from "./cluster-programs.ts";
import { startMembers, type Cluster } from "./cluster.ts";
import {
  accountToken,
  connectWith,
  deleteRequest,
  newUser,
  OperatorKit,
  outcomeOf,
  SystemRequests,
  userToken,
} from "./operator-kit.ts";
import type { RawConnection } from "./raw-connection.ts";

type Fields = Readonly<Record<string, unknown>>;
type Kinds = readonly [ServerKind, ServerKind];
type Pair = readonly [first: string, second: string];

const missing = missingKinds(["nats-new"]);
/** Tokens are pushed to the first of each. */
const PAIRS: readonly Kinds[] = [
  ["shoal", "nats-new"],
  ["nats-new", "shoal"],
  ["shoal", "shoal"],
];

/** Those that this machine has the programs for. */
export const SIGNED_PAIRS = PAIRS.filter((kinds) => !kinds.some((kind) => missing.includes(kind)));

export class Directories implements AsyncDisposable {
  readonly kit = new OperatorKit();
  /** All accounts have this user. */
  readonly user = newUser();
  readonly folders: Pair = [
    mkdtempSync(join(tmpdir(), "shoal-full-")),
    mkdtempSync(join(tmpdir(), "shoal-full-")),
  ];
  private started: Cluster | null = null;
  private system: SystemRequests | null = null;

  async start(
    kinds: Kinds,
    types: readonly ("full" | "cache")[] = ["full", "full"],
    /** `further`: what else stands in the block of the second. */
    further = "",
    /** Further lines of a server's configuration. */
    linesOf: (index: number) => readonly string[] = () => [],
  ): Promise<void> {
    this.started = await startMembers(
      kinds.map((kind, index) => {
        const usual = types[index] === "full" ? `interval: "1s", allow_delete: true` : "";
        const more = [usual, index === 1 ? further : ""].filter((each) => each !== "").join(", ");
        const config = this.kit.directoryConfig(this.folders[index]!, types[index]!, more);
        const name = `m${index}`;
        return {
          kind,
          name,
          clusterLines: ["name: mixed"],
          serverLines: [...config.split("\n"), ...linesOf(index)],
        };
      }),
    );
    await this.cluster.fullMesh();
    this.system = await SystemRequests.connectTo(this.port(0), this.kit);
  }

  get cluster(): Cluster {
    return this.started!;
  }

  port(index: number): number {
    return Number(this.cluster.member(index).clientUrl.split(":").at(-1));
  }

  token(account: SigningNkey, more: Fields = {}): string {
    return accountToken(account, this.kit.operator, more);
  }

  /** To the first server. */
  async push(jwt: string, account: SigningNkey): Promise<void> {
    await this.system!.ask(`$SYS.REQ.ACCOUNT.${account.publicKey}.CLAIMS.UPDATE`, jwt);
  }

  async delete(account: SigningNkey): Promise<void> {
    await this.system!.delete(deleteRequest(this.kit.operator, [account.publicKey]));
  }

  /** The token in a server's directory; undefined: there is none. */
  kept(index: number, account: SigningNkey): string | undefined {
    const file = `${account.publicKey}.jwt`;
    const folder = this.folders[index]!;
    return readdirSync(folder).includes(file) ? readFileSync(join(folder, file), "utf8").trim() : undefined;
  }

  async admits(index: number, account: SigningNkey): Promise<boolean> {
    return (
      (await outcomeOf(await connectWith(this.port(index), userToken(this.user, account), this.user))) ===
      "in"
    );
  }

  /** A user of the account on this server, who has read what is said at first. */
  async enter(index: number, account: SigningNkey, claims: Fields = {}): Promise<RawConnection> {
    const token = userToken(this.user, account, claims);
    const client = await connectWith(this.port(index), token, this.user);
    await client.has("PONG\r\n");
    client.text = "";
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.system?.close();
    await this.started?.[Symbol.asyncDispose]();
    for (const folder of this.folders) rmSync(folder, { recursive: true, force: true });
  }
}
