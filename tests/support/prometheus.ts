/**
 * Reading the text format of Prometheus.
 *
 * @module
 */

/** A line of the format: name, labels and value. */
export interface Metric {
  name: string;
  labels: Record<string, string>;
  value: number;
}

const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\.)*",?)*)\})? (\S+)$/;

/**
 * Reads a page strictly.
 *
 * @returns Every value, and the types of the families by name.
 * @throws Error naming a line that is not of the format, a value before its type, or a family that comes twice.
 */
export function parsePrometheus(text: string): { metrics: Metric[]; types: Map<string, string> } {
  const metrics: Metric[] = [];
  const types = new Map<string, string>();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("# HELP ")) continue;
    const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line);
    if (type) {
      if (types.has(type[1]!)) throw new Error(`${type[1]} comes twice`);
      types.set(type[1]!, type[2]!);
      continue;
    }
    const match = LINE.exec(line);
    if (!match || Number.isNaN(Number(match[3]))) throw new Error(`not of the format: ${line}`);
    const [, name, labels = "", value] = match;
    const family = types.has(name!) ? name! : name!.replace(/_(bucket|sum|count)$/, "");
    if (!types.has(family)) throw new Error(`no type before ${name}`);
    const pairs = [...labels.matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g)];
    metrics.push({
      name: name!,
      labels: Object.fromEntries(pairs.map(([, key, text]) => [key!, unescaped(text!)])),
      value: Number(value),
    });
  }
  return { metrics, types };
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, (_, letter: string) => (letter === "n" ? "\n" : letter));
}

/**
 * Looks values up on a page.
 *
 * @returns A function from a name, and labels that the value must have (others do not matter), to the only such value;
 * undefined when there is none. A name may also be given as the page shows it, labels included.
 */
export function gaugesOf(text: string): (name: string, labels?: Record<string, string>) => number | undefined {
  const { metrics } = parsePrometheus(text);
  return (name, labels = {}) => {
    const [bare, shown] = name.split("{");
    const wanted = { ...labels };
    for (const [, key, value] of (shown ?? "").matchAll(/(\w+)="([^"]*)"/g)) wanted[key!] = value!;
    const found = metrics.filter(
      (metric) => metric.name === bare && Object.entries(wanted).every(([key, value]) => metric.labels[key] === value),
    );
    if (found.length > 1) throw new Error(`${name} has ${found.length} values`);
    return found[0]?.value;
  };
}
