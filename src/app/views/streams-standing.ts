/** What JetStream of a cluster lacks, in the words of readiness. */
import type { StreamsStanding } from "../../health/readiness.ts";
import type { ClusterStanding } from "../../jetstream/cluster-report.ts";

export function shownStanding({ troubles, behind }: ClusterStanding): StreamsStanding {
  return {
    behind,
    troubles: troubles.map(({ account, stream, consumer, error }) => {
      const names = [account, stream, consumer].filter((one) => one !== "");
      return names.length === 0 ? error : `${names.join(" > ")}: ${error}`;
    }),
  };
}
