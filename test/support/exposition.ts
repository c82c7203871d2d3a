/** What a scrape brings, as a test wants to ask it. */

export interface SeriesOf {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export class Exposition {
  readonly types = new Map<string, string>();
  private readonly series = new Map<string, SeriesOf[]>();

  constructor(text: string) {
    for (const line of text.split("\n")) {
      const [, named = "", type = ""] = /^# TYPE (\S+) (\w+)$/.exec(line) ?? [];
      if (named !== "") this.types.set(named, type);
      const [, name = "", labels = "", value = ""] = /^([a-zA-Z_:]\w*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
      if (name === "") continue;
      const those = this.series.get(name) ?? [];
      those.push({ labels: labelsOf(labels), value: Number(value.replace("+Inf", "Infinity")) });
      this.series.set(name, those);
    }
  }

  static async scrape(url: string): Promise<Exposition> {
    const response = await fetch(url);
    if (response.status !== 200) throw new Error(`${url} answered ${response.status}`);
    return new Exposition(await response.text());
  }

  get names(): string[] {
    return [...this.series.keys()];
  }

  of(name: string): readonly SeriesOf[] {
    return this.series.get(name) ?? [];
  }

  /** The value of the one series that has these labels. */
  value(name: string, labels: Readonly<Record<string, string>> = {}): number {
    const found = this.of(name).filter((one) =>
      Object.entries(labels).every(([label, value]) => one.labels[label] === value),
    );
    if (found.length !== 1) throw new Error(`${found.length} series ${name}${JSON.stringify(labels)}`);
    return found[0]!.value;
  }
}

function labelsOf(text: string): Record<string, string> {
  return Object.fromEntries(
    [...text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label, value]) => [
      label!,
      value!.replaceAll(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char)),
    ]),
  );
}
