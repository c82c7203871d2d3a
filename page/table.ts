/** A table of rows with keys: cells change in place, so that focus and selection stay where they are. Sorted by its heads. */
import { make, set, setText } from "./dom.ts";

export interface Column<Row> {
  readonly key: string;
  readonly title: string;
  readonly text: (row: Row) => string;
  /** By which it is sorted here; a string ascending first, a number descending first. Absent: not sorted. */
  readonly sort?: (row: Row) => string | number;
  readonly isNumber?: boolean;
  /** A mark in front of the text. */
  readonly mark?: (row: Row) => string;
}

export interface TableOptions<Row> {
  readonly caption: string;
  readonly columns: readonly Column<Row>[];
  readonly rowKey: (row: Row) => string;
  readonly empty: string;
  /** Sorted elsewhere: what a head asks for. */
  readonly onSort?: (key: string) => void;
  /** The first cell of each row becomes a button. */
  readonly onChoose?: (row: Row) => void;
}

export class Table<Row> {
  readonly element: HTMLElement;
  private readonly options: TableOptions<Row>;
  private readonly body = make("tbody");
  private readonly heads = new Map<string, HTMLTableCellElement>();
  private readonly lines = new Map<string, { readonly line: HTMLTableRowElement; row: Row }>();
  private readonly emptyNote: HTMLElement;
  private rows: readonly Row[] = [];
  private sorted: { key: string; isDescending: boolean } | null = null;
  private chosen = "";

  constructor(options: TableOptions<Row>) {
    this.options = options;
    const heads = options.columns.map((column) => this.head(column));
    this.emptyNote = make("p", { class: "empty" }, options.empty);
    const caption = make("caption", { class: "unseen" }, options.caption);
    const table = make("table", {}, caption, make("thead", {}, make("tr", {}, ...heads)), this.body);
    this.element = make("div", {}, table, this.emptyNote);
  }

  show(rows: readonly Row[], chosen = ""): void {
    this.rows = rows;
    this.chosen = chosen;
    const shown = this.inOrder();
    this.emptyNote.hidden = rows.length > 0;
    const keys = new Set(shown.map((row) => this.options.rowKey(row)));
    for (const [key, { line }] of this.lines) {
      if (keys.has(key)) continue;
      line.remove();
      this.lines.delete(key);
    }
    shown.forEach((row, index) => this.showRow(row, index));
  }

  /** Marks the head by which the rows are sorted elsewhere. */
  markSorted(key: string, order: "ascending" | "descending"): void {
    for (const [name, head] of this.heads) set(head, { "aria-sort": name === key ? order : undefined });
  }

  private head({ key, title, sort, isNumber }: Column<Row>): HTMLTableCellElement {
    const head = make("th", { scope: "col", class: isNumber ? "number" : undefined });
    this.heads.set(key, head);
    const sortBy = this.options.onSort;
    if (sort === undefined) {
      head.append(title);
      return head;
    }
    const button = make("button", { type: "button" }, title);
    button.addEventListener("click", () => (sortBy === undefined ? this.sortBy(key) : sortBy(key)));
    head.append(button);
    return head;
  }

  private sortBy(key: string): void {
    const isNumber = this.options.columns.find((column) => column.key === key)?.isNumber ?? false;
    const isDescending = this.sorted?.key === key ? !this.sorted.isDescending : isNumber;
    this.sorted = { key, isDescending };
    this.markSorted(key, isDescending ? "descending" : "ascending");
    this.show(this.rows, this.chosen);
  }

  private inOrder(): readonly Row[] {
    const { sorted } = this;
    const by = this.options.columns.find(({ key }) => key === sorted?.key)?.sort;
    if (sorted === null || by === undefined) return this.rows;
    const sign = sorted.isDescending ? -1 : 1;
    return [...this.rows].sort((a, b) => sign * compare(by(a), by(b)));
  }

  private showRow(row: Row, index: number): void {
    const key = this.options.rowKey(row);
    const known = this.lines.get(key);
    const entry = known ?? { line: this.newLine(key), row };
    entry.row = row;
    if (known === undefined) this.lines.set(key, entry);
    const { line } = entry;
    if (this.body.children[index] !== line) this.body.insertBefore(line, this.body.children[index] ?? null);
    set(line, { "aria-selected": this.chosen === key ? "true" : undefined });
    this.options.columns.forEach(({ text, mark }, column) => {
      const place = line.children[column]!.firstElementChild ?? line.children[column]!;
      set(place, { "data-mark": mark?.(row) });
      setText(place, text(row));
    });
  }

  private newLine(key: string): HTMLTableRowElement {
    const { columns, onChoose } = this.options;
    const cells = columns.map(({ isNumber }, index) => {
      const cell = make(index === 0 ? "th" : "td", { class: isNumber ? "number" : undefined });
      if (index === 0) cell.setAttribute("scope", "row");
      if (index > 0 || onChoose === undefined) return cell;
      const button = make("button", { type: "button" });
      button.addEventListener("click", () => onChoose(this.lines.get(key)!.row));
      cell.append(button);
      return cell;
    });
    return make("tr", {}, ...cells);
  }
}

function compare(a: string | number, b: string | number): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), "en", { numeric: true });
}
