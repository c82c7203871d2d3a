/** The table of leaf connections. Not shown where there are none. */
import { byId, setText } from "./dom.ts";
import { bytes, exact, milliseconds, plural } from "./format.ts";
import { accountNames, type Cluster, type LeafFigures } from "./model.ts";
import { Table, type Column } from "./table.ts";

interface LeafRow extends LeafFigures {
  readonly member: string;
  readonly accountName: string;
}

export class LeafNodes {
  private readonly table = leafTable();

  constructor() {
    byId("leafs").append(this.table.element);
  }

  show(cluster: Cluster): void {
    const { members } = cluster;
    const names = accountNames(cluster);
    const rows = members.flatMap(({ server_name: member, leafs }) =>
      leafs.map((leaf) => ({ ...leaf, member, accountName: names.get(leaf.account) ?? leaf.account })),
    );
    byId("leafs-panel").hidden = rows.length === 0;
    this.table.show(rows);
    const total = members.reduce((sum, { leafs_total: all }) => sum + all, 0);
    const left = total - rows.length;
    setText(byId("leafs-note"), left <= 0 ? "" : `${plural(left, "further connection")} not shown.`);
  }
}

function leafTable(): Table<LeafRow> {
  const text = (key: string, title: string, of: (row: LeafRow) => string): Column<LeafRow> => ({
    ...{ key, title, text: of, sort: of },
  });
  const figure = (
    key: string,
    title: string,
    of: (row: LeafRow) => number,
    shown: (value: number) => string,
  ): Column<LeafRow> => ({ key, title, isNumber: true, sort: of, text: (row) => shown(of(row)) });
  return new Table<LeafRow>({
    caption: "Leaf connections",
    rowKey: ({ member, address, account }) => JSON.stringify([member, address, account]),
    empty: "No leaf nodes.",
    columns: [
      text("name", "Peer", ({ name }) => name),
      text("role", "Role", ({ is_spoke: isSpoke }) => (isSpoke ? "hub" : "leaf node")),
      text("cluster", "Cluster", ({ cluster }) => cluster || "–"),
      text("account", "Account", ({ accountName }) => accountName),
      text("member", "Member", ({ member }) => member),
      figure("rtt", "RTT", (row) => row.rtt_ms, milliseconds),
      figure("in", "In", (row) => row.in_msgs, exact),
      figure("out", "Out", (row) => row.out_msgs, exact),
      figure("interest", "Interest", (row) => row.subscriptions, exact),
      figure("pending", "Pending", (row) => row.pending, bytes),
    ],
  });
}
