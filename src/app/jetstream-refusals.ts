/**
 * Accounts without JetStream on a server that has it, the system account among them: their requests are refused, where they import no
 * JetStream from another account. What is listened to here is no interest that other servers are told of: each refuses its own clients.
 */
import type { Account } from "../core/account.ts";
import type { Accounts } from "../core/accounts.ts";
import { heardIn } from "../core/listener.ts";
import type { Crossing } from "../core/subscription.ts";
import { findOperation, prefixesOf } from "../jetstream/api/api.ts";
import { RefusedApi } from "../jetstream/api/refused-api.ts";
import type { ApiOperation } from "../jetstream/api/request.ts";
import type { AccountHost } from "../jetstream/host.ts";
import type { JetStream } from "../jetstream/jetstream.ts";
import type { Message } from "../protocol/message.ts";
import { readText } from "../slab/memory.ts";
import { subjectMatches } from "../subject/subject.ts";

/** Whoever imports this has JetStream from another account. */
const INFO = "$JS.API.INFO";

interface JetStreamRefusalsOptions {
  readonly accounts: Accounts;
  readonly jetStream: JetStream;
  readonly hostFor: (account: Account) => AccountHost;
}

export class JetStreamRefusals {
  private readonly options: JetStreamRefusalsOptions;
  private readonly ears = new Map<Account, readonly Crossing[]>();

  constructor(options: JetStreamRefusalsOptions) {
    this.options = options;
  }

  /** Follows which accounts there are, and which of them have JetStream. */
  followAll(): void {
    const { accounts } = this.options;
    const there = new Set(accounts);
    for (const account of this.ears.keys()) if (!there.has(account)) this.end(account);
    for (const account of there) this.follow(account);
  }

  follow(account: Account): void {
    const isHeard = this.ears.has(account);
    if (this.isWithout(account) === isHeard) return;
    if (isHeard) this.end(account);
    else this.begin(account);
  }

  stop(): void {
    for (const account of [...this.ears.keys()]) this.end(account);
  }

  private isWithout(account: Account): boolean {
    const { accounts, jetStream } = this.options;
    // In a cluster requests of all accounts come to the system account.
    if (account.isSystem) return jetStream.options.isClustered !== true;
    if (jetStream.accounts.has(account.name)) return false;
    if (!account.isConfigured && account !== accounts.global) return false;
    return !account.serviceImports.some(({ subject }) => subjectMatches(subject, INFO));
  }

  private begin(account: Account): void {
    const { facts, logger } = this.options.jetStream.options;
    const api = new RefusedApi({
      host: this.options.hostFor(account),
      serverName: facts.server,
      logger,
      hasLeafNodes: () => account.leafnodes > 0,
    });
    const makeEar = account.isSystem
      ? (prefix: string) => new SystemEar(prefix, api)
      : (prefix: string) => new RefusingEar(prefix, api);
    const ears = prefixesOf(facts.domain).map(makeEar);
    for (const ear of ears) account.interest.add(ear);
    this.ears.set(account, ears);
  }

  private end(account: Account): void {
    for (const ear of this.ears.get(account) ?? []) account.interest.remove(ear);
    this.ears.delete(account);
  }
}

/** Hears requests of the operations that there are, and leaves others to those who know them. */
class RefusingEar implements Crossing {
  readonly isCrossing = true;
  readonly queue = null;
  readonly takesRouted = false;
  readonly subject: string;
  private readonly prefixLength: number;
  private readonly api: RefusedApi;

  constructor(prefix: string, api: RefusedApi) {
    this.subject = `${prefix}>`;
    this.prefixLength = prefix.length;
    this.api = api;
  }

  cross(message: Message): boolean {
    const operation = this.operationOf(message);
    if (operation === undefined) return false;
    const { payload, ...heard } = heardIn(message);
    this.api.receive({ ...heard, operation, payload: Buffer.from(payload).toString("latin1") });
    return true;
  }

  /** undefined: it is not for this ear. */
  protected operationOf({ at, subjectFrom, subjectLength }: Message): ApiOperation | null | undefined {
    const { prefixLength } = this;
    return findOperation(readText(at + subjectFrom + prefixLength, subjectLength - prefixLength))?.operation;
  }
}

/** Hears whatever users of the system account ask for. What an import has brought is for others. */
class SystemEar extends RefusingEar {
  protected override operationOf(message: Message): ApiOperation | null | undefined {
    if (message.via !== null) return undefined;
    const operation = super.operationOf(message);
    return operation?.subject === "INFO" ? operation : null;
  }
}
