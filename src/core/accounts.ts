/**
 * All accounts of the server, including those that only other servers have. Without configuration there are two: `$G` for clients, and
 * `$SYS` for messages between servers.
 *
 * Invariants: only defined accounts import, and imports lead only to accounts that are configured here.
 */
import { assert } from "../base/assert.ts";
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
import type { Crossed } from "./crossed.ts";
import type { InterestChange } from "./local-interest.ts";
import { ServiceImport } from "./service-import.ts";
import { StreamImport } from "./stream-import.ts";
import type { RemoteInterest } from "./subscription.ts";
import { Tracing } from "./tracing.ts";

/** Most accounts that only other servers have. */
const FOREIGN_MAX = 10_000;
/** Steps of the chores that it takes to make the imports of an account. */
const CONNECT_STEPS = 10;
const DEFAULTS: AccountsDefinition = { accounts: [], systemAccount: SYSTEM_ACCOUNT };
/** nats-server's default. */
const RESPONSE_THRESHOLD_MS = 120_000;

export interface AccountsParts {
  readonly clock: Clock;
  readonly random: Random;
  /** A token of subjects that identifies this server. */
  readonly serverHash?: string;
  /** Absent, like `work`: the accounts have their own. */
  readonly chores?: Chores;
  readonly work?: Work;
  readonly definition?: AccountsDefinition;
  /** The imports from the system account that every account has besides the configured ones (`taken`: their subjects). Absent: none. */
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
  /** Called for interest changes that neighbours must learn. */
  onInterest: ((account: Account, change: InterestChange) => void) | null = null;
  /** Called for changes of what neighbours are interested in; null: nobody has to know. */
  onRemoteInterest: ((account: Account, interest: RemoteInterest, members: number) => void) | null = null;
  /** Sends the trace of a message; null: traces are not sent. */
  onTrace: ((account: Crossed, trace: MessageTrace) => void) | null = null;
  readonly tracing: Tracing;
  private readonly byName = new Map<string, Account>();
  private systemAccount: Account | null = null;
  private foreignCount = 0;
  private readonly definitions = new Map<string, AccountDefinition>();
  /** By exporter, which need not be defined: the accounts whose definitions import from it. */
  private readonly importers = new Map<string, Set<string>>();
  /** Whether this server reports the latency of requests to other servers. */
  private isMeasured = false;
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
      heard: (account, interest, members) => this.onRemoteInterest?.(account, interest, members),
    };
    this.tracing = new Tracing({
      nowMs: () => clock.nowMs(),
      random,
      send: (account, trace) => this.onTrace?.(account, trace),
    });
    this.remoteLatency = new RemoteLatency(serverHash, (name) => this.byName.get(name));
    this.global = this.open(GLOBAL_ACCOUNT);
    for (const one of this.assignAll(definition)) this.connect(one);
  }

  /** null: the configuration wants none. */
  get system(): Account | null {
    return this.systemAccount;
  }

  get(name: string): Account | undefined {
    return this.byName.get(name);
  }

  /**
   * The account that another server names. It may be configured here later and keeps its interest then. undefined: too many accounts are
   * not configured here.
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

  /** Throws MappingError if a new import cannot be mapped. Changes nothing. */
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
   * Makes the accounts what the definition says. Clients stay connected. Imports change account by account, and subscriptions follow
   * them, in slices: imports of accounts that have not changed stay what they are. Accounts that are no longer defined stay as foreign
   * ones: the caller has to close the connections of their clients. An import that cannot be mapped is a bug: call `check` before.
   */
  reconfigure(definition: AccountsDefinition): void {
    const items = this.assignAll(definition);
    void this.world.chores.each({
      items,
      count: items.length,
      cost: CONNECT_STEPS,
      act: ({ name }) => {
        const now = this.definitions.get(name); // it may have changed again meanwhile
        if (now !== undefined) this.connect(now);
      },
    });
  }

  /** Everything but imports. Returns the accounts whose imports have to be made. */
  private assignAll({
    accounts,
    systemAccount,
    globalUsesJetStream = false,
  }: AccountsDefinition): AccountDefinition[] {
    const before = new Map(this.definitions);
    const systemBefore = this.systemAccount;
    const undefinedNow = new Set(this);
    for (const definition of accounts) undefinedNow.delete(this.assign(definition));
    const isMeasured = accounts.some((definition) => measures(definition));
    this.appointSystem(systemAccount === null ? null : this.configure(systemAccount), isMeasured);
    for (const account of undefinedNow) {
      this.withdraw(account);
      account.usesJetStream = account === this.global && globalUsesJetStream;
      account.import({ streams: [], services: this.importsOfSystem(account) });
    }
    const affected = new Set<string>();
    for (const name of new Set([...before.keys(), ...this.definitions.keys()]))
      for (const importer of this.affectedBy(name, before.get(name))) affected.add(importer);
    return accounts.filter((definition) => {
      const isSame =
        this.systemAccount === systemBefore && sameImports(definition, before.get(definition.name));
      return !isSame || affected.has(definition.name);
    });
  }

  /**
   * Defines one account, which may be new, known from other servers, or in use. Its imports wait for exporters that are not defined,
   * and imports of other accounts that wait for this one begin. Throws as `reconfigure` does.
   */
  define(name: string, rest: Omit<AccountDefinition, "name">): void {
    const definition: AccountDefinition = { ...rest, name };
    const before = this.definitions.get(name);
    this.assign(definition);
    if (measures(definition) && !this.isMeasured && this.systemAccount !== null)
      this.appointSystem(this.systemAccount, true);
    if (!sameImports(definition, before)) this.connect(definition);
    this.connectAll(this.affectedBy(name, before));
  }

  /**
   * Drops an account that `define` or `reconfigure` has defined: it stays as a foreign one, and imports from it wait. The caller has to
   * close the connections of its clients.
   */
  drop(name: string): void {
    const before = this.definitions.get(name);
    const account = this.byName.get(name);
    if (before === undefined || account === undefined) return;
    assert(account !== this.systemAccount, "the system account is never dropped");
    this.withdraw(account);
    account.usesJetStream = false;
    account.import({ streams: [], services: this.importsOfSystem(account) });
    this.connectAll(this.affectedBy(name, before));
  }

  /** Releases their memory in the slab when the server has stopped. */
  [Symbol.dispose](): void {
    for (const account of this) account[Symbol.dispose]();
  }

  /** Sets everything about an account but its imports. */
  private assign(definition: AccountDefinition): Account {
    const { name, limits, streamExports, serviceExports, usesJetStream = false, trace = null } = definition;
    const account = this.configure(name);
    this.forgetImports(name);
    this.definitions.set(name, definition);
    for (const exporter of exportersOf(definition)) {
      const importers = this.importers.get(exporter) ?? new Set();
      this.importers.set(exporter, importers.add(name));
    }
    account.limits = limits;
    account.streamExports = streamExports;
    // Imports hold one of these objects, so that unchanged ones must stay.
    if (!sameValues(account.serviceExports, serviceExports)) account.serviceExports = serviceExports;
    account.usesJetStream = usesJetStream;
    account.trace = trace;
    return account;
  }

  /** Makes an account one that only other servers know, unless the server needs it. */
  private withdraw(account: Account): void {
    this.forgetImports(account.name);
    this.definitions.delete(account.name);
    account.isConfigured = account === this.global || account === this.systemAccount;
    account.streamExports = account.serviceExports = [];
    account.trace = null;
  }

  private forgetImports(importer: string): void {
    const before = this.definitions.get(importer);
    if (before === undefined) return;
    for (const exporter of exportersOf(before)) {
      const importers = this.importers.get(exporter);
      assert(importers !== undefined, "the importers of every exporter are known");
      importers.delete(importer);
      if (importers.size === 0) this.importers.delete(exporter);
    }
  }

  /** Accounts whose imports have to be made again, since this exporter was `before` and is something else now. */
  private affectedBy(exporter: string, before: AccountDefinition | undefined): readonly string[] {
    const now = this.definitions.get(exporter);
    const importers = this.importers.get(exporter);
    if (importers === undefined) return [];
    if ((before === undefined) !== (now === undefined)) return [...importers];
    if (sameValues(before?.serviceExports, now?.serviceExports)) return [];
    const hasService = (name: string): boolean =>
      this.definitions.get(name)?.serviceImports.some(({ account }) => account === exporter) === true;
    return [...importers].filter(hasService);
  }

  private connectAll(importers: readonly string[]): void {
    for (const name of importers) {
      const definition = this.definitions.get(name);
      assert(definition !== undefined, "only defined accounts import");
      this.connect(definition);
    }
  }

  /** Makes the imports of an account. Those from accounts that are not defined wait. */
  private connect({ name, streamImports, serviceImports }: AccountDefinition): void {
    const importer = this.configure(name);
    const streams: StreamImport[] = [];
    for (const one of streamImports) {
      const exporter = this.exporter(one.account);
      if (exporter !== null) streams.push(this.streamImportOf(one, exporter));
    }
    const services: ServiceImport[] = [];
    for (const one of serviceImports) {
      const exporter = this.exporter(one.account);
      if (exporter !== null) services.push(this.serviceImportOf(importer, one, exporter));
    }
    assert(
      streams.every(({ exporter }) => exporter.isConfigured),
      "streams come from accounts that are configured",
    );
    const taken = new Set(serviceImports.map(({ to }) => to));
    importer.import({ streams, services: [...services, ...this.importsOfSystem(importer, taken)] });
  }

  /** null: not defined yet, or no longer. */
  private exporter(name: string): Account | null {
    const account = this.byName.get(name);
    return account?.isConfigured === true ? account : null;
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

  /** Accounts of other servers and the system account have none. */
  private importsOfSystem(
    account: Account,
    taken: ReadonlySet<string> = new Set(),
  ): readonly ServiceImport[] {
    const { systemAccount: system } = this;
    if (system === null || account === system || !account.isConfigured) return [];
    return this.defaultImports(account, system, taken, this.world.random);
  }

  /** Listens to the latency reports of other servers as soon as an export is measured. */
  private appointSystem(account: Account | null, isMeasured: boolean): void {
    this.systemAccount?.unsubscribe(this.remoteLatency);
    if (this.systemAccount !== null) this.systemAccount.isSystem = false;
    this.systemAccount = account;
    this.isMeasured = isMeasured;
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

function measures({ serviceExports }: AccountDefinition): boolean {
  return serviceExports.some(({ latency }) => latency !== null);
}

function exportersOf({ streamImports, serviceImports }: AccountDefinition): ReadonlySet<string> {
  return new Set([...streamImports, ...serviceImports].map(({ account }) => account));
}

function sameImports(now: AccountDefinition, before: AccountDefinition | undefined): boolean {
  return (
    before !== undefined &&
    sameValues(now.streamImports, before.streamImports) &&
    sameValues(now.serviceImports, before.serviceImports) &&
    now.usesJetStream === before.usesJetStream
  );
}

/** The export with the same subject, otherwise the first that covers it. */
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
