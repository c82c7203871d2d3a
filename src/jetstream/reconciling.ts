/** Makes the reconciler of a server that belongs to a cluster: what it compares, and how it mends. */
import type { Assets } from "./assets.ts";
import type { ClusterAssets } from "./cluster-assets.ts";
import { differencesOf, type ComparedHost, type Difference } from "./differences.ts";
import type { AccountHost } from "./host.ts";
import type { MetaGroup } from "./meta/meta-group.ts";
import { Reconciler } from "./reconciler.ts";

export interface ReconcilingHost extends Omit<ComparedHost, "openStreams" | "assignments" | "accounts"> {
  /** The system account. */
  readonly host: AccountHost;
  readonly meta: MetaGroup;
  readonly assets: ClusterAssets;
  readonly accounts: ReadonlyMap<string, { readonly assets: Assets }>;
  readonly afterRound: () => void;
}

export function makeReconciler(options: ReconcilingHost): Reconciler {
  const { host, meta, assets, accounts, groups, afterRound } = options;
  const compared: ComparedHost = {
    ...options,
    assignments: meta.assignments,
    accounts: () => [...accounts.values()].map((one) => one.assets),
    openStreams: (account) => assets.openStreams(account),
  };
  return new Reconciler({
    ...{ clock: host.clock, logger: host.logger, afterRound },
    soon: (work) => host.soon(work),
    isCurrent: () => meta.isCurrent,
    differences: () => differencesOf(compared),
    mend({ kind, account, stream, consumer, group }: Difference): void {
      const at = accounts.get(account)?.assets;
      if (kind === "a log of nothing that is assigned") groups.discard(group);
      else if (kind !== "a folder of nothing that is assigned") assets.follow(account, stream);
      else if (at !== undefined) {
        const path = `${at.options.folder}/streams/${stream}`;
        if (consumer === "") at.quarantine(path, `stream-${stream}`);
        else at.quarantine(`${path}/obs/${consumer}`, `consumer-${consumer}`);
      }
    },
  });
}
