/**
 * All accounts of the server, those of other servers included. Without configuration there are two: `$G` for clients, and `$SYS`
 * for what servers say among themselves.
 */
import { Chores } from "../base/chores.ts";
import { sameValues } from "../base/same-values.ts";
import { Work } from "../base/work.ts";
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { MessageTrace } from "../protocol/message-trace.ts";
import { subjectCovers } from "../subject/subject.ts";
import { GLOBAL_ACCOUNT, SYSTEM_ACCOUNT } from "../subject/account-names.ts";
import { Account, type AccountWorld } from "./account.ts";
import type { AccountDefinition, AccountsDefinition, ServiceExportDefinition } from "./definitions.ts";
import { RemoteLatency } from "./latency.ts";
import type { InterestChange } from "./local-interest.ts";
import { ServiceImport } from "./service-import.ts";
import { StreamImport } from "./stream-import.ts";
import { Tracing } from "./tracing.ts";

/** Accounts that other servers told of and that are not configured here. */
const FOREIGN_MAX = 10_000;
const DEFAULTS: AccountsDefinition = { accounts: [], systemAccount: SYSTEM_ACCOUNT };
/** nats-server's. */
const RESPONSE_THRESHOLD_MS = 120_000;

export interface AccountsParts {
  readonly clock: Clock;
  readonly random: Random;
  /** One token that names this server to the others; "" where there are none. */
  readonly serverHash?: string;
  /** Absent: they have their own, as of `work`. */
  readonly chores?: Chores;
  readonly work?: Work;
  readonly definition?: AccountsDefinition;
  /** What every account imports from the system account beside what is configured (`taken`: subjects); none without. */
  readonly defaultImports?: DefaultImports;
}

type DefaultImports = (
  importer: Account,
  system: Account,
  taken: ReadonlySet<string>,
  random: Random,
) => readonly ServiceImport[];

export class Accounts implements Disposable {
  readonly global: Account;
  /** Told of what neighbours have to know of the interest here. */
  onInterest: ((account: Account, change: InterestChange) => void) | null = null;
  /** Sends what has become of a traced message; null: nobody does. */
  onTrace: ((account: Account, trace: MessageTrace) => void) | null = null;
  readonly tracing: Tracing;
  private readonly byName = new Map<string, Account>();
  private systemAccount: Account | null = null;
  private foreignCount = 0;
  /** By name, as of the last `reconfigure`. */
  private definitions: ReadonlyMap<string, AccountDefinition> = new Map();
  private readonly world: AccountWorld;
  private readonly remoteLatency: RemoteLatency;
  private readonly defaultImports: DefaultImports;

  constructor({
    clock,
    random,
    serverHash = "local",
    chores = new Chores(),
    work = new Work(),
    definition = DEFAULTS,
    defaultImports = () => [],
  }: AccountsParts) {
    this.defaultImports = defaultImports;
    this.world = {
      chores,
      work,
      clock,
      random,
      serverHash,
      system: () => this.systemAccount,
      tell: (account, change) => this.onInterest?.(account, change),
    };
    this.tracing = new Tracing({
      nowMs: () => clock.nowMs(),
      random,
      send: (account, trace) => this.onTrace?.(account, trace),
    });
    this.remoteLatency = new RemoteLatency(serverHash, (name) => this.byName.get(name));
    this.global = this.open(GLOBAL_ACCOUNT);
    this.reconfigure(definition);
  }

  /** null: the configuration wants none. */
  get system(): Account | null {
    return this.systemAccount;
  }

  get(name: string): Account | undefined {
    return this.byName.get(name);
  }

  /**
   * An account that another server tells of: it may be configured here later, and what was told counts then. Undefined when
   * there are too many that nobody here knows.
   */
  heardOf(name: string): Account | undefined {
    const known = this.byName.get(name);
    if (known !== undefined) return known;
    if (this.foreignCount >= FOREIGN_MAX) return undefined;
    this.foreignCount++;
    return this.open(name);
  }

  [Symbol.iterator](): Iterator<Account> {
    return this.byName.values();
  }

  /** Throws MappingError where an import that was not there before maps what cannot be mapped. Changes nothing. */
  check({ accounts }: AccountsDefinition): void {
    for (const { name, streamImports, serviceImports } of accounts) {
      const before = this.definitions.get(name);
      if (!sameValues(streamImports, before?.streamImports))
        for (const one of streamImports) this.streamImportOf(one, this.global);
      if (!sameValues(serviceImports, before?.serviceImports))
        for (const one of serviceImports) this.serviceImportOf(this.global, one, this.global);
    }
  }

