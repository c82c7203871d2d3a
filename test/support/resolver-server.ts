/** A server with a full resolver in a directory of its own, and a user of its system account, who pushes tokens to it. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SigningNkey } from "../../src/keys/nkey.ts";
import { startServer, type ServerProcess } from "./nats-server.ts";
import {
  accountToken,
  connectWith,
  newUser,
  outcomeOf,
  SystemRequests,
  userToken,
  type OperatorKit,
} from "./operator-kit.ts";
import type { RawConnection } from "./raw-connection.ts";

type Fields = Readonly<Record<string, unknown>>;

interface ResolverServerOptions {
  readonly command: string;
  readonly kit: OperatorKit;
  /** What else stands in the block of the resolver. */
  readonly resolver?: string;
  /** What else stands in the configuration, for a folder that is gone afterwards. */
  readonly lines?: (folder: string) => string;
}

export class ResolverServer {
  readonly kit: OperatorKit;
  readonly system: SystemRequests;
  /** It is one user for all accounts. */
  readonly user = newUser();
  private readonly server: ServerProcess;
  private readonly folder: string;

  private constructor(server: ServerProcess, folder: string, kit: OperatorKit, system: SystemRequests) {
    this.server = server;
    this.folder = folder;
    this.kit = kit;
    this.system = system;
  }

  static async start({
    command,
    kit,
    resolver = "",
    lines = () => "",
  }: ResolverServerOptions): Promise<ResolverServer> {
    const folder = mkdtempSync(join(tmpdir(), "shoal-resolver-"));
    const config = kit.directoryConfig(join(folder, "jwt"), "full", resolver, lines(folder));
    const server = await startServer(command, config);
    return new ResolverServer(server, folder, kit, await SystemRequests.connectTo(server.port, kit));
  }

  async stop(): Promise<void> {
    this.system.close();
    await this.server.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  get port(): number {
    return this.server.port;
  }

  /** Names of the files of its directory. */
  get files(): readonly string[] {
    return readdirSync(join(this.folder, "jwt"));
  }

  /** What it is answered. `nats`: what the token says of the account. `claims`: what else the token says. */
  async push(account: SigningNkey, nats: Fields = {}, claims: Fields = {}): Promise<unknown> {
    return this.system.update(accountToken(account, this.kit.operator, { ...claims, nats }));
  }

  /** The user, whose token `signer` has signed, and who has read all that is said at first. */
  async enter(signer: SigningNkey, claims: Fields = {}): Promise<RawConnection> {
    const connection = await connectWith(this.port, userToken(this.user, signer, claims), this.user);
    await connection.has("PONG\r\n");
    connection.text = "";
    return connection;
  }

  /** "in", or what the user is told before the connection ends. */
  async outcome(signer: SigningNkey): Promise<string> {
    return outcomeOf(await connectWith(this.port, userToken(this.user, signer), this.user));
  }
}

/** The lines that the server answers to what is sent, and what came before, without INFO, PING and PONG. */
export async function linesAnswered(connection: RawConnection, sent = ""): Promise<readonly string[]> {
  connection.send(`${sent}PING\r\n`);
  await connection.until("an answer", () => connection.text.includes("PONG\r\n") || connection.isClosed);
  const lines = connection.text.split("\r\n").slice(0, -1);
  connection.text = "";
  return lines.filter((line) => !/^(INFO|PONG|PING)/.test(line));
}