  /**
   * Makes the accounts what the definition says; who is connected stays, and what is subscribed follows the new imports, in slices.
   * Imports of accounts about which nothing has changed stay what they are.
   * Accounts that are no longer defined stay as foreign ones: who is connected to them has to be sent away by the caller.
   * Throws MappingError, and the imports are in between, when an import maps what cannot be mapped: `check` before.
   */
  reconfigure({ accounts, systemAccount, globalUsesJetStream = false }: AccountsDefinition): void {
    const before = this.definitions;
    this.definitions = new Map(accounts.map((definition) => [definition.name, definition]));
    const systemBefore = this.systemAccount;
    const undefinedNow = new Set(this);
    for (const definition of accounts) {
      const account = this.configure(definition.name);
      account.limits = definition.limits;
      account.streamExports = definition.streamExports;
      // What imports hold is one of these objects: they stay where nothing has changed.
      if (!sameValues(account.serviceExports, definition.serviceExports))
        account.serviceExports = definition.serviceExports;
      account.usesJetStream = definition.usesJetStream ?? false;
      account.trace = definition.trace ?? null;
      undefinedNow.delete(account);
    }
    const services = accounts.flatMap(({ serviceExports }) => serviceExports);
    const isMeasured = services.some(({ latency }) => latency !== null);
    this.appointSystem(systemAccount === null ? null : this.configure(systemAccount), isMeasured);
    for (const account of undefinedNow) {
      account.isConfigured = account === this.global || account === this.systemAccount;
      account.streamExports = account.serviceExports = [];
      account.usesJetStream = account === this.global && globalUsesJetStream;
      account.trace = null;
      account.import({ streams: [], services: this.importsOfSystem(account) });
    }
    const exporting = accounts.filter(
      (one) => !sameValues(one.serviceExports, before.get(one.name)?.serviceExports),
    );
    const changedExporters = new Set(exporting.map(({ name }) => name));
    for (const definition of accounts) {
      const importsFromChanged = definition.serviceImports.some(({ account }) =>
        changedExporters.has(account),
      );
      const isSame =
        this.systemAccount === systemBefore && sameImports(definition, before.get(definition.name));
      if (!isSame || importsFromChanged) this.connect(this.configure(definition.name), definition);
    }
  }

  /** Gives back what they hold of the slab: the server has stopped. */
  [Symbol.dispose](): void {
    for (const account of this) account[Symbol.dispose]();
  }

  private connect(importer: Account, { streamImports, serviceImports }: AccountDefinition): void {
    importer.import({
      streams: streamImports.map((one) => this.streamImportOf(one, this.configure(one.account))),
      services: [
        ...serviceImports.map((one) => this.serviceImportOf(importer, one, this.configure(one.account))),
        ...this.importsOfSystem(importer, new Set(serviceImports.map(({ to }) => to))),
      ],
    });
  }

  private streamImportOf(
    { subject, to, allowTrace = false }: AccountDefinition["streamImports"][number],
    exporter: Account,
  ): StreamImport {
    return new StreamImport({ exporter, from: subject, to, allowTrace });
  }

  private serviceImportOf(
    importer: Account,
    { subject, to, share }: AccountDefinition["serviceImports"][number],
    exporter: Account,
  ): ServiceImport {
    const { random } = this.world;
    return new ServiceImport({
      importer,
      exporter,
      subject,
      to,
      share,
      export: exportFor(exporter, subject),
      random,
    });
  }

  /** Accounts of other servers have none, and the system account answers itself. */
  private importsOfSystem(
    account: Account,
    taken: ReadonlySet<string> = new Set(),
  ): readonly ServiceImport[] {
    const { systemAccount: system } = this;
    if (system === null || account === system || !account.isConfigured) return [];
    return this.defaultImports(account, system, taken, this.world.random);
  }

  /** Other servers are asked for their part of what is measured as soon as something may be. */
  private appointSystem(account: Account | null, isMeasured: boolean): void {
    this.systemAccount?.unsubscribe(this.remoteLatency);
    if (this.systemAccount !== null) this.systemAccount.isSystem = false;
    this.systemAccount = account;
    if (account === null) return;
    account.isSystem = true;
    if (isMeasured) account.subscribe(this.remoteLatency);
  }

  private configure(name: string): Account {
    const account = this.byName.get(name) ?? this.open(name);
    account.isConfigured = true;
    return account;
  }

  private open(name: string): Account {
    const account = new Account(name, this.world);
    this.byName.set(name, account);
    return account;
  }
}

function sameImports(now: AccountDefinition, before: AccountDefinition | undefined): boolean {
  return (
    before !== undefined &&
    sameValues(now.streamImports, before.streamImports) &&
    sameValues(now.serviceImports, before.serviceImports) &&
    now.usesJetStream === before.usesJetStream
  );
}

/** Of the same subject, or the first that covers it. */
function exportFor({ serviceExports }: Account, subject: string): ServiceExportDefinition {
  return (
    serviceExports.find((service) => service.subject === subject) ??
    serviceExports.find((service) => subjectCovers(service.subject, subject)) ?? {
      subject,
      accounts: null,
      responseType: "singleton",
      responseThresholdMs: RESPONSE_THRESHOLD_MS,
      latency: null,
    }
  );
}
